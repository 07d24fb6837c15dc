"""Turn a run into the files that ship: ``python -m zsad.tiny.release --run DIR --out zsad/assets``.

Prompt, smoothing, score rule and thresholds are chosen on synthetic scenes of left-out families.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zsad.backbone import Backbone, load_backbone
from zsad.card import CARD_KEY, ModelCard
from zsad.data.synthetic import HELD_OUT
from zsad.errors import ZsadError
from zsad.metrics.curves import f1_max, image_auroc
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.regions import find_regions
from zsad.tiny import checkpoint as ckpt
from zsad.tiny.config import RunConfig
from zsad.tiny.learn import learn_prompt, unit_pair
from zsad.tiny.model import DualEncoder, save_folder
from zsad.tiny.scenes import ScenePool
from zsad.tiny.texts import Words
from zsad.tiny.validate import FUSIONS, SIGMAS, Collected, collect, image_scores, load_encoder, maps, text_pair
from zsad.types import FloatArray, PromptVectors, Thresholds

FOLDER = "tiny"
"""Folder of the torch weights among the assets."""
LEARNED, ENSEMBLE = "learned object-agnostic prompt", "object-agnostic word ensemble"
FALSE_REGIONS = 0.05
"""Largest share of normal validation scenes in which a region alone may raise the alarm."""


@dataclass(frozen=True)
class Choice:
    """What was selected on the validation scenes.

    Attributes:
        prompt: name of the prompt.
        pair: unit vectors ``(2, D)``.
        sigma: Gaussian smoothing in pixels.
        fusion: weight of the map in the image score.
        pixel_auroc: what the map reaches.
        image_auroc: what the score reaches.
    """

    prompt: str
    pair: Tensor
    sigma: float
    fusion: float
    pixel_auroc: float
    image_auroc: float

    @property
    def score_rule(self) -> str:
        """The card's name of the rule."""
        return {0.0: "cls", 1.0: "map_top1"}.get(self.fusion, f"fused({self.fusion:g})")


def choose(prompts: dict[str, Tensor], data: Collected, config: RunConfig) -> Choice:
    """Choose prompt and smoothing by pixel AUROC, then the score rule by image AUROC."""
    t, size = config.model.temperature, config.model.image_size
    best: Choice | None = None
    for name, pair in prompts.items():
        for sigma in SIGMAS:
            values = maps(data.patches, pair, t, size, sigma)
            pixel = image_auroc(data.masks, values).value
            if best is not None and pixel <= best.pixel_auroc:
                continue
            scores = {w: image_auroc(data.labels, image_scores(data.cls, values, pair, t, w)).value for w in FUSIONS}
            fusion = max(scores, key=lambda w: scores[w])
            best = Choice(name, pair, sigma, fusion, pixel, scores[fusion])
    assert best is not None
    return best


def choose_thresholds(choice: Choice, data: Collected, config: RunConfig) -> Thresholds:
    """Choose thresholds: best F1 of images and of pixels, and the area that few normal scenes' regions reach."""
    t, size = config.model.temperature, config.model.image_size
    values = maps(data.patches, choice.pair, t, size, choice.sigma)
    scores = image_scores(data.cls, values, choice.pair, t, choice.fusion)
    pixel = f1_max(data.masks, values).threshold or 0.0
    image = f1_max(data.labels, scores).threshold or 0.0
    largest = np.array([_largest(v, pixel) for v in values[data.labels == 0]])
    area = float(np.quantile(largest, 1 - FALSE_REGIONS)) if len(largest) else 0.0
    return Thresholds(_down(image), _down(pixel), min(1.0, area + 1e-4), calibrated=False)


def _largest(values: FloatArray, threshold: float) -> float:
    """Return the area of the largest region, as a fraction of the map."""
    regions = find_regions(values, np.asarray(values >= threshold))
    return max((region.area for region in regions), default=0) / values.size


def _down(value: float) -> float:
    return float(np.floor(value * 1e4) / 1e4)


def shipped_weights(encoder: DualEncoder, saved: ckpt.Checkpoint) -> tuple[dict[str, Tensor], int]:
    """Return the weights with token rows that training never read set to zero, and how many it read."""
    weights = dict(encoder.clip.state_dict())
    seen = saved.tensors["seen"]
    weights["token_embedding.weight"] = weights["token_embedding.weight"] * seen[:, None]
    return weights, int(seen.sum())


