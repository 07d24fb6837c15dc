"""How important each moment of a video is for sentences about it, and the frames chosen by it or by events: CUVA."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Span = tuple[float, float]
WEIGHTS = (0.5, 0.4, 0.3, 0.2)
"""Of the sentences, in their order."""
THRESHOLD = 0.35
"""Of peaks, which belongs to the cosine form of the curve."""
_EVERY = 30
_PLACES = (0.17, 0.33, 0.5, 0.67, 0.83)


def importance(images: ArrayLike, texts: ArrayLike, weights: Sequence[float] = WEIGHTS) -> Floats:
    """Return the importance of each frame, (T,).

    Args:
        images: (T, D) vectors of frames.
        texts: (K, D) vectors of key sentences, the most important first, at most as many as ``weights``.
        weights: of the sentences.

    Source: CUVA (CVPR 2024), the curve of its metric: softmax over the sentences of 100 times the cosine, each
    sentence's row of length 1 over time, weighted and summed.
    """
    logits = 100 * _cosines(texts, images)
    shares = np.exp(logits - logits.max(axis=0))
    shares /= shares.sum(axis=0)
    return _weighted(shares / np.linalg.norm(shares, axis=1, keepdims=True), weights)


def importance_by_cosine(images: ArrayLike, texts: ArrayLike, weights: Sequence[float] = WEIGHTS) -> Floats:
    """Return the other published form of :func:`importance`: weighted cosines, summed."""
    return _weighted(_cosines(texts, images), weights)


def _cosines(texts: ArrayLike, images: ArrayLike) -> Floats:
    first, second = (np.asarray(one, np.float64) for one in (texts, images))
    first, second = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (first, second))
    found: Floats = first @ second.T
    return found


def _weighted(rows: Floats, weights: Sequence[float]) -> Floats:
    found: Floats = np.asarray(weights[: len(rows)], np.float64) @ rows
    return found


def peaks(values: ArrayLike, threshold: float = THRESHOLD) -> list[int]:
    """Return the local maxima above a threshold; of a plateau, its middle.

    >>> peaks([0.5, 0.5, 0.7, 0.7, 0.4])
    [2]
    """
    found, start = [], 0
    runs = [(value, len(list(same))) for value, same in groupby(np.asarray(values, np.float64).tolist())]
    for i, (value, length) in enumerate(runs):
        left = runs[i - 1][0] if i else -np.inf
        right = runs[i + 1][0] if i + 1 < len(runs) else -np.inf
        if value > max(left, right, threshold):
            found.append(start + (length - 1) // 2)
        start += length
    return found


def coarse_frames(n_frames: int) -> list[int]:
    """Return every 30th frame, from 30 on."""
    return list(range(_EVERY, n_frames, _EVERY))


def fine_frames(n_frames: int, at: Sequence[int], *, within: bool = True) -> list[int]:
    """Return the coarse frames with ten more about each peak.

    Args:
        n_frames: of the video.
        at: peaks, as indices of coarse frames.
        within: leave out frames past the end by taking the last one; without it as published.
    """
    found = set(coarse_frames(n_frames))
    for peak in at:
        middle = (peak + 1) * _EVERY
        found |= {int(place) for place in np.linspace(middle - _EVERY, min(middle + _EVERY, n_frames), 10)}
    return sorted({min(frame, n_frames - 1) for frame in found} if within else found)


def uniform(n_frames: int, count: int) -> list[int]:
    """Return the middles of ``count`` equal parts of a video, not more than it has frames; rounding may repeat one.

    >>> uniform(101, 4)
    [12, 37, 62, 87]
    """
    count = min(count, n_frames)
    part = (n_frames - 1) / count if count else 0.0
    return [(round(part * k) + round(part * (k + 1))) // 2 for k in range(count)]


def moment_frames(moments: Sequence[Span], fps: float) -> list[tuple[int, int]]:
    """Return moments in seconds as frames, rounded."""
    return [(round(start * fps), round(end * fps)) for start, end in moments]


def inside_points(spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return five frames inside of each span, ascending, each once."""
    return sorted({round(a * (1 - share) + b * share) for a, b in spans for share in _PLACES})


def moments_replaced(n_frames: int, spans: Sequence[tuple[int, int]], count: int, seed: int = 0) -> list[int]:
    """Return an even choice of frames, where five of each span take the place of as many outside of all spans.

    Args:
        n_frames: of the video.
        spans: in frames.
        count: frames of the even choice; there are more in the end where too few lie outside.
        seed: of the choice of those that go.
    """
    base = uniform(n_frames, count)
    added = {frame for frame in inside_points(spans) if frame < n_frames} - set(base)
    pool = outside(base, spans)
    gone = set(random.Random(seed).sample(pool, min(len(added), len(pool))))
    return sorted((set(base) - gone) | added)


def outside(frames: Sequence[int], spans: Sequence[tuple[int, int]]) -> list[int]:
    """Return the frames that lie in none of the spans, whose ends belong to them."""
    return [frame for frame in frames if not any(a <= frame <= b for a, b in spans)]


def moments_added(n_frames: int, fps: float, moments: Sequence[tuple[int, int]], count: int) -> list[int]:
    """Return an even choice of frames with two more for each second of the moments, each once.

    Args:
        n_frames: of the video.
        fps: frames per second.
        moments: in whole seconds.
        count: frames of the even choice.
    """
    more = {
        round(second * fps) + round(share * fps)
        for start, end in moments
        for second in range(start, end)
        for share in (0.3, 0.6)
    }
    return sorted(set(uniform(n_frames, count)) | {frame for frame in more if frame < n_frames})


def spans_iou(first: Sequence[Span], second: Sequence[Span]) -> float:
    """Return the intersection over union of two sets of spans, each joined first; 0 where both are empty.

    >>> spans_iou([(0, 4), (8, 10)], [(2, 9)])
    0.3
    """
    edges = sorted({edge for span in (*first, *second) for edge in span})
    both = either = 0.0
    for start, end in pairwise(edges):
        covered = [any(a <= start and end <= b for a, b in spans) for spans in (first, second)]
        both += (end - start) * all(covered)
        either += (end - start) * any(covered)
    return both / either if either else 0.0


def best_quarters(ranking: Sequence[int], n_frames: int = 32) -> list[list[int]]:
    """Return the frames of the two quarters that a ranking of 1 to 4 begins with, in the order of time.

    >>> best_quarters([3, 1, 2, 4], 8)
    [[0, 1], [4, 5]]
    """
    size = n_frames // 4
    return [list(range((quarter - 1) * size, quarter * size)) for quarter in sorted(ranking[:2])]
