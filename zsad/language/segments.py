"""VERA's steps from answers of segments to scores of frames: neighbours, smoothing, rounding, place in the video.

Source: VERA (CVPR 2025); what the published code does otherwise is behind ``compat``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsad.language.retrieval import neighbours, softmax_mean, unit

Floats = NDArray[np.float64]
FRACTION, TEMPERATURE, SIZE, SIGMA = 0.15, 0.1, 15, 10.0


def neighbour_count(segments: int, all_up_to: int = 0, fraction: float = FRACTION) -> int:
    """Return how many neighbours a segment has, itself among them: a share of all, or all where that is none.

    Args:
        segments: of the video.
        all_up_to: with at most so many, all are neighbours (the XD-Violence variants have 10 and 4).
        fraction: of all.

    >>> neighbour_count(32), neighbour_count(6)
    (4, 6)
    """
    count = int(fraction * segments)
    return segments if count == 0 or segments <= all_up_to else count


def near_segments(features: ArrayLike, count: int) -> tuple[NDArray[np.int64], Floats]:
    """Return each segment's nearest ones by cosine, itself among them: columns and cosines, (n, count)."""
    vectors = unit(features)
    return neighbours(vectors @ vectors.T, count)


def refined(features: ArrayLike, initial: ArrayLike, count: int | None = None) -> Floats:
    """Return each segment's score as the mean of its neighbours', weighted by the softmax of 10 times the cosine.

    Args:
        features: (n, D) embeddings of the segments.
        initial: (n,) answers 0 and 1, none missing.
        count: neighbours; by :func:`neighbour_count` where it is None.
    """
    scores = np.asarray(initial, np.float64)
    columns, cosines = near_segments(features, neighbour_count(len(scores)) if count is None else count)
    return softmax_mean(cosines, scores[columns], TEMPERATURE)


def kernel(centred: bool = False, size: int = SIZE, sigma: float = SIGMA) -> Floats:
    """Return the weights of the smoothing, (size,), summing to 1.

    Args:
        centred: about their middle; else off by half a step, as published.
        size: how many.
        sigma: width, in steps.
    """
    half = size // 2
    places = np.linspace(-half, half, size) if centred else np.linspace(-half - 1, half, size)
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    return np.asarray(weights / weights.sum())


def smoothed(scores: ArrayLike, *, centred: bool = False, renormalise_edges: bool = False) -> Floats:
    """Return scores smoothed by :func:`kernel`, beyond the ends zeros, (n,).

    Args:
        scores: (n,).
        centred: see :func:`kernel`.
        renormalise_edges: divide by the weights that lie inside, so that the ends are not darkened.
    """
    values, weights = np.asarray(scores, np.float64), kernel(centred)
    half = len(weights) // 2

    def spread(line: Floats) -> Floats:
        return np.convolve(line, weights, mode="full")[half : half + len(line)]

    found = spread(values)
    return found / spread(np.ones_like(values)) if renormalise_edges else found


def smoothed_as_published(scores: ArrayLike) -> Floats:
    """Return what the published code does: with fewer than 15 segments 15 values, shifted; for the record only."""
    return np.asarray(np.convolve(np.asarray(scores, np.float64), kernel(), mode="same"), np.float64)


def rounded(scores: ArrayLike) -> Floats:
    """Return scores rounded to a tenth, halves of the tenfold to even.

    >>> rounded([0.05, 0.25, 0.15, 0.35]).tolist()
    [0.0, 0.2, 0.2, 0.4]
    """
    return np.asarray(np.round(np.asarray(scores, np.float64), 1), np.float64)


def position_weight(n_frames: int) -> Floats:
    """Return how much each frame counts by its place: 1 in the middle, falling to both ends, (n_frames,).

    >>> position_weight(2).round(4).tolist(), position_weight(1).tolist()
    ([0.6065, 1.0], [1.0])
    """
    middle = n_frames // 2
    if middle == 0:
        return np.ones(n_frames)
    return np.asarray(np.exp(-0.5 * ((np.arange(n_frames) - middle) / middle) ** 2), np.float64)


def held_to_end(values: ArrayLike, n_frames: int, interval: int = 16) -> Floats:
    """Return one score per frame: each segment's for its interval, the last one's to the end, (n_frames,)."""
    found = np.asarray(values, np.float64)
    places = np.minimum(np.arange(n_frames) // interval, len(found) - 1)
    return found[places]


def frame_scores(
    features: ArrayLike, initial: ArrayLike, n_frames: int, *, centred: bool = False, interval: int = 16
) -> Floats:
    """Return VERA's scores of frames out of the answers of segments, (n_frames,)."""
    found = rounded(smoothed(refined(features, initial), centred=centred))
    return held_to_end(found, n_frames, interval) * position_weight(n_frames)


def xd_ap_scores(
    features: ArrayLike, initial: ArrayLike, n_frames: int, interval: int = 16, *, compat: bool = False
) -> Floats:
    """Return scores as the published XD-Violence AP has them: segments not rounded, a sigmoid, whole intervals.

    Args:
        features: (n, D) embeddings of the segments.
        initial: (n,) answers.
        n_frames: of the video.
        interval: frames from one segment to the next.
        compat: with fewer than 15 segments, shifted as in the published code.
    """
    count = neighbour_count(len(np.asarray(initial)), all_up_to=4)
    near = refined(features, initial, count)
    line = held_to_end(smoothed_as_published(near)[: len(near)] if compat else smoothed(near), n_frames, interval)
    kept = (n_frames - 1) // interval * interval
    return np.round(1 / (1 + np.exp(-line)), 1)[:kept]
