"""What is near to what: captions to frames, summaries to windows, and scores made better by their like."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NEIGHBOURS = 10
"""Summaries that a score is made of, by default."""


def unit(vectors: ArrayLike) -> Floats:
    """Return vectors ``(..., D)`` of length 1, float64; one of zeros stays.

    >>> unit([[3.0, 4.0], [0.0, 0.0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    found = np.asarray(vectors, np.float64)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    return np.asarray(np.divide(found, length, out=np.zeros_like(found), where=length > 0), np.float64)


def mean_unit(vectors: ArrayLike) -> Floats:
    """Return the mean of vectors ``(N, D)`` of length 1 each, of length 1 again, (D,)."""
    return unit(unit(vectors).mean(axis=0))


def distinct(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """Return the texts without repeats, in order, and for each the index at which it stands first.

    >>> distinct(["a", "b", "a"])
    (['a', 'b'], array([0, 1]))
    """
    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        first.setdefault(text, i)
    return list(first), np.array(list(first.values()), np.int64)


def nearest_caption(frames: ArrayLike, captions: ArrayLike) -> Ints:
    """Return for each frame the caption of largest cosine, (F,) int64.

    Args:
        frames: (F, D) embeddings of frames.
        captions: (C, D) embeddings of the video's captions, without repeats.

    Source: LAVAD (CVPR 2024), cleaning of captions by an image-text model.
    """
    return np.asarray((unit(frames) @ unit(captions).T).argmax(axis=1), np.int64)


def neighbours(similarity: ArrayLike, count: int = NEIGHBOURS) -> tuple[Ints, Floats]:
    """Return the largest similarities of each row, largest first: their columns and values, (R, K) each.

    Of equal ones the earlier column comes first; fewer columns than ``count`` are all taken.
    """
    found = np.asarray(similarity, np.float64)
    order = np.argsort(-found, axis=1, kind="stable")[:, : min(count, found.shape[1])]
    return order.astype(np.int64), np.take_along_axis(found, order, axis=1)


def softmax_mean(similarity: ArrayLike, scores: ArrayLike, temperature: float = 1.0) -> Floats:
    """Return the mean of scores, each weighted by the softmax of its similarity, over the last axis.

    Source: LAVAD (CVPR 2024), refinement of scores.

    >>> float(softmax_mean([0.3, 0.28, 0.1], [0.9, 0.2, 0.1]).round(5))
    0.42084
    """
    logits = np.asarray(similarity, np.float64) / temperature
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray((weights * np.asarray(scores, np.float64)).sum(axis=-1))


def refined_scores(
    clips: ArrayLike, summaries: ArrayLike, first: ArrayLike, scores: ArrayLike, count: int = NEIGHBOURS
) -> Floats:
    """Return each window's score out of the scores of the summaries that are nearest to it, (C,).

    Args:
        clips: (C, D) embeddings of the windows.
        summaries: (S, D) embeddings of the video's summaries, without repeats.
        first: (S,) index of the window that each summary stands for.
        scores: (C,) scores of the windows, none missing.
        count: neighbours.

    Source: LAVAD (CVPR 2024).
    """
    return refined_by(unit(clips) @ unit(summaries).T, first, scores, count)


def refined_by(similarity: ArrayLike, first: ArrayLike, scores: ArrayLike, count: int = NEIGHBOURS) -> Floats:
    """Return what :func:`refined_scores` does, of similarities (C, S) that are there already."""
    columns, values = neighbours(similarity, count)
    told = np.asarray(scores, np.float64)[np.asarray(first, np.int64)]
    return softmax_mean(values, told[columns])


def with_sound(video: ArrayLike, sound: ArrayLike, sounds: ArrayLike, beta: float) -> Floats:
    """Return similarities of windows to summaries, sound mixed in with weight ``beta`` where there is any.

    Args:
        video: (C, S) cosines of windows and summaries.
        sound: (C, S) cosines of the windows' sound and summaries, anything where there is none.
        sounds: (C,) bool, whether a window has sound.
        beta: share of sound, 0 to 1.
    """
    share = np.where(np.asarray(sounds, bool), beta, 0.0)[:, None]
    mixed = (1 - share) * np.asarray(video, np.float64) + share * np.asarray(sound, np.float64)
    return np.asarray(mixed, np.float64)
