"""How good a run is on synthetic scenes of left-out families: ``python -m factory.validate --run DIR``.

Everything about the bundled model is selected by these figures, never by real images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from factory import checkpoint as ckpt
from factory import losses
from factory.command import status_of
from factory.config import RunConfig
from factory.model import DualEncoder
from factory.pool import ScenePool
from factory.probe import PROBE
from factory.released import is_released, read
from factory.texts import Words, pair_texts, word_texts
from zsad.config import from_mapping
from zsad.errors import UsageError
from zsad.metrics import aupro
from zsad.metrics.curves import f1_max, image_auroc
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import FloatArray

SIGMAS = (0.0, 2.0, 4.0, 6.0, 8.0)
FUSIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
CHOICES = 8
FOLD = 32
"""Training scenes on which the offset is folded in."""


@dataclass(frozen=True)
class Collected:
    """Features and truth of n scenes.

    Attributes:
        cls: float32 ``(n, D)``, unit vectors.
        patches: float32 ``(n, N, D)``, unit vectors.
        masks: bool ``(n, S, S)``.
        labels: int ``(n,)``.
        defects: bool ``(n, Vd)``, the defect words that fit, or none.
        materials: bool ``(n, Vm)``, the material words that fit, or none.
    """

    cls: Tensor
    patches: Tensor
    masks: npt.NDArray[np.bool_]
    labels: npt.NDArray[np.int64]
    defects: npt.NDArray[np.bool_]
    materials: npt.NDArray[np.bool_]


def encoder_of(saved: ckpt.Checkpoint, config: RunConfig) -> DualEncoder:
    """Build the frozen encoder from a checkpoint's averaged weights, as they are."""
    encoder = DualEncoder(config.model)
    encoder.load_state_dict({n: v for n, v in saved.group("average").items() if not n.startswith(PROBE)})
    return encoder.train(False).requires_grad_(False)


def load_encoder(path: Path) -> tuple[DualEncoder, RunConfig, ckpt.Checkpoint]:
    """Build the encoder as it is shipped: averaged weights, the offset folded in, rounded to float16.

    Args:
        path: a checkpoint file, a run's folder for its newest one, or a released folder (``zsad/assets/tiny``).

    Raises:
        ModelError: no checkpoint, or a damaged one.
    """
    saved = read(path)
    config = from_mapping(RunConfig, saved.config, str(path))
    encoder = encoder_of(saved, config)
    pool = ScenePool(config.model.image_size, config.data.seed, "train")
    images = np.stack([pool[i].image for i in range(FOLD)])
    encoder.fold_offset(torch.from_numpy(images).permute(0, 3, 1, 2), text_pair(encoder))
    encoder.load_state_dict({k: v.half().float() for k, v in encoder.state_dict().items()})
    return encoder, config, saved


def collect(encoder: DualEncoder, pool: ScenePool, words: Words, count: int, first: int = 0) -> Collected:
    """Encode scenes ``first .. first + count - 1`` of a pool in float32."""
    cls, patches, scenes = [], [], []
    for start in range(first, first + count, 16):
        drawn = [pool[i] for i in range(start, min(start + 16, first + count))]
        pixels = torch.from_numpy(np.stack([s.image for s in drawn])).permute(0, 3, 1, 2)
        with torch.inference_mode():
            c, p = encoder.encode_images(pixels)
        cls.append(c)
        patches.append(p)
        scenes += [replace(s, image=np.empty(0, np.uint8)) for s in drawn]
    return Collected(
        torch.cat(cls),
        torch.cat(patches),
        np.stack([s.mask.astype(bool) for s in scenes]),
        np.array([s.label for s in scenes], np.int64),
        np.stack([words.fitting_defects(s) for s in scenes]),
        np.stack([words.fitting_materials(s) for s in scenes]),
    )


def text_pair(encoder: DualEncoder) -> Tensor:
    """Return the object-agnostic word-bank ensemble: unit vectors ``(2, D)``, normal and anomalous."""
    with torch.inference_mode():
        sides = [F.normalize(encoder.encode_texts(list(texts)).mean(0), dim=-1) for texts in pair_texts()]
    return torch.stack(sides)


def maps(patches: Tensor, pair: Tensor, temperature: float, size: int, sigma: float) -> FloatArray:
    """Return the detector's maps, float32 ``(n, S, S)`` in [0, 1], from patch features ``(n, N, D)``."""
    grid = round(patches.shape[1] ** 0.5)
    p = torch.sigmoid(patches @ ((pair[1] - pair[0]) / temperature)).view(-1, grid, grid)  # (n, G, G)
    enlarge = torch.from_numpy(smoothing_matrix(size, grid, sigma).astype(np.float32))  # (S, G)
    result: FloatArray = (enlarge @ p.float() @ enlarge.T).numpy()
    return result


def score_parts(cls: Tensor, values: FloatArray, pair: Tensor, temperature: float) -> tuple[FloatArray, FloatArray]:
    """Return the two parts of the image score, ``(n,)`` each: of the class token, and the maps' highest 1 %."""
    token = torch.sigmoid(cls @ ((pair[1] - pair[0]) / temperature)).numpy()  # (n,)
    flat = values.reshape(len(values), -1)
    k = top_count(values.shape[1])
    top = np.partition(flat, -k, axis=1)[:, -k:].mean(1)  # (n,)
    return token, top


