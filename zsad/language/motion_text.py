"""HAWK's numbers: frames whose motion is shown, how alike two streams are, and phrases of what moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Token = tuple[str, str, str, int]
"""Text, part of speech, relation, and index of the head, as spaCy names them."""
_SUBJECTS, _OBJECTS = ("nsubj", "nsubjpass"), ("dobj", "pobj", "obj")
WEIGHT = 0.1
"""Of the loss of the motion stream, and of the difference of both streams."""


def motion_indices(n_frames: int, count: int = 32) -> list[int]:
    """Return the frames whose motion is shown, at most ``count``; the second frame stands for the first, that has none.

    >>> motion_indices(20, 4), motion_indices(1, 4)
    ([1, 5, 10, 15], [0])
    """
    count = min(count, n_frames)
    found = [k * n_frames // count for k in range(count)]
    return [min(1, n_frames - 1), *found[1:]] if found else []


def inconsistency(video: ArrayLike, motion: ArrayLike, *, per_sample: bool = True) -> float:
    """Return 1 less the cosine of two streams of features.

    Args:
        video: (B, ...).
        motion: the same of the motion frames.
        per_sample: the mean over the batch; without it, of the whole batch as one vector, as published.
    """
    first, second = (np.asarray(one, np.float64) for one in (video, motion))
    rows = len(first) if per_sample else 1
    first, second = first.reshape(rows, -1), second.reshape(rows, -1)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(1 - ((first * second).sum(axis=1) / norms).mean())


def inconsistency_gradient(video: ArrayLike, motion: ArrayLike) -> tuple[Floats, Floats]:
    """Return the gradients of :func:`inconsistency` of the whole batch, for both streams, in their shapes."""
    first, second = (np.asarray(one, np.float64) for one in (video, motion))
    a, b = np.linalg.norm(first), np.linalg.norm(second)
    cosine = (first * second).sum() / (a * b)
    return cosine * first / a**2 - second / (a * b), cosine * second / b**2 - first / (a * b)


def joined_loss(video: float, motion: float, apart: float) -> float:
    """Return the loss of the video stream with a tenth of that of the motion stream and of their difference.

    Source: HAWK (NeurIPS 2024), the total loss of its second stage.
    """
    return video + WEIGHT * motion + WEIGHT * apart


def projected(features: ArrayLike, weights: Mapping[str, NDArray[np.floating]]) -> tuple[Floats, Floats]:
    """Return what is told to the language model, and the compressed features that the streams are compared by.

    Args:
        features: (..., D).
        weights: ``encoder_0``, ``encoder_1`` and ``decoder_2``, each with ``.weight`` (out, in) and ``.bias``.
    """

    def layer(values: Floats, name: str) -> Floats:
        found: Floats = values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        return found

    hidden = layer(np.asarray(features, np.float64), "encoder_0")
    return layer(hidden, "decoder_2"), layer(hidden, "encoder_1")


def motion_phrases(tokens: Sequence[Token]) -> str:
    """Return a phrase for each verb of a parsed sentence: its subjects, itself, its objects.

    Args:
        tokens: of one sentence, from any parser that names relations as spaCy does.

    >>> motion_phrases([("Smoke", "NOUN", "nsubj", 1), ("rises", "VERB", "ROOT", 1)])
    'Smoke rises'
    """
    return ", ".join(
        " ".join(part for part in (_children(tokens, i, _SUBJECTS), text, _children(tokens, i, _OBJECTS)) if part)
        for i, (text, kind, *_) in enumerate(tokens)
        if kind == "VERB"
    )


def _children(tokens: Sequence[Token], head: int, relations: tuple[str, ...]) -> str:
    return " and ".join(
        text for i, (text, _, relation, of) in enumerate(tokens) if of == head and i != head and relation in relations
    )
