"""The training loop: features x vectors -> loss -> step. Nothing of the frozen towers runs here but the text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zsad.errors import ModelError
from zsad.training import checkpoint
from zsad.training.checkpoint import Progress
from zsad.training.config import TrainConfig
from zsad.training.heads import Head, Vectors
from zsad.training.objective import Objective, Weights
from zsad.training.processes import Processes, gradients
from zsad.training.supply import FeatureBatch, Supply

TERMS = ("image", "focal", "dice_anomalous", "dice_normal")
SAVE_EVERY = 60.0
"""Seconds after which a checkpoint is written inside an epoch, too."""


@dataclass(frozen=True)
class StepRecord:
    """What one step did, as it goes into the log.

    Attributes:
        epoch: 1-based.
        step: 1-based within the epoch.
        steps: steps of the epoch.
        total: steps in all epochs so far.
        loss: what was minimised.
        terms: its parts, before weighting.
        images: images of the step, over all processes.
        seconds: wall-clock time of the step.
    """

    epoch: int
    step: int
    steps: int
    total: int
    loss: float
    terms: dict[str, float]
    images: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """All that the loop works on.

    Attributes:
        head: what is trained.
        adam: its optimiser.
        objective: the loss.
        config: the settings.
        train: examples to learn from.
        held: examples to choose the epoch by, or None.
        processes: who else takes part.
        folder: where checkpoints go.
    """

    head: Head
    adam: torch.optim.Adam
    objective: Objective
    config: TrainConfig
    train: Supply
    held: Supply | None
    processes: Processes
    folder: Path


def optimiser(head: Head, config: TrainConfig) -> torch.optim.Adam:
    """Return Adam over the learned values, as published: no decay, no schedule, no clipping."""
    parameters = list(checkpoint.trained(head).values())
    return torch.optim.Adam(parameters, lr=config.lr, betas=(config.beta1, config.beta2), eps=1e-8)


def fit(
    run: Run, progress: Progress, on_step: Callable[[StepRecord], None], on_epoch: Callable[[Progress, bool], None]
) -> Progress:
    """Train from where ``progress`` stands to the last epoch.

    Args:
        run: what to train on what.
        progress: where to begin; it is brought up to date in place.
        on_step: called after each step.
        on_epoch: called after each epoch, with whether it is the best so far on the held-out part; always
            True without one.

    Returns:
        ``progress``.

    Raises:
        ModelError: the loss is not a number any more; what was trained before is saved.
        DatasetError: no example can be used.
    """
    config, saved = run.config, time.monotonic()
    while progress.epoch < config.epochs and not _patience_is_over(progress, config):
        plan = list(_batches(run.train, progress.epoch, config))
        for rows in plan[progress.step :]:
            record = _step(run, progress, rows, len(plan))
            progress.step, progress.total = progress.step + 1, progress.total + 1
            if record is not None:
                progress.running += record.loss
                on_step(record)
            if time.monotonic() - saved > SAVE_EVERY:
                _save(run, progress)
                saved = time.monotonic()
        progress.losses.append(progress.running / max(1, len(plan)))
        progress.epoch, progress.step, progress.running = progress.epoch + 1, 0, 0.0
        better = _judge(run, progress)
        on_epoch(progress, better)
        _save(run, progress)
    return progress


def _step(run: Run, progress: Progress, rows: list[int], steps: int) -> StepRecord | None:
    """Do one step on the global batch ``rows``; None if none of its images can be used."""
    started = time.perf_counter()
    view = progress.epoch % run.train.views
    batch = run.train.batch(view, run.processes.share(rows))
    weights = _weights(run, batch)
    if weights.images == 0:
        return None
    run.adam.zero_grad()
    numbers = torch.zeros(1 + len(TERMS), device=run.objective.upsample.device)  # loss and terms
    if batch is not None:
        loss, terms = losses(run.head(), batch, run.objective, weights, run.config)
        loss.backward()  # type: ignore[no-untyped-call]
        numbers = torch.stack([loss, *(terms[name] for name in TERMS)]).detach()
    grads = gradients(run.head.parameters())
    run.processes.sum(numbers, *grads)
    loss_value, *values = numbers.tolist()
    if not (np.isfinite(loss_value) and all(bool(g.isfinite().all()) for g in grads)):
        _save(run, progress)
        raise ModelError(
            f"epoch {progress.epoch + 1}, step {progress.step + 1}: the loss is {loss_value}, on "
            f"{', '.join(run.train.names(view, rows))[:300]}; what was trained before is in "
            f"{run.folder / checkpoint.NAME}: go on with a smaller lr (--config) and --resume"
        )
    run.adam.step()
    return StepRecord(
        epoch=progress.epoch + 1,
        step=progress.step + 1,
        steps=steps,
        total=progress.total + 1,
        loss=loss_value,
        terms=dict(zip(TERMS, values, strict=True)),
        images=weights.images,
        seconds=time.perf_counter() - started,
    )


def losses(
    vectors: Vectors, batch: FeatureBatch, objective: Objective, weights: Weights, config: TrainConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compare a batch with its labels and masks.

    Args:
        vectors: what the head gives.
        batch: features of B images.
        objective: the loss.
        weights: sizes of the global batch.
        config: temperature, and whether layer weights are learned.

    Returns:
        ``(total, terms)`` as in :class:`Objective`.
    """
    image = (vectors.image[1] - vectors.image[0]) / config.temperature  # (D,)
    pixel = (vectors.pixel[:, 1] - vectors.pixel[:, 0]) / config.temperature  # (L, D)
    logit = batch.cls @ image  # (B,)
    # One matrix-vector product per layer over all patches of the batch; the features are unit vectors.
    scores = batch.patches.flatten(1, 2) @ pixel[:, :, None]  # (L, B N, 1)
    prob = torch.sigmoid(scores).view(*batch.patches.shape[:3])  # (L, B, N)
    if config.learn_layer_weights and len(prob) > 1:
        # Layer weights are learned through the map that the detector shows, beside each layer's own.
        mixed = (vectors.layers[:, None, None] * prob).sum(0, keepdim=True)  # (1, B, N)
        prob = torch.cat([prob, mixed])
    return objective(logit, prob, batch.targets, weights)


