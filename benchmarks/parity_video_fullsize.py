"""The models at their published sizes, with weights drawn from a stated seed; see ``parity_video.py``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import open_clip
import torch
from torch import Tensor

from benchmarks.parity_checks import Check, Files, largest
from benchmarks.parity_video_set import Set, compare
from benchmarks.parity_video_urdmu import config_of as urdmu_config
from benchmarks.parity_video_urdmu import model_of as urdmu_model
from benchmarks.parity_video_vadclip import config_of, model_of
from zsad.backbone.text_tower import token_ids
from zsad.prompt.class_learner import ClassLearner

NORMS = ("ln_1.weight", "ln_2.weight", "ln_final.weight", "norm.weight")


def drawn(seed: Any, shapes: Mapping[str, list[int]]) -> tuple[dict[str, Tensor], str]:
    """Draw weights as the fixtures say, and their checksum."""
    rng, digest, found = np.random.default_rng(seed), hashlib.sha256(), {}
    for key in sorted(shapes):
        shape = shapes[key]
        a = rng.standard_normal(shape, dtype=np.float32)
        if len(shape) >= 2:
            a *= np.float32(0.05) if "embedding" in key or "memory" in key else np.float32(shape[1] ** -0.5)
        else:
            a = a * np.float32(0.1) + np.float32(1 if key.endswith(NORMS) else 0)
        a = np.asarray(a, np.float32)
        digest.update(a.tobytes())
        found[key] = torch.from_numpy(a.reshape(shape))
    return found, digest.hexdigest()


def fullsize(data: Set) -> Iterator[Check]:
    """Compare every model of ``fullsize.json``."""
    recipes = json.loads((data.folder / "fullsize.json").read_text(encoding="utf-8"))
    want = data.arrays("fullsize.npz")
    for name, recipe in recipes.items():
        weights, digest = drawn(recipe["weights_seed"], recipe["shapes"])
        yield Check("fullsize", f"{name} weights as drawn", float(digest != recipe["weights_sha256"]), 0.0)
        if name.startswith("vadclip"):
            yield from _vadclip(name, data, recipe, weights, want)
        else:
            yield from _scorer(name, data, recipe, weights, want)


def _scorer(name: str, data: Set, recipe: dict[str, Any], weights: dict[str, Tensor], want: Files) -> Iterator[Check]:
    config = urdmu_config(data.config["urdmu"]["published"])
    x = np.random.default_rng(recipe["x_seed"]).standard_normal(recipe["x_shape"], dtype=np.float32)
    with torch.no_grad():
        scores = torch.sigmoid(urdmu_model(config, weights).eval()(torch.from_numpy(x)).logits)
    yield from compare("fullsize", {f"{name}.anomaly_scores": scores}, want, 1e-5)


def _vadclip(name: str, data: Set, recipe: dict[str, Any], weights: dict[str, Tensor], want: Files) -> Iterator[Check]:
    names = data.config[name]["prompt"]
    ids = token_ids(open_clip.SimpleTokenizer(), names, 77)
    rows = torch.from_numpy(np.searchsorted(recipe["vocab_rows"], ids.numpy()))
    config = config_of(recipe | {"dataset": name.removeprefix("vadclip_")})
    model = model_of(config, weights, rows, names, int(recipe["text_heads"]), torch.float32)
    trained = sum(p.numel() for p in model.parameters()) + 1  # disAdj.sigma, which nothing uses
    yield Check("fullsize", f"{name} trainable parameters", abs(trained - recipe["trainable_parameters"]), 0.0)
    x = torch.from_numpy(_features(recipe))
    valid = torch.arange(x.shape[1]) < torch.tensor(recipe["lengths"])[:, None]
    with torch.no_grad():
        scored = model(x, valid)
    assert isinstance(model.text, ClassLearner) and scored.classes is not None
    yield from compare("fullsize", {f"{name}.text_features": scored.text}, want, 5e-5)
    top = float(np.abs(want[f"{name}.logits1"]).max())
    yield Check("fullsize", f"{name}.logits1", largest(scored.logits[..., None], want[f"{name}.logits1"], top), 2e-5)
    yield from compare("fullsize", {f"{name}.logits2": scored.classes}, want, 5e-5)


def _features(recipe: dict[str, Any]) -> Any:
    rng, lengths, rows = np.random.default_rng(recipe["features_seed"]), recipe["lengths"], int(recipe["visual_length"])
    width = int(recipe["visual_width"])
    x = np.zeros((len(lengths), rows, width), np.float32)
    common = rng.standard_normal(width, dtype=np.float32)
    centres = rng.standard_normal((8, width), dtype=np.float32)
    for video, length in enumerate(lengths):
        own = rng.standard_normal((length, width), dtype=np.float32)
        scenes = centres[np.arange(length) // 9 % 8]
        x[video, :length] = np.float32(0.3) * common + np.float32(0.5) * scenes + np.float32(0.25) * own
    return x
