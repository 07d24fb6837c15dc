"""Turn a run into the files that ship: ``python -m factory.release --run DIR --out zsad/assets``.

Prompt, smoothing, score rule and thresholds are chosen on synthetic scenes of left-out families.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from factory import checkpoint as ckpt
from factory.command import status_of
from factory.learn import learn_prompt, unit_pair
from factory.model import DualEncoder, save_folder
from factory.pool import ScenePool
from factory.texts import Words, stored_phrases
from factory.validate import (
    FUSIONS,
    SIGMAS,
    Collected,
    collect,
    image_scores,
    load_encoder,
    maps,
    score_parts,
    text_pair,
)
from zsad.backbone import Backbone, load_backbone
from zsad.card import CARD_KEY, ModelCard
from zsad.detector.torch_detector import TorchDetector
from zsad.metrics import aupro
from zsad.metrics.curves import image_auroc
from zsad.onnx_export.recipe import Store, phrase_book
from zsad.onnx_export.write import export
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.scoring import DirectionScorer
from zsad.synthetic import HELD_OUT
from zsad.types import PromptVectors, Thresholds

FOLDER = "tiny"
"""Name of the model, and folder of its torch weights among the assets."""
BANKS = ("industrial", "medical")
"""Prompt banks whose vectors are stored in the ONNX file."""
LEARNED, ENSEMBLE = "learned object-agnostic prompt", "object-agnostic word ensemble"
FALSE_ALARMS = 0.2
"""Share of normal validation scenes whose score reaches the image threshold."""
FALSE_REGIONS = 0.1
"""Share of normal validation scenes in which a region alone may raise the alarm."""
MIN_AREA = 0.0005
"""Smallest region that counts, as a fraction of the image's pixels: 6 x 6 px at 256 px."""


@dataclass(frozen=True)
class Choice:
    """What was selected on the validation scenes.

    Attributes:
        prompt: name of the prompt.
        pair: unit vectors ``(2, D)``.
        sigma: Gaussian smoothing in pixels.
        fusion: weight of the map in the image score.
        pixel_auroc: what the map reaches.
        pixel_aupro: the same, each region counting alike.
        image_auroc: what the score reaches.
    """

    prompt: str
    pair: Tensor
    sigma: float
    fusion: float
    pixel_auroc: float
    pixel_aupro: float
    image_auroc: float

    @property
    def quality(self) -> float:
        """What prompt and smoothing are chosen by: large regions decide the one metric, small ones the other."""
        return (self.pixel_auroc + self.pixel_aupro) / 2

    @property
    def score_rule(self) -> str:
        """The card's name of the rule."""
        return {0.0: "cls", 1.0: "map_top1"}.get(self.fusion, f"fused({self.fusion:g})")


def choose(prompts: dict[str, Tensor], data: Collected, t: float, size: int) -> Choice:
    """Choose prompt and smoothing by pixel AUROC and AUPRO, then the score rule by image AUROC.

    Args:
        prompts: unit vectors ``(2, D)`` by name.
        data: validation scenes.
        t: temperature.
        size: side S in pixels.
    """
    best: Choice | None = None
    for name, pair in prompts.items():
        for sigma in SIGMAS:
            values = maps(data.patches, pair, t, size, sigma)
            pixel, region = image_auroc(data.masks, values).value, aupro(data.masks, values).value
            parts = score_parts(data.cls, values, pair, t)
            scores = {w: image_auroc(data.labels, image_scores(parts, w)).value for w in FUSIONS}
            fusion = max(scores, key=lambda w: scores[w])
            made = Choice(name, pair, sigma, fusion, pixel, region, scores[fusion])
            if best is None or made.quality > best.quality:
                best = made
    assert best is not None
    return best


def choose_thresholds(choice: Choice, data: Collected, t: float, size: int) -> Thresholds:
    """Choose thresholds from the normal validation scenes alone, as a user would from good parts.

    One good scene in five reaches the image threshold, one in ten has a region that counts: many of these scenes hold
    something harmless to be mistaken, which real good parts seldom do.
    """
    values = maps(data.patches, choice.pair, t, size, choice.sigma)
    scores = image_scores(score_parts(data.cls, values, choice.pair, t), choice.fusion)
    good = data.labels == 0
    # What a region of the smallest area that counts must reach: that share of the scene's pixels lies above it.
    peaks = np.quantile(values[good].reshape(int(good.sum()), -1), 1 - MIN_AREA, axis=1)
    image = float(np.quantile(scores[good], 1 - FALSE_ALARMS))
    pixel = float(np.quantile(peaks, 1 - FALSE_REGIONS))
    return Thresholds(_up(image), _up(pixel), MIN_AREA)


def _up(value: float) -> float:
    return min(1.0, float(np.ceil(value * 1e4) / 1e4))


def shipped_weights(encoder: DualEncoder, saved: ckpt.Checkpoint) -> tuple[dict[str, Tensor], int]:
    """Return the weights with token rows that training never read set to zero, and how many it read."""
    weights = dict(encoder.clip.state_dict())
    seen = saved.tensors["seen"]
    weights["token_embedding.weight"] = weights["token_embedding.weight"] * seen[:, None]
    return weights, int(seen.sum())