def _batches(train: Supply, epoch: int, config: TrainConfig) -> Iterator[list[int]]:
    """Yield global batches of an epoch; a pure function of seed and epoch, for any number of processes.

    Examples that can't be used keep their places, so that a resumed run has the same batches.
    """
    count = len(train.usable(epoch % train.views)) and train.count
    order = np.random.default_rng([config.seed, epoch]).permutation(count)
    for start in range(0, len(order), config.batch_size):
        yield order[start : start + config.batch_size].tolist()


def _weights(run: Run, batch: FeatureBatch | None) -> Weights:
    counts = torch.tensor([len(batch.index), int(batch.targets.masked.sum())] if batch else [0, 0])
    counts = counts.to(run.objective.upsample.device)
    run.processes.sum(counts)
    images, masked = counts.tolist()
    return Weights(images=images, masked=masked, pixel=run.config.pixel_weight)


def _judge(run: Run, progress: Progress) -> bool:
    """Measure the held-out loss after an epoch; True if it is the lowest so far, or if nothing is held out."""
    if run.held is None:
        return True
    with torch.no_grad():
        vectors = run.head()
        value, count = 0.0, 0
        rows = run.held.usable(0)
        for start in range(0, len(rows), run.config.batch_size):
            batch = run.held.batch(0, rows[start : start + run.config.batch_size])
            if batch is not None:
                weights = Weights(len(batch.index), int(batch.targets.masked.sum()), run.config.pixel_weight)
                loss, _ = losses(vectors, batch, run.objective, weights, run.config)
                value, count = value + float(loss) * len(batch.index), count + len(batch.index)
    if count and (progress.best is None or value / count < progress.best):
        progress.best, progress.best_epoch = value / count, progress.epoch
        return True
    return False


def _patience_is_over(progress: Progress, config: TrainConfig) -> bool:
    return bool(config.patience) and progress.epoch - progress.best_epoch >= config.patience


def _save(run: Run, progress: Progress) -> None:
    if run.processes.first:
        checkpoint.save(run.folder / checkpoint.NAME, run.head, run.adam, progress)
