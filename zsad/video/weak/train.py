"""Training from video labels: one loop; the best epoch on held-out training videos is kept, never one of a test set."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zsad.errors import ModelError, UsageError
from zsad.files import write_whole
from zsad.metrics.frames import VideoFrames, frame_metrics
from zsad.outside import printable
from zsad.video.learned.card import CARD, LOG, WEIGHTS, VideoCard, read_card
from zsad.video.learned.scoring import score_features
from zsad.video.learned.stored import read_array
from zsad.video.weak.checkpoint import Checkpoint
from zsad.video.weak.data import Sample, batch_of, epoch_steps, pairs
from zsad.video.weak.folder import TorchNetwork, check_place, save_weak
from zsad.video.weak.losses import total
from zsad.video.weak.model import FixedText, WeakModel
from zsad.video.weak.objective import Clicked
from zsad.video.weak.pseudo import Pastes, pasted
from zsad.video.weak.schedule import rate
from zsad.video.weak.stepping import gradients

RUN, STOPPED = "run", "stopped"
"""What a card's ``made_by`` tells: which run it was, and why that ended early."""
OnEpoch = Callable[[dict[str, Any]], None]
"""Told of every epoch's row of the log."""


@dataclass(frozen=True)
class Task:
    """What is learned from what.

    Attributes:
        card: configuration, classes and backbone.
        train: arrays to learn from.
        held: arrays that the epoch is chosen by; empty keeps the last epoch.
        clicks: point supervision.
        pastes: anomalies that are pasted into normal videos.
        phrases: what the phrases' embeddings began as.
        seed: of weights, orders and dropout.
    """

    card: VideoCard
    train: Sequence[Sample]
    held: Sequence[Sample] = ()
    clicks: Clicked = field(default_factory=dict)
    pastes: Pastes = field(default=Pastes())
    phrases: Sequence[str] = ()
    seed: int = 0


def train(
    task: Task, model: WeakModel, out: Path, *, resume: bool = False, on_epoch: OnEpoch = lambda row: None
) -> Path:
    """Train a model and write its folder: weights, card and ``log.jsonl``.

    Args:
        task: what is learned.
        model: as it begins; changed in place.
        out: the folder; while training goes on it holds a checkpoint.
        resume: go on after the last whole epoch of an interrupted run; the outcome is bitwise the same on one thread.
        on_epoch: told of every epoch.

    Returns:
        The folder. Nothing is done where ``resume`` finds that the same run has finished there.

    Raises:
        DatasetError: only normal or only anomalous videos.
        ModelError: the loss is not finite, the checkpoint is damaged or of another run.
        UsageError: a checkpoint is there and it is not gone on with, or there is none to go on with.
        OutputError: something else is there, or the place can't be written.
    """
    recipe = task.card.config.recipe
    optimiser = optimiser_of(model)
    check_place(out)
    place = Checkpoint(out, told_of(task))
    if resume and not place.is_there:
        _refuse_unless_finished(out, place)
        return out
    if place.is_there and not resume:
        raise UsageError(f"{printable(out)}: holds an interrupted training; add --resume to go on with it, "
                         "or choose another --out")  # fmt: skip
    log, best, fault = [], {}, None
    if resume:
        state = place.read(model, optimiser)
        log, best = state.log, state.best
    for epoch in range(len(log), recipe.epochs):
        torch.manual_seed(task.seed * 100_003 + epoch)  # dropout and noise, the same after a resume
        try:
            terms = _epoch(task, model, optimiser, epoch)
        except _NotFiniteError as error:
            fault = str(error)
            break
        row: dict[str, Any] = {"epoch": epoch + 1, **terms, "lr": optimiser.param_groups[0]["lr"]}
        row["held_auc"] = held_auc(model, task.card, task.held)
        if not log or row["held_auc"] is None or row["held_auc"] >= max(r["held_auc"] or 0 for r in log):
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}
        log.append(row)
        place.write(model, optimiser, best, log)
        on_epoch(row)
    if not log:
        raise ModelError(f"{fault}; train with a smaller step")
    model.load_state_dict(best)
    made_by = {**task.card.made_by, RUN: place.run} | ({} if fault is None else {STOPPED: fault})
    save_weak(out, model.eval(), replace(task.card, made_by=made_by))
    write_whole(out / LOG, "".join(f"{json.dumps(row)}\n" for row in log).encode(), synced=True)
    place.remove()
    _refuse_unless_finished(out, place)
    return out


