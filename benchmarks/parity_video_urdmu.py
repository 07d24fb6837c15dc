"""UR-DMU against its fixtures: scores, memories, losses with and without dropout, steps; see ``parity_video.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.parity_checks import Check, Files, largest, relative
from benchmarks.parity_video_set import Set, compare, gradients, parameters
from zsad.video.learned.config import Config, Context, Head, Loss, Temporal
from zsad.video.weak.distance import distance_weights
from zsad.video.weak.losses import Terms, total
from zsad.video.weak.losses_memory import divergence, memory, weighed
from zsad.video.weak.memories import Memories, Pairs, crop_mean
from zsad.video.weak.model import WeakModel
from zsad.video.weak.published import URDMU, renamed

WHERE = "urdmu"
NAMES = {
    "att_loss": "video", "N_Aatt": "abnormal_in_normal", "A_loss": "abnormal", "N_loss": "normal",
    "A_Nloss": "normal_in_abnormal", "triplet": "triplet", "kl_loss": "latent", "distance": "distance",
}  # fmt: skip
"""The fixtures' names of the terms, and ours."""


def config_of(c: dict[str, Any]) -> Config:
    """Return the configuration of a set of sizes."""
    return Config(
        width=int(c["input_size"]),
        compat=True,
        temporal=Temporal(
            "distance",
            layers=int(c["depth"]),
            heads=int(c["heads"]),
            head_width=int(c["dim_head"]),
            hidden=int(c["mlp_dim"]),
            width=int(c["dim"]),
            dropout=float(c["dropout"]),
        ),
        context=Context("memories", slots=int(c["a_nums"])),
        head=Head("memory", hidden=int(c.get("cls_hidden", 128))),
        loss=Loss("memory"),
    )


def ours(name: str) -> str:
    """Return this project's name of a published parameter."""
    return next(iter(renamed("fixture", {name: None}, URDMU)))


def model_of(config: Config, weights: dict[str, Tensor]) -> WeakModel:
    """Build the model with published weights."""
    model = WeakModel(config)
    own = renamed("fixture", weights, URDMU)
    context = model.context
    assert isinstance(context, Memories)
    for memory_, name in ((context.abnormal, "abnormal"), (context.normal, "normal")):
        memory_.slots = nn.Parameter(torch.empty_like(own[f"context.{name}.slots"]))  # the two may differ in size
    model.load_state_dict(own)
    return model


def urdmu(data: Set) -> Iterator[Check]:
    """Compare everything of UR-DMU."""
    settings, weights = data.config["urdmu"], data.weights("urdmu_weights.safetensors")
    config, inputs, want = config_of(settings), data.arrays("urdmu_inputs.npz"), data.arrays("urdmu_outputs.npz")
    yield from _eval(model_of(config, weights).eval(), inputs, want)
    for mode in ("nodrop", "drop"):
        yield from _training(model_of(config, weights), mode, settings, inputs, want)
    yield from _crops(model_of(config, weights).eval(), settings, inputs, want)
    yield from _quirks(model_of(config, weights).eval(), inputs, want)


