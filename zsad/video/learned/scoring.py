"""Features of any length scored in blocks: the memory that it takes does not grow with the video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zsad.errors import InputError
from zsad.types import FloatArray
from zsad.video.learned.card import VideoCard
from zsad.video.sampling import blocks, padded
from zsad.video.series import ScoreSeries

TOGETHER = 8
"""Blocks that are scored at once."""


class Network(Protocol):
    """What scores blocks: torch or ONNX."""

    @property
    def card(self) -> VideoCard:
        """What it reads and knows."""

    def begin(self) -> None:
        """Forget the video before."""

    def run(self, x: FloatArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Score blocks of one video, in order.

        Args:
            x: ``(B, T, D)`` or ``(B, T, Q, D)``, rows of 0 behind each block's own.
            lengths: rows of each block.

        Returns:
            Scores in [0, 1] ``(B, T')`` and of the anomalous classes ``(B, T', C)``; T' is T, or counts clips.
        """


@dataclass(frozen=True)
class Scores:
    """Scores of a video's features.

    Attributes:
        values: ``(P,)``, in [0, 1].
        classes: ``(P, C)``, of the anomalous classes; C may be 0.
        rows: ``(P,)`` int64, the row of features that each begins at.
    """

    values: NDArray[np.float64]
    classes: NDArray[np.float64]
    rows: NDArray[np.int64]


def check_features(features: FloatArray, card: VideoCard, where: str) -> None:
    """Refuse features that a model does not read.

    Raises:
        InputError: no rows, another width, form or count of tokens, or numbers that are not finite.
    """
    tokens = card.config.temporal.kind == "queries"
    form = "(T, Q, D) of tokens" if tokens else "(T, D)"
    if features.ndim != (3 if tokens else 2):
        raise InputError(f"{where}: features have {features.ndim} axes, the model reads {form}")
    if not len(features):
        raise InputError(f"{where}: no features; the video has no frames, leave it out")
    if features.shape[-1] != card.config.read:
        backbone = f", of {card.backbone}" if card.backbone else ""
        raise InputError(
            f"{where}: features are {features.shape[-1]} wide, the model reads {card.config.read}{backbone}; "
            "extract them with that backbone"
        )
    if tokens and features.shape[1] != card.config.temporal.tokens:
        raise InputError(
            f"{where}: features have {features.shape[1]} tokens a row, the model reads {card.config.temporal.tokens}; "
            "extract them with as many"
        )
    bad = ~np.isfinite(features).reshape(len(features), -1).all(axis=1)
    if bad.any():
        raise InputError(f"{where}: row {int(bad.argmax())} holds a number that is not finite; extract it again")


def score_features(network: Network, features: FloatArray, where: str = "features") -> Scores:
    """Score a video's features.

    Args:
        network: the model.
        features: float ``(T, D)`` or ``(T, Q, D)``; may be mapped from a file.
        where: names them in errors.

    Raises:
        InputError: see :func:`check_features`.
    """
    if not len(features):
        check_features(features, network.card, where)
    size = _at_once(network.card)
    return score_rows(network, (features[at : at + size] for at in range(0, len(features), size)), where)


def score_rows(network: Network, pieces: Iterable[FloatArray], where: str = "features") -> Scores:
    """Score a video's features as they come; no more of them are held than are scored at once.

    Args:
        network: the model.
        pieces: rows that follow each other, ``(n, D)`` or ``(n, Q, D)``, any number at a time.
        where: names them in errors.

    Raises:
        InputError: see :func:`check_features`.
    """
    card = network.card
    length, step = card.config.temporal.length, stride_of(card)
    values, classes, rows, begun = [], [], [], 0
    network.begin()
    for group in _regrouped(pieces, _at_once(card)):
        spans = blocks(len(group), length)
        parts = [np.asarray(group[a:b], np.float32) for a, b in spans]
        for part in parts:
            check_features(part, card, where)
        # What has learned on padded blocks needs them; everything else is scored as long as it is.
        most = length if card.config.compat else max(len(part) for part in parts)
        found, named = network.run(np.stack([padded(part, most) for part in parts]), [len(part) for part in parts])
        for (start, end), score, columns in zip(spans, found, named, strict=True):
            count = -(-(end - start) // step)
            values.append(score[:count])
            classes.append(columns[:count])
            rows.append(np.arange(begun + start, begun + end, step))
        begun += len(group)
    if not begun:
        raise InputError(f"{where}: no features; the video has no frames, leave it out")
    return Scores(
        np.concatenate(values).astype(np.float64), np.concatenate(classes).astype(np.float64), np.concatenate(rows)
    )


def _at_once(card: VideoCard) -> int:
    """Return how many rows are scored at once: one block where banks pass on from block to block."""
    return card.config.temporal.length * (1 if stride_of(card) > 1 else TOGETHER)


def _regrouped(pieces: Iterable[FloatArray], size: int) -> Iterator[FloatArray]:
    """Yield the rows of pieces again, ``size`` at a time and then what is left."""
    waiting: list[FloatArray] = []
    missing = size
    for piece in pieces:
        rest = piece
        while len(rest):
            part, rest = rest[:missing], rest[missing:]
            waiting.append(part)
            missing -= len(part)
            if not missing:
                yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
                waiting, missing = [], size
    if waiting:
        yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)


def stride_of(card: VideoCard) -> int:
    """Return how many rows of features one score stands for: those of a clip, or 1."""
    return card.config.stride


def series_of(
    scores: Scores,
    card: VideoCard,
    positions: NDArray[np.int64],
    timestamps: NDArray[np.float64],
    frames: int,
    fps: float,
    *,
    model: str = "",
    fault: str = "",
) -> ScoreSeries:
    """Return scores as a series.

    Args:
        scores: of features.
        card: the model's.
        positions: ``(T,)``, the frame of every row of features.
        timestamps: ``(T,)``, its seconds.
        frames: of the video.
        fps: its frames per second, 0 where nobody knows.
        model: which one, for people.
        fault: why the video broke off, or ``""``.
    """
    return ScoreSeries(
        scores.values,
        positions[scores.rows],
        timestamps[scores.rows],
        frames,
        fps,
        card.config.preset or card.config.temporal.kind,
        model,
        partial=bool(fault),
        fault=fault,
        classes={name: scores.classes[:, index] for index, name in enumerate(card.anomalous)},
    )