def told_of(task: Task) -> dict[str, Any]:
    """Return what makes two runs the same, as plain values: settings, and all that is learned from."""

    def listed(samples: Sequence[Sample]) -> list[Any]:
        return [[one.path.name, one.name, list(one.classes), one.digest] for one in samples]

    return {
        "card": task.card.to_json(),
        "seed": task.seed,
        "train": listed(task.train),
        "held": listed(task.held),
        "clicks": {name: list(rows) for name, rows in task.clicks.items()},
        "phrases": list(task.phrases),
        "pastes": task.pastes.told(),
    }


def _refuse_unless_finished(out: Path, place: Checkpoint) -> None:
    """Pass where the same run has finished in a folder; else say what is there."""
    made_by = read_card(out / CARD).made_by if (out / CARD).is_file() and (out / WEIGHTS).is_file() else {}
    if not made_by:
        raise UsageError(f"{printable(out)}: holds no training to go on with; leave --resume out")
    if made_by.get(RUN) != place.run:
        raise UsageError(f"{printable(out)}: holds a model of another run; leave --resume out to replace it, "
                         "or choose another --out")  # fmt: skip
    if STOPPED in made_by:
        raise ModelError(f"{made_by[STOPPED]}; {printable(out)} has the best model of the epochs before; "
                         "train with a smaller step")  # fmt: skip


class _NotFiniteError(Exception):
    """Learning has gone wrong: what it computes is not finite."""


def _epoch(task: Task, model: WeakModel, optimiser: torch.optim.Optimizer, epoch: int) -> dict[str, float]:
    """Learn from every pair of batches once; return the mean of every term."""
    model.train()
    sums: dict[str, float] = {}
    steps, per_epoch = 0, epoch_steps(task.train, task.card.config.recipe.batch)
    for samples in pairs(task.train, task.card.config.recipe.batch, (task.seed, epoch)):
        optimiser.zero_grad(set_to_none=True)
        for group in optimiser.param_groups:
            group["lr"] = rate(task.card.config.recipe, epoch * per_epoch + steps, per_epoch)
        terms = gradients(model, batch_of(samples, task.card), task.clicks)
        if task.pastes.clips:
            rng = np.random.default_rng((task.seed, epoch, steps))
            extra = pasted(model, samples, task.pastes, task.card, rng)
            extra.backward()  # type: ignore[no-untyped-call]
            terms["pasted"] = extra.detach()
        loss = total(terms)
        if not bool(torch.isfinite(loss)):
            raise _NotFiniteError(f"the loss of epoch {epoch + 1} is not finite")
        optimiser.step()
        steps += 1
        for name, value in {"loss": loss, **terms}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    if not all(bool(torch.isfinite(value).all()) for value in model.state_dict().values()):
        raise _NotFiniteError(f"weights are not finite after epoch {epoch + 1}")
    return {name: value / steps for name, value in sums.items()}


def optimiser_of(model: WeakModel) -> torch.optim.Optimizer:
    """Return the optimiser that the recipe names."""
    recipe = model.config.recipe
    kind = torch.optim.AdamW if recipe.optimiser == "adamw" else torch.optim.Adam
    betas = (0.9, recipe.beta2)
    return kind(model.parameters(), lr=recipe.lr, betas=betas, weight_decay=recipe.weight_decay)


def held_auc(model: WeakModel, card: VideoCard, held: Sequence[Sample]) -> float | None:
    """Return how well held-out videos are ranked by the mean of their highest sixteenth; None if nobody can know."""
    if len({bool(sample.classes) for sample in held}) < 2:
        return None
    network = evaluated(model, card)
    scores, labels = [], []
    for sample in held:
        values = np.sort(score_features(network, read_array(sample.path, card), str(sample.path)).values)
        scores.append(float(values[-(len(values) // 16 + 1) :].mean()))
        labels.append(bool(sample.classes))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return frame_metrics([VideoFrames.of(np.array(labels), np.array(scores))])["auc"].value


def evaluated(model: WeakModel, card: VideoCard) -> TorchNetwork:
    """Return a model as a network, with its texts computed once."""
    text = model.text
    if text is None:
        return TorchNetwork(model, card)
    with torch.no_grad():
        features: Tensor = text()
    fixed = WeakModel(model.config, FixedText(features))
    rest = {name: value for name, value in model.state_dict().items() if not name.startswith("text.")}
    fixed.load_state_dict(rest | {"text.features": features})
    return TorchNetwork(fixed, card)