def image_scores(parts: tuple[FloatArray, FloatArray], fusion: float) -> FloatArray:
    """Return image scores ``(n,)``: ``fusion`` times the maps' highest 1 %, the rest from the class token."""
    token, top = parts
    return np.asarray(fusion * top + (1 - fusion) * token, np.float32)


def word_accuracy(vectors: Tensor, words: Tensor, fitting: npt.NDArray[np.bool_], seed: int = 0) -> float:
    """Return how often a fitting word wins against seven that don't fit; chance is 1 / 8.

    Args:
        vectors: ``(n, D)`` unit vectors.
        words: ``(V, D)`` unit vectors.
        fitting: bool ``(n, V)``; a scene without a fitting word is left out.
        seed: draws the eight.
    """
    rng = np.random.default_rng(seed)
    cosine = (vectors @ words.T).numpy()  # (n, V)
    wins = []
    for row, right in zip(cosine, fitting, strict=True):
        if right.any() and (~right).sum() >= CHOICES - 1:
            truth, others = rng.choice(np.flatnonzero(right)), rng.choice(np.flatnonzero(~right), CHOICES - 1, False)
            wins.append(bool(row[truth] > row[others].max()))
    return float(np.mean(wins)) if wins else float("nan")


def report(encoder: DualEncoder, config: RunConfig, data: Collected, words: Words, pair: Tensor) -> dict[str, Any]:
    """Measure everything that a choice is based on; figures of undefined metrics are NaN."""
    t, size = float(encoder.temperature), config.model.image_size
    result: dict[str, Any] = {"scenes": len(data.labels), "anomalous": int(data.labels.sum()), "sigma": {}}
    for sigma in SIGMAS:
        values = maps(data.patches, pair, t, size, sigma)
        parts = score_parts(data.cls, values, pair, t)
        rules = {w: image_auroc(data.labels, image_scores(parts, w)).value for w in FUSIONS}
        result["sigma"][sigma] = {
            "pixel_auroc": image_auroc(data.masks, values).value,
            "pixel_aupro": aupro(data.masks, values).value,
            "pixel_f1": f1_max(data.masks, values).value,
            "image_auroc": {f"fused({w})": v for w, v in rules.items()},
        }
    result["words"] = word_figures(encoder, data, words)
    return result


def row_of(found: dict[str, Any], sigma: float, fusion: float) -> dict[str, float]:
    """Return the figures of one readout, to four places.

    Args:
        found: what :func:`report` returned.
        sigma: one of ``SIGMAS``.
        fusion: one of ``FUSIONS``.

    Returns:
        ``pixel_auroc``, ``pixel_aupro``, ``image_auroc`` and the words' accuracies, in [0, 1].
    """
    at = found["sigma"][sigma]
    values = {name: at[name] for name in ("pixel_auroc", "pixel_aupro")}
    values |= {"image_auroc": at["image_auroc"][f"fused({fusion})"]} | found["words"]
    return {name: round(float(value), 4) for name, value in values.items()}


def word_figures(encoder: DualEncoder, data: Collected, words: Words) -> dict[str, float]:
    """Return how often the right word of eight is picked from text alone, by the class token and by a region's mean.

    Defect words are asked of the defect's region, material words of the rest.
    """
    with torch.inference_mode():
        defects, materials = (encoder.encode_texts(texts) for texts in word_texts(words))
    masks = torch.from_numpy(data.masks).float()  # (n, S, S)
    views = losses.views_of(data.cls, data.patches, losses.share(masks, encoder.config.grid, 1.0).flatten(1))
    return {
        "defect_of_8": word_accuracy(views.cls, defects, data.defects),
        "defect_of_8_region": word_accuracy(views.inside, defects, data.defects),
        "material_of_8": word_accuracy(views.cls, materials, data.materials),
        "material_of_8_region": word_accuracy(views.outside, materials, data.materials),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, print the figures as JSON, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.validate", description="Measure on synthetic scenes.")
    parser.add_argument("--run", type=Path, required=True, help="folder of a run or release, or a checkpoint file")
    parser.add_argument("--scenes", type=int, default=512, help="number of scenes")
    parser.add_argument("--split", choices=("valid", "train"), default="valid", help="left-out families or known ones")
    parser.add_argument(
        "--first", type=int, help="first scene; by default 0, for known families the first behind the pool of the run"
    )
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)

    def work() -> None:
        if options.split == "train" and options.first is None and is_released(options.run):
            raise UsageError(f"{options.run}: does not say which scenes it was trained on; give --first 200000")
        torch.set_num_threads(options.threads)
        encoder, config, saved = load_encoder(options.run)
        words = Words.of_world()
        pool = ScenePool(config.model.image_size, config.data.seed, options.split, options.cache)
        # Known families: scenes behind the pool that was trained on.
        behind = config.data.first + config.data.pool if options.split == "train" else 0
        first = behind if options.first is None else options.first
        data = collect(encoder, pool, words, options.scenes, first)
        figures = {"step": saved.step, "split": options.split, "first": first}
        figures |= report(encoder, config, data, words, text_pair(encoder))
        text = json.dumps(figures, indent=1)
        sys.stdout.write(text + "\n")
        if options.json:
            options.json.write_text(text + "\n", encoding="utf-8")

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