def seeds_of(saved: ckpt.Checkpoint) -> str:
    """Return all seeds that a model was made with: those of released models that it began from, then its own."""
    before = [str(e["released_seeds"]) for e in saved.history if "released_seeds" in e]
    stages = [str(e["seed"]) for e in saved.history if "seed" in e]  # a run may go on with another seed
    averaged = str(saved.history[-1].get("averaged_seeds", saved.config["train"]["seed"])).split(", ")
    trained = ", ".join(dict.fromkeys([*stages, *averaged]))
    return "; then ".join([*before, f"world {saved.config['data']['seed']}, training {trained}"])


def make_card(
    choice: Choice, limits: Thresholds, temperature: float, backbone: Backbone, saved: ckpt.Checkpoint, tokens: int
) -> ModelCard:
    """Describe the model: how it is read and judged, how it was made, and what it was never shown."""
    worlds = ", ".join(dict.fromkeys(str(entry["world"]) for entry in saved.history))
    last = saved.history[-1]
    own, earlier = str(saved.step), [str(e["released_steps"]) for e in saved.history if "released_steps" in e]
    narrowed, fitted = last.get("text_width"), last.get("texts_fitted")
    hardware = "; ".join(dict.fromkeys(str(entry["hardware"]) for entry in saved.history))
    card = backbone.card(
        name=str(saved.config["name"]),
        backbone=FOLDER,
        temperature=temperature,
        sigma=choice.sigma,
        score_rule=choice.score_rule,
        prompt=choice.prompt,
        training_data="procedural scenes drawn by zsad.synthetic; no real image and no foreign weight was used",
        licence="Apache-2.0",
        source="trained from scratch by factory",
        description="Small bundled model, trained on procedural scenes only. A start where nothing else is at hand: "
        "its thresholds are uncalibrated and its verdicts on real parts need checking.",
        details={
            "world": worlds,
            "steps": " + ".join([*earlier, own]),
            "averaged_steps": str(last.get("averaged_steps", saved.step)),
            "batch": str(saved.config["data"]["batch"]),
            "seeds": seeds_of(saved),
            "hardware": hardware,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "text_tower": f"{tokens} tokens of the vocabulary were read in training; the rows of all others are zero"
            + (f"; narrowed from {narrowed}" if narrowed else "")
            + (f"; fitted to the frozen vision tower at last, {fitted}" if fitted else ""),
            "selected_on": "synthetic validation scenes of left-out families: "
            + "; ".join(f"{kind} {', '.join(sorted(names))}" for kind, names in sorted(HELD_OUT.items())),
            "synthetic_pixel_auroc": f"{choice.pixel_auroc:.4f}",
            "synthetic_pixel_aupro": f"{choice.pixel_aupro:.4f}",
            "synthetic_image_auroc": f"{choice.image_auroc:.4f}",
        },
    )
    return card.changed(
        image_threshold=limits.image, pixel_threshold=limits.pixel, min_area=limits.min_area, calibrated=False
    )


def release(run: Path, out: Path, count: int, cache: Path | None) -> ModelCard:
    """Write ``tiny.onnx``, its card, and ``tiny/`` (open_clip folder and prompt) to ``out``.

    Args:
        run: folder of a run, or a checkpoint.
        out: folder of the assets.
        count: number of validation scenes.
        cache: folder that keeps drawn scenes, or None.

    Returns:
        The card.
    """
    encoder, config, saved = load_encoder(run)
    words, size, temperature = Words.of_world(), config.model.image_size, float(encoder.temperature)
    weights, tokens = shipped_weights(encoder, saved)
    encoder.clip.load_state_dict(weights)
    data = collect(encoder, ScenePool(size, config.data.seed, "valid", cache), words, count)
    known = collect(encoder, ScenePool(size, config.data.seed, "train", cache), words, 2 * count)
    learner = learn_prompt(encoder, known, config)
    prompts = {LEARNED: unit_pair(learner), ENSEMBLE: text_pair(encoder)}
    choice = choose(prompts, data, temperature, size)
    limits = choose_thresholds(choice, data, temperature, size)
    folder = out / FOLDER
    save_folder(weights, config.model, folder, {})
    backbone = load_backbone(f"local-dir:{folder}", vv_blocks=config.model.vv_blocks)
    card = make_card(choice, limits, temperature, backbone, saved, tokens)
    save_folder(weights, config.model, folder, {CARD_KEY: card.to_json()})
    vectors = PromptVectors.shared(choice.pair.numpy(), len(card.reading.layers))
    learned = learner.tensors() if choice.prompt == LEARNED else {}
    save_prompt(folder / "prompt.safetensors", StoredPrompt(card, vectors, learned))
    detector = TorchDetector(backbone, DirectionScorer(vectors, card), card)
    phrases = phrase_book(backbone, Store(BANKS, (), stored_phrases()))
    export(detector, out / f"{FOLDER}.onnx", weights="float16", phrases=phrases)
    (out / f"{FOLDER}.card.json").write_text(json.dumps(json.loads(card.to_json()), indent=1) + "\n", encoding="utf-8")
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, release, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.release", description="Write the bundled model's files.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a run, or a checkpoint file")
    parser.add_argument("--out", type=Path, required=True, help="folder of the assets")
    parser.add_argument("--scenes", type=int, default=1000, help="validation scenes, half as many as the prompt sees")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    options = parser.parse_args(arguments)

    def work() -> None:
        torch.set_num_threads(options.threads)
        card = release(options.run, options.out, options.scenes, options.cache)
        sys.stdout.write(json.dumps(json.loads(card.to_json()), indent=1) + "\n")

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
