"""Comparison of one model set: towers, text, maps, training and checkpoint; see ``parity.py``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from parity_checks import Check, Files, Fixture, Skip, guarded, largest, magnitude, relative
from torch import Tensor

from zsad.anomaly_map import AnomalyHead, anomaly_probability, class_probability, similarity_maps
from zsad.backbone import Backbone, load_backbone
from zsad.backbone.openclip import OpenClipVision
from zsad.backbone.value_attention import two_streams
from zsad.card import ModelCard
from zsad.prompt.bank import LearnerSettings
from zsad.prompt.learner import PromptLearner
from zsad.prompt.published import convert
from zsad.training.losses import image_loss, pixel_losses, total_loss
from zsad.types import PromptVectors

TEMPERATURE = 0.07
LAMBDA = 4.0

# Tolerances from the fixtures' own README: float32 against float64, with a margin.
RAW, UNIT, PROBABILITY, MAP = 2e-5, 2e-6, 1e-5, 2e-5
LOSS = 1e-5  # relative
CONTEXT_GRADIENT, HALF_GRADIENT = 5e-5, 2e-3  # of the largest gradient
STEP, HALF_STEP = 2e-6, 5e-5


class Model:
    """A set's backbone, inputs and prompts, built through the project's own loaders."""

    def __init__(self, fixture: Fixture) -> None:
        self.fixture = fixture
        self.inputs = fixture.arrays("inputs.npz")
        self.backbone = self._backbone()
        self.image = torch.from_numpy(self.inputs["image"])
        self.mask = torch.from_numpy(self.inputs["mask"])
        self.label = torch.from_numpy(self.inputs["label"])
        with torch.no_grad():
            self.cls, self.patches = self.backbone(self.image)  # (B, D), (B, L, N, D)

    def _backbone(self) -> Backbone:
        """Load the set's state dict, completed by its token table, as a user would load a file."""
        from safetensors.torch import load_file, save_file

        fixture, config = self.fixture, self.fixture.config
        weights = load_file(fixture.path("clip_weights.safetensors"))
        weights["token_embedding.weight"] = torch.from_numpy(token_table(config, self.inputs))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.safetensors"
            save_file({name: value.contiguous() for name, value in weights.items()}, path)
            return load_backbone(
                str(path), image_size=int(config["img"]), vv_blocks=fixture.vv_blocks, layers=fixture.layers
            )

    def learner(self, *, half: bool) -> PromptLearner:
        """Return the set's prompts before training."""
        config = self.fixture.config
        settings = LearnerSettings(
            context=int(config["n_ctx"]), depth=int(config["depth"]), deep_length=int(config["t_n_ctx"])
        )
        learner = PromptLearner(self.backbone.text_tower(), settings, half_compat=half)
        values = {ours(name): value for name, value in prompts(self.inputs).items()}
        return learner.load({name: value.reshape(value.shape[-2:]) for name, value in values.items()})

    def card(self) -> ModelCard:
        """Return the card of the published reading with this set's sizes."""
        return self.backbone.card(sigma=float(self.fixture.config["sigma"]), temperature=TEMPERATURE)