def _eval(model: WeakModel, inputs: Files, want: Files) -> Iterator[Check]:
    x = torch.from_numpy(inputs["x"])
    valid = torch.ones(x.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        y = model.temporal(x, valid)
        have = {"eval.embed": model.temporal.embed(x, valid), "eval.selfatt": y}
        for name, part in (("Amemory", model.context.abnormal), ("Nmemory", model.context.normal)):
            have[f"eval.{name}_att"], have[f"eval.{name}_aug"] = part(y)
        frame = torch.sigmoid(model(x).logits)
        crops = torch.from_numpy(inputs["x_crops"])
        flat = torch.sigmoid(model(crops.flatten(0, 1)).logits)
    yield from compare(WHERE, have, want, 2e-5)
    averaged = crop_mean(flat, crops.shape[1])
    yield from compare(WHERE, {"eval.frame": frame, "eval.frame_crops": averaged}, want, 2e-6)
    for key, compat in (("distance_attention_9", True), ("distance_attention_9_row_normalised", False)):
        if key in want:
            seen = torch.ones(1, len(want[key]), dtype=torch.bool)
            yield Check(WHERE, key, largest(distance_weights(seen, x, compat=compat)[0], want[key]), 1e-6)


def _forward(model: WeakModel, x: Tensor, noise: Tensor, crops: int = 1) -> tuple[Terms, Tensor, Pairs]:
    """Return the terms, the frames' scores and what the memories read."""
    y = model.temporal(x, torch.ones(x.shape[:2], dtype=torch.bool))
    pairs = model.context.pairs(y, crops, noise)
    frames = crop_mean(torch.sigmoid(model.head(pairs.rows, torch.empty(0)).logits), crops)
    return memory(frames, pairs, compat=True), frames, pairs


def _listed(terms: Terms, order: list[str]) -> Tensor:
    every = {name: terms[own] for name, own in NAMES.items()} | {"total_loss": total(weighed(terms))}
    return torch.stack([every[name] for name in order])


class Recorded(nn.Module):
    """Dropout with recorded masks, in calling order."""

    def __init__(self, masks: list[Tensor], share: float) -> None:
        super().__init__()
        self.masks, self.share = masks, share

    def forward(self, x: Tensor) -> Tensor:
        """Leave out what the next mask says."""
        return x * self.masks.pop(0) / (1 - self.share)


def _with_masks(model: WeakModel, masks: list[Tensor], share: float) -> None:
    recorded = Recorded(masks, share) if masks else nn.Identity()
    for layer in model.temporal.layers:
        layer.dropout = recorded
        layer.mlp[2] = layer.mlp[4] = recorded


def _training(model: WeakModel, mode: str, settings: dict[str, Any], inputs: Files, want: Files) -> Iterator[Check]:
    x = torch.from_numpy(inputs["x"])
    optimiser = torch.optim.Adam(model.parameters(), lr=settings["lr"], weight_decay=settings["weight_decay"])
    steps = sum(key.startswith(f"{mode}.") and key.endswith("_loss") and ".step" in key for key in want)
    for step in range(steps):
        names = sorted(k for k in inputs if k.startswith(f"{mode}.step{step}_mask"))
        _with_masks(model, [torch.from_numpy(inputs[n]).float() for n in names], settings["dropout"])
        terms, frames, pairs = _forward(model, x, torch.from_numpy(inputs[f"{mode}.step{step}_eps"]))
        key = f"{mode}.step{step}_loss"
        have = _listed(terms, settings["loss_order"])
        yield Check(WHERE, f"{key} (relative)", relative(have.detach(), want[key]), 1e-5)
        if step == 0:
            yield from _telling(mode, terms, frames, pairs, want)
        optimiser.zero_grad(set_to_none=True)
        total(weighed(terms)).backward()  # type: ignore[no-untyped-call]
        yield from gradients(WHERE, f"{mode}.step{step}_grad.", model, want, ours, 5e-5)
        optimiser.step()
        yield from parameters(WHERE, f"{mode}.step{step + 1}_param.", model, want, ours, lambda _: 2e-5)


def _telling(mode: str, terms: Terms, frames: Tensor, pairs: Pairs, want: Files) -> Iterator[Check]:
    """Compare what the first forward pass gives besides its losses."""
    have = {"frame": frames, "A_att": pairs.aa, "N_att": pairs.nn, "A_Natt": pairs.na, "N_Aatt": pairs.an}
    yield from compare(WHERE, {f"{mode}.{key}": value for key, value in have.items()}, want, 2e-5)
    for key, own in (("triplet_margin", "triplet"), ("kl_loss", "latent"), ("distance", "distance")):
        target = want[f"{mode}.{key}"]
        yield Check(WHERE, f"{mode}.{key} (relative)", relative(terms[own].detach(), target), 1e-5)


def _crops(model: WeakModel, settings: dict[str, Any], inputs: Files, want: Files) -> Iterator[Check]:
    x = torch.from_numpy(inputs["x_crops"])  # (2 b, n, T, F)
    with torch.no_grad():
        terms, frames, pairs = _forward(model, x.flatten(0, 1), torch.from_numpy(inputs["crops.eps"]), x.shape[1])
    have = _listed(terms, settings["loss_order"])
    yield Check(WHERE, "crops.loss (relative)", relative(have, want["crops.loss"]), 1e-5)
    yield from _telling("crops", terms, frames, pairs, want)


def _quirks(model: WeakModel, inputs: Files, want: Files) -> Iterator[Check]:
    x = torch.from_numpy(inputs["x"])
    with torch.no_grad():
        _, _, pairs = _forward(model, x, torch.from_numpy(inputs["nodrop.step0_eps"]))
    for key, compat in (("kl_reference_time_axis", True), ("kl_correct_latent_axis", False)):
        have = divergence(pairs.mean, pairs.log_variance, compat=compat)
        yield Check(WHERE, f"{key} (relative)", relative(have, want[key]), 1e-5)
