"""Training steps of one model set against the reference's: losses, gradients, parameters; see ``parity.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.parity_checks import Check, Files, largest, relative
from benchmarks.parity_set import TEMPERATURE, Model, ours
from zsad.training.config import TrainConfig
from zsad.training.heads import Vectors
from zsad.training.loop import losses
from zsad.training.objective import Objective, Targets, Weights
from zsad.training.supply import FeatureBatch

# Tolerances from the fixtures' own README: float32 against float64, with a margin.
LOSS = 1e-5  # relative
PIXEL_TERMS = ("focal", "dice_anomalous", "dice_normal")
CONTEXT_GRADIENT, HALF_GRADIENT = 5e-5, 2e-3  # of the largest gradient
STEP, HALF_STEP = 2e-6, 5e-5


def training(model: Model, data: Files, *, half: bool, tag: str, last_only: bool = False) -> Iterator[Check]:
    """Repeat three Adam steps on the fixed batch: losses before each, gradients, and parameters after."""
    name, learner = model.fixture.name, model.learner(half=half)
    patches = model.patches[:, -1:] if last_only else model.patches
    batch, config = _batch(model, patches), TrainConfig(temperature=TEMPERATURE)
    count, objective = len(batch.index), Objective(model.backbone.image_size, model.backbone.grid)
    weights = Weights(count, count)
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-3, betas=(0.5, 0.999))
    parameters = dict(learner.named_parameters())
    steps = 1 + max(int(key[4]) for key in data if key.startswith("step"))
    for step in range(steps):
        unit = F.normalize(learner(), dim=-1)  # (2, D)
        layers = patches.shape[1]
        vectors = Vectors(unit, unit.expand(layers, -1, -1), torch.full((layers,), 1 / layers))
        total, terms = losses(vectors, batch, objective, weights, config)
        values = {
            "image_loss": terms["image"],
            "focal_dice1_dice0": _by_layer(vectors, batch, objective),
            "pixel_loss_times_lam": weights.pixel * torch.stack([terms[name] for name in PIXEL_TERMS]).sum(),
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


def _batch(model: Model, patches: torch.Tensor) -> FeatureBatch:
    """Return the fixed batch as training sees it: unit features, and a mask for every image."""
    unit, count = F.normalize(patches, dim=-1), len(model.label)
    targets = Targets(model.label.float(), model.mask > 0.5, torch.ones(count, dtype=torch.bool))
    return FeatureBatch(list(range(count)), F.normalize(model.cls, dim=-1), unit.transpose(0, 1), targets)


def _by_layer(vectors: Vectors, batch: FeatureBatch, objective: Objective) -> torch.Tensor:
    """Return the pixel terms of each layer apart ``(L, 3)``; the loss itself gives their sums."""
    pixel = (vectors.pixel[:, 1] - vectors.pixel[:, 0]) / TEMPERATURE  # (L, D)
    prob = torch.sigmoid(torch.einsum("lbnd,ld->lbn", batch.patches, pixel))  # (L, B, N)
    parts = objective.pixel(prob.reshape(*prob.shape[:2], objective.grid, objective.grid), batch.targets.mask)
    return torch.stack([parts[name].mean(1) for name in PIXEL_TERMS], dim=1)


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
