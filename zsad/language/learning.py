"""VERA's verbalised learning: a learner answers guiding questions, an optimiser rewrites them, the best ones are kept.

Source: VERA (CVPR 2025); the state machine is ours: validation before the first step, every so many steps over all
epochs, and after the last; a tie keeps the earlier questions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from zsad.language.parse import Parsed

Questions = tuple[str, ...]


class Labelled(NamedTuple):
    """A video of a list: what stands for it, and whether it is anomalous (1) or not (0)."""

    video: str
    label: int


@dataclass(frozen=True)
class Settings:
    """How the questions are learned.

    Attributes:
        epochs: times that the training list is gone through.
        batch_size: videos that the optimiser sees at once.
        validate_every: steps from one validation to the next.
        most: questions, at most.
        seed: of the order of the training list.
    """

    epochs: int = 10
    batch_size: int = 2
    validate_every: int = 10
    most: int = 5
    seed: int = 8


@dataclass(frozen=True)
class Best:
    """The questions that answered the validation list best.

    Attributes:
        accuracy: 0 to 1; an answer that could not be read counts as wrong.
        step: optimiser's steps before them.
        questions: the questions.
    """

    accuracy: float
    step: int
    questions: Questions


Learner = Callable[[Sequence[str], Questions], list[Parsed[int]]]
"""Answers videos with questions: 0 or 1 each, or None with the reason."""
Optimiser = Callable[[Sequence[str], Questions, Sequence[int | None], Sequence[int]], Parsed[list[str]]]
"""Gives better questions of a batch: its videos, the questions, predictions and targets; None keeps them."""
Report = Callable[[dict[str, Any]], None]


@dataclass
class _State:
    questions: Questions
    best: Best | None = None
    step: int = 0
    log: Report = field(default=lambda event: None)


def batches(train: Sequence[Labelled], settings: Settings) -> list[list[list[Labelled]]]:
    """Return the batches of each epoch: shuffled by the seed, the last of an epoch may be smaller."""
    found = []
    for epoch in range(settings.epochs):
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(train))
        rows = [train[i] for i in order]
        found.append([rows[i : i + settings.batch_size] for i in range(0, len(rows), settings.batch_size)])
    return found


def calls_of(train: int, val: int, settings: Settings) -> tuple[int, int]:
    """Return how many calls of the learner and of the optimiser there are, at most.

    >>> calls_of(6, 5, Settings(epochs=2, validate_every=2))
    (32, 6)
    """
    steps = -(-train // settings.batch_size) * settings.epochs
    validations = 1 + steps // settings.validate_every + (1 if steps % settings.validate_every else 0)
    return val * validations + train * settings.epochs, steps


def learn(
    plan: Sequence[Sequence[Sequence[Labelled]]],
    val: Sequence[Labelled],
    start: Sequence[str],
    learner: Learner,
    optimiser: Optimiser,
    settings: Settings,
    report: Report = lambda event: None,
) -> Best:
    """Learn guiding questions and return the best.

    Args:
        plan: batches by epoch, see :func:`batches`.
        val: the validation list.
        start: first questions.
        learner: answers videos.
        optimiser: rewrites questions.
        settings: how.
        report: told of each answer, each rewriting and each validation.
    """
    state = _State(tuple(start), log=report)
    _validate(state, val, learner)
    for epoch in plan:
        for batch in epoch:
            _step(state, batch, learner, optimiser, settings)
            if state.step % settings.validate_every == 0:
                _validate(state, val, learner)
    if state.step % settings.validate_every:
        _validate(state, val, learner)
    assert state.best is not None
    return state.best


def _answers(state: _State, rows: Sequence[Labelled], learner: Learner) -> list[int | None]:
    found = learner([row.video for row in rows], state.questions)
    for row, answer in zip(rows, found, strict=True):
        state.log({"call": "learner", "video": row.video, "questions": list(state.questions),
                   "parsed": answer.value, "reason": answer.reason})  # fmt: skip
    return [answer.value for answer in found]


def _validate(state: _State, val: Sequence[Labelled], learner: Learner) -> None:
    answers = _answers(state, val, learner)
    right = sum(answer == row.label for answer, row in zip(answers, val, strict=True))
    accuracy = right / len(val) if val else 0.0
    better = state.best is None or accuracy > state.best.accuracy
    if better:
        state.best = Best(accuracy, state.step, state.questions)
    state.log({"call": "validation", "step": state.step, "accuracy": accuracy, "questions": list(state.questions),
               "kept_as_best": better})  # fmt: skip


def _step(state: _State, batch: Sequence[Labelled], learner: Learner, optimiser: Optimiser, settings: Settings) -> None:
    predictions, targets = _answers(state, batch, learner), [row.label for row in batch]
    videos = [row.video for row in batch]
    found = optimiser(videos, state.questions, predictions, targets)
    state.log({"call": "optimizer", "videos": videos, "questions": list(state.questions), "predictions": predictions,
               "targets": targets, "new_questions": found.value, "reason": found.reason})  # fmt: skip
    if found.value:
        state.questions = tuple(found.value[: settings.most])
    state.step += 1