def drawn_table(config: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Draw the token table of a set from its seed, float32 ``(49408, W)``."""
    generator = np.random.default_rng([int(config["seed"]), 1])
    return generator.standard_normal((49408, int(config["tw"])), dtype=np.float32) * np.float32(0.02)


def token_table(config: dict[str, Any], inputs: Files) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the token table; where another numpy draws otherwise, only the rows that are read."""
    width, table = int(config["tw"]), drawn_table(config)
    if hashlib.sha256(table.tobytes()).hexdigest() != str(inputs["token_embedding_sha256"]):
        table = np.zeros((49408, width), dtype=np.float32)
        table[inputs["token_ids"]] = inputs["token_embedding_rows"]
    return table


def prompts(inputs: Files) -> Files:
    """Return the learned prompts by their published names."""
    learned = ("ctx_pos", "ctx_neg", "compound_prompts_text.")
    short = {name.removeprefix("prompt."): value for name, value in inputs.items() if name.startswith("prompt.")}
    return {name: value for name, value in short.items() if name.startswith(learned)}


def ours(name: str) -> str:
    """Return this project's name of a published parameter."""
    plain = {"ctx_pos": "context_normal", "ctx_neg": "context_anomalous"}
    return plain.get(name) or name.replace("compound_prompts_text", "deep")


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
        maps = similarity_maps(model.patches, each, model.backbone.image_size)  # (B, L, 2, S, S)
        vectors = PromptVectors.shared(unit.numpy(), len(layers))
        smooth, score = AnomalyHead(model.card(), vectors)(model.cls, model.patches)
        last = model.backbone.configured(layers=layers[-1:])
        last_card = last.card(sigma=float(model.fixture.config["sigma"]))
        last_smooth, _ = AnomalyHead(last_card, PromptVectors.shared(unit.numpy(), 1))(model.cls, model.patches[:, -1:])
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
        "patch_prob": anomaly_probability(model.patches, each),  # (B, L, N)
        "similarity_map": maps,
        "anomaly_map_raw": maps[:, :, 1].sum(dim=1),
        "anomaly_map": smooth * len(layers),  # the published map is the sum, ours the mean
        "anomaly_map_raw_lastonly": maps[:, -1, 1],
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


def training(model: Model, data: Files, *, half: bool, tag: str, last_only: bool = False) -> Iterator[Check]:
    """Repeat three Adam steps on the fixed batch: losses before each, gradients, and parameters after."""
    name, learner = model.fixture.name, model.learner(half=half)
    patches = model.patches[:, -1:] if last_only else model.patches
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-3, betas=(0.5, 0.999))
    parameters = dict(learner.named_parameters())
    steps = 1 + max(int(key[4]) for key in data if key.startswith("step"))
    for step in range(steps):
        unit = F.normalize(learner(), dim=-1)  # (2, D)
        direction = (unit[1] - unit[0]) / TEMPERATURE
        maps = similarity_maps(patches, direction.expand(patches.shape[1], -1), model.backbone.image_size)
        pixel, image = pixel_losses(maps, model.mask), image_loss(model.cls, direction, model.label)
        total = total_loss(pixel, image, LAMBDA)
        values = {
            "image_loss": image,
            "focal_dice1_dice0": pixel,
            "pixel_loss_times_lam": LAMBDA * pixel.sum(),
            "total_loss": total,
        }
        for quantity, value in values.items():
            want = data.get(f"step{step}_{quantity}")
            if want is not None:
                error = relative(value.detach(), want)
                yield Check(name, f"{tag} step {step} {quantity} (relative)", error, LOSS)
        if step == steps - 1:
            break
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        yield from _compare(name, f"{tag} step {step} gradient", data, f"step{step}_grad.", parameters, half, True)
        if step == 0:
            yield from _without_gradient(model, parameters, tag)
        optimiser.step()
        yield from _compare(name, f"{tag} step {step + 1} parameter", data, f"step{step + 1}_param.", parameters, half)


def _compare(
    where: str, tag: str, data: Files, prefix: str, parameters: dict[str, Any], half: bool, gradient: bool = False
) -> Iterator[Check]:
    """Compare gradients (of the largest) or parameters with a step's, the contexts and the deep prompts apart."""
    worst = {"context": 0.0, "deep": 0.0}
    seen = set()
    for key, want in data.items():
        if not key.startswith(prefix):
            continue
        name = ours(key.removeprefix(prefix))
        if name not in parameters:
            continue  # dead layers of the reference
        value = parameters[name].grad if gradient else parameters[name]
        have = np.zeros_like(want) if value is None else value.detach().numpy().reshape(want.shape)
        kind = name.split(".")[0].split("_")[0]
        scale = float(np.abs(want).max()) or 1.0 if gradient else 1.0
        worst[kind] = max(worst[kind], largest(have, want, scale))
        seen.add(kind)
    if gradient:
        tolerances = {"context": CONTEXT_GRADIENT, "deep": HALF_GRADIENT if half else CONTEXT_GRADIENT}
    else:
        tolerances = {"context": STEP, "deep": HALF_STEP if half else STEP}
    for kind in sorted(seen):
        yield Check(where, f"{tag} {kind}{' (of largest)' if gradient else ''}", worst[kind], tolerances[kind])


def _without_gradient(model: Model, parameters: dict[str, Any], tag: str) -> Iterator[Check]:
    """Check that prompts deeper than the text tower stay without a gradient, and no others."""
    listed = {ours(name) for name in model.fixture.config.get("params_without_grad", [])} & set(parameters)
    have = {name for name, value in parameters.items() if value.grad is None or not bool(value.grad.any())}
    yield Check(model.fixture.name, f"{tag} prompts without gradient that differ", len(listed ^ have), 0.0)


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