def make_card(choice: Choice, limits: Thresholds, backbone: Backbone, saved: ckpt.Checkpoint, tokens: int) -> ModelCard:
    """Describe the model: how it is read and judged, how it was made, and what it was never shown."""
    train, data = saved.config["train"], saved.config["data"]
    worlds = ", ".join(dict.fromkeys(str(entry["world"]) for entry in saved.history))
    hardware = "; ".join(dict.fromkeys(str(entry["hardware"]) for entry in saved.history))
    card = backbone.card(
        name=str(saved.config["name"]),
        backbone="zsad-tiny",
        temperature=float(saved.config["model"]["temperature"]),
        sigma=choice.sigma,
        score_rule=choice.score_rule,
        prompt=choice.prompt,
        training_data="procedural scenes drawn by zsad.data.synthetic; no real image and no foreign weight was used",
        licence="Apache-2.0",
        source="trained from scratch by zsad.tiny",
        description="Small bundled model, trained on procedural scenes only. A start where nothing else is at hand: "
        "its thresholds are uncalibrated and its verdicts on real parts need checking.",
        details={
            "world": worlds,
            "steps": str(saved.step),
            "batch": str(data["batch"]),
            "seeds": f"world {data['seed']}, training {train['seed']}",
            "hardware": hardware,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "text_tower": f"{tokens} tokens of the vocabulary were read in training; the rows of all others are zero",
            "selected_on": "synthetic validation scenes of left-out families: "
            + "; ".join(f"{kind} {', '.join(sorted(names))}" for kind, names in sorted(HELD_OUT.items())),
            "synthetic_pixel_auroc": f"{choice.pixel_auroc:.4f}",
            "synthetic_image_auroc": f"{choice.image_auroc:.4f}",
        },
    )
    return replace(
        card, image_threshold=limits.image, pixel_threshold=limits.pixel, min_area=limits.min_area, calibrated=False
    )


def release(run: Path, out: Path, count: int, cache: Path | None) -> ModelCard:
    """Write ``tiny/`` (open_clip folder and prompt) to ``out``.

    Args:
        run: folder of a run, or a checkpoint.
        out: folder of the assets.
        count: number of validation scenes.
        cache: folder that keeps drawn scenes, or None.

    Returns:
        The card.
    """
    encoder, config, saved = load_encoder(run)
    words, size = Words.of_world(), config.model.image_size
    weights, tokens = shipped_weights(encoder, saved)
    encoder.clip.load_state_dict(weights)
    data = collect(encoder, ScenePool(size, config.data.seed, "valid", cache), words, count)
    known = collect(encoder, ScenePool(size, config.data.seed, "train", cache), words, 2 * count)
    learner = learn_prompt(encoder, known, config)
    prompts = {LEARNED: unit_pair(learner), ENSEMBLE: text_pair(encoder)}
    choice = choose(prompts, data, config)
    limits = choose_thresholds(choice, data, config)
    folder = out / FOLDER
    save_folder(weights, config.model, folder, {})
    backbone = load_backbone(f"local-dir:{folder}", vv_blocks=config.model.vv_blocks)
    card = make_card(choice, limits, backbone, saved, tokens)
    save_folder(weights, config.model, folder, {CARD_KEY: card.to_json()})
    vectors = PromptVectors.shared(choice.pair.numpy(), len(card.layers))
    learned = learner.tensors() if choice.prompt == LEARNED else {}
    save_prompt(folder / "prompt.safetensors", StoredPrompt(card, vectors, learned))
    (out / f"{FOLDER}.card.json").write_text(json.dumps(json.loads(card.to_json()), indent=1) + "\n", encoding="utf-8")
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, release, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m zsad.tiny.release", description="Write the bundled model's files.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a run, or a checkpoint file")
    parser.add_argument("--out", type=Path, required=True, help="folder of the assets")
    parser.add_argument("--scenes", type=int, default=1000, help="validation scenes, half as many as the prompt sees")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    options = parser.parse_args(arguments)
    try:
        torch.set_num_threads(options.threads)
        card = release(options.run, options.out, options.scenes, options.cache)
        sys.stdout.write(json.dumps(json.loads(card.to_json()), indent=1) + "\n")
    except (ZsadError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
