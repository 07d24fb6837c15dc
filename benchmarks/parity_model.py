"""Comparison of one model set: towers, text, maps, training and checkpoint; see ``parity.py``."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.parity_checks import Check, Files, Fixture, Skip, guarded, largest, magnitude
from benchmarks.parity_set import TEMPERATURE, Model, ours, prompts
from benchmarks.parity_training import training
from zsad.backbone.openclip import OpenClipVision
from zsad.backbone.value_attention import two_streams
from zsad.prompt.learner import PromptLearner
from zsad.prompt.published import convert
from zsad.scoring.direction_head import DirectionHead, anomaly_probability, class_probability
from zsad.scoring.smoothing import smoothing_matrix
from zsad.types import PromptVectors

# Tolerances from the fixtures' own README: float32 against float64, with a margin.
RAW, UNIT, PROBABILITY, MAP = 2e-5, 2e-6, 1e-5, 2e-5


def model_checks(fixture: Fixture) -> Iterator[Check | Skip]:
    """Compare everything that a model set has."""
    needed = [f for f in ("clip_weights.safetensors", "inputs.npz") if not fixture.path(f).is_file()]
    if needed:
        yield from (Skip(fixture.name, fixture.path(f).name) for f in needed)
        return
    try:
        model = Model(fixture)
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        yield Check(fixture.name, "loading", float("inf"), 0.0, f"{type(error).__name__}: {line}")
        return
    parts = {
        "infer.npz": lambda d: inference(model, d, half=True),
        "intermediate.npz": lambda d: intermediates(model, d),
        "train.npz": lambda d: training(model, d, half=True, tag="train"),
        "train_lastonly.npz": lambda d: training(model, d, half=True, tag="train last only", last_only=True),
        "nohalf.npz": lambda d: no_half(model, d),
        "fp64.npz": lambda d: double(model, d),
    }
    for file, part in parts.items():
        if fixture.path(file).is_file():
            data = fixture.arrays(file)
            yield from guarded(fixture.name, file, lambda part=part, data=data: part(data))  # type: ignore[misc]
        else:
            yield Skip(fixture.name, fixture.path(file).name)
    if fixture.path("prompt_learner.pth").is_file():
        yield from guarded(fixture.name, "prompt_learner.pth", lambda: checkpoint(model))
    else:
        yield Skip(fixture.name, fixture.path("prompt_learner.pth").name)


def outputs(model: Model, *, half: bool) -> dict[str, Tensor]:
    """Run the project's inference: text, scores and maps, by the fixtures' names."""
    learner, layers = model.learner(half=half), model.backbone.layers
    with torch.no_grad():
        raw = learner()  # (2, D)
        unit = F.normalize(raw, dim=-1)
        direction = (unit[1] - unit[0]) / TEMPERATURE  # (D,)
        each = direction.expand(len(layers), -1)  # (L, D)
        prob = anomaly_probability(model.patches, each)  # (B, L, N)
        grid = model.backbone.grid
        upsample = torch.from_numpy(smoothing_matrix(model.backbone.image_size, grid, 0.0)).float()  # (S, G)
        maps = upsample @ prob.reshape(*prob.shape[:2], grid, grid) @ upsample.T  # (B, L, S, S)
        vectors = PromptVectors.shared(unit.numpy(), len(layers))
        smooth, score = DirectionHead(model.card(), vectors)(model.cls, model.patches)
        last = model.backbone.configured(layers=layers[-1:])
        last_card = last.card(sigma=float(model.fixture.config["sigma"]))
        last_smooth, _ = DirectionHead(last_card, PromptVectors.shared(unit.numpy(), 1))(
            model.cls, model.patches[:, -1:]
        )
        cosine = F.normalize(model.cls, dim=-1) @ unit.T  # (B, 2)
    return {
        "prompts": learner.embeddings().detach(),
        "tokenized_prompts": learner.ids,
        "text_features_raw": raw,
        "text_features": unit[None],
        "image_features_raw": model.cls,
        "image_features": F.normalize(model.cls, dim=-1),
        "image_cosine": cosine,
        "image_prob": torch.stack([1 - score, score], dim=-1),
        "image_score": score,
        "patch_prob": prob,
        "similarity_map": torch.stack([1 - maps, maps], dim=2),  # (B, L, 2, S, S)
        "anomaly_map_raw": maps.sum(dim=1),
        "anomaly_map": smooth * len(layers),  # the published map is the sum, ours the mean
        "anomaly_map_raw_lastonly": maps[:, -1],
        "anomaly_map_lastonly": last_smooth,
        "image_prob_class": class_probability(model.cls, direction),
    }


TOLERANCES = {
    "prompts": 0.0,
    "tokenized_prompts": 0.0,
    "text_features_raw": RAW,
    "text_features": UNIT,
    "image_features_raw": RAW,
    "image_features": UNIT,
    "image_cosine": UNIT,
    "image_prob": PROBABILITY,
    "image_score": PROBABILITY,
    "anomaly_map_raw": MAP,
    "anomaly_map": MAP,
    "anomaly_map_raw_lastonly": MAP,
    "anomaly_map_lastonly": MAP,
}


def inference(model: Model, data: Files, *, half: bool, tag: str = "") -> Iterator[Check]:
    """Compare text features, image features, scores and maps."""
    have, name = outputs(model, half=half), model.fixture.name
    for quantity, tolerance in TOLERANCES.items():
        if quantity in data:
            yield Check(name, tag + quantity, largest(have[quantity], data[quantity]), tolerance)
    for index, layer in enumerate(model.backbone.layers):
        key = f"L{layer:02d}"
        if f"patch_features_raw_{key}" in data:
            want = data[f"patch_features_raw_{key}"][:, 1:]  # without the class token's place
            yield Check(name, f"{tag}patch_features_raw_{key}", largest(model.patches[:, index], want), RAW)
        if f"patch_prob_{key}" in data:
            prob = have["patch_prob"][:, index]  # (B, N)
            pair = torch.stack([1 - prob, prob], dim=-1)
            yield Check(name, f"{tag}patch_prob_{key}", largest(pair, data[f"patch_prob_{key}"][:, 1:]), PROBABILITY)
        if f"similarity_map_{key}" in data:
            pair = have["similarity_map"][:, index].movedim(1, -1)  # (B, S, S, 2)
            yield Check(name, f"{tag}similarity_map_{key}", largest(pair, data[f"similarity_map_{key}"]), PROBABILITY)


def intermediates(model: Model, data: Files) -> Iterator[Check]:
    """Compare the output of every block of both towers, and the position table after its resize."""
    name, vision = model.fixture.name, model.backbone.vision
    assert isinstance(vision, OpenClipVision)
    depth, every = vision.depth, tuple(range(1, vision.depth + 1))
    learner = model.learner(half=True)
    with torch.no_grad():
        tokens = vision.tokens(model.image)  # (B, 1 + N, W)
        _, local = two_streams(tokens, vision.blocks(), model.fixture.vv_blocks, every)
        _, ordinary = two_streams(tokens, vision.blocks(), 0, every)
        text = list(learner.text.block_outputs(learner.embeddings(), learner.insert))
    have: dict[str, Tensor] = {"positional_embedding_after": vision.position, "vis_ln_pre": tokens}
    for block in every:
        dual = block > depth - model.fixture.vv_blocks
        have[f"vis_block{block:02d}_{'ori' if dual else 'plain'}"] = ordinary[block]
        if dual:
            have[f"vis_block{block:02d}_vv"] = local[block]
    have |= {f"txt_block{index:02d}": value for index, value in enumerate(text, start=1)}
    for quantity, want in data.items():
        if quantity not in have:
            yield Check(name, quantity, float("inf"), RAW, "not computed")
        else:
            scale = magnitude(want)
            yield Check(name, quantity, largest(have[quantity].detach(), want, scale), RAW)


def no_half(model: Model, data: Files) -> Iterator[Check]:
    """Compare the pure float32 form: key outputs and training."""
    yield from inference(model, data, half=False, tag="nohalf ")
    yield from training(model, data, half=False, tag="nohalf")


def double(model: Model, data: Files) -> Iterator[Check]:
    """Compare inference with the float64 run of the reference."""
    found = {name.removeprefix("infer."): value for name, value in data.items() if name.startswith("infer.")}
    yield from inference(model, found, half=True, tag="fp64 ")


def checkpoint(model: Model) -> Iterator[Check]:
    """Import the reference's checkpoint and compare its values and the text features it gives."""
    name = model.fixture.name
    prompt = convert(model.fixture.path("prompt_learner.pth"))
    wanted = {ours(n): v.reshape(v.shape[-2:]) for n, v in prompts(model.inputs).items()}
    yield Check(name, "checkpoint tensors missing or surplus", len(set(wanted) ^ set(prompt.learned)), 0.0)
    for key in sorted(set(wanted) & set(prompt.learned)):
        yield Check(name, f"checkpoint {key}", largest(prompt.learned[key], wanted[key]), 0.0)
    learner = PromptLearner(model.backbone.text_tower(), prompt.settings, half_compat=True).load(prompt.learned)
    with torch.no_grad():
        have, want = learner(), model.learner(half=True)()
    yield Check(name, "checkpoint text_features_raw", largest(have, want), RAW)
