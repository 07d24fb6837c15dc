"""Which snippets or frames of a video are looked at: means of bins, blocks, and samplers that follow the scores.

All numpy; sums in float64. Sources: VadCLIP's data reader (bins, blocks); Holmes-VAU (density); bins are exact here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zsad.errors import InputError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def bin_edges(length: int, bins: int, *, compat: bool = False) -> Indices:
    """Return the edges ``i * length // bins`` of equal bins, int64 ``(bins + 1,)``.

    With ``compat`` they are truncated from floating point, as published: some lie one lower.

    >>> bin_edges(205, 200)[119:122].tolist(), bin_edges(205, 200, compat=True)[119:122].tolist()
    ([121, 123, 124], [121, 122, 124])
    """
    if compat:
        return np.linspace(0, length, bins + 1).astype(np.int64)
    return np.arange(bins + 1, dtype=np.int64) * length // bins


def bin_means(features: NDArray[np.floating], bins: int, *, compat: bool = False) -> NDArray[np.float32]:
    """Return the mean of every bin, float32 ``(bins, ...)``; an empty bin has the row that it begins at.

    Args:
        features: ``(T, ...)``, T at least 1.
        bins: rows wanted.
        compat: see :func:`bin_edges`.
    """
    edges = bin_edges(len(features), bins, compat=compat)
    rows = [features[a:b].mean(axis=0) if b > a else features[a] for a, b in pairwise(edges)]
    return np.asarray(rows, np.float32)


def bin_picks(features: NDArray[np.floating], rows: int) -> NDArray[np.float32]:
    """Return rows at ``floor(i (T - 1) / (rows - 1))``, float32 ``(rows, ...)``: the ends, and evenly between."""
    last = len(features) - 1
    places = np.arange(rows) * last // max(1, rows - 1)
    return np.asarray(features[places], np.float32)


def padded(features: NDArray[np.floating], rows: int) -> NDArray[np.float32]:
    """Return features with rows of zeros after them, float32 ``(rows, ...)``."""
    out = np.zeros((rows, *features.shape[1:]), np.float32)
    out[: len(features)] = features
    return out


def fitted(features: NDArray[np.floating], rows: int, *, compat: bool = False) -> tuple[NDArray[np.float32], int]:
    """Bring a training video to ``rows`` rows: means of bins where it is longer, else padding.

    Returns:
        Features float32 ``(rows, ...)``, and how many rows are of the video.
    """
    if len(features) > rows:
        return bin_means(features, rows, compat=compat), rows
    return padded(features, rows), len(features)


def blocks(length: int, rows: int, *, compat: bool = False) -> list[tuple[int, int]]:
    """Return the spans ``[start, end)`` that a long video is scored in, each of at most ``rows`` snippets.

    With ``compat`` a video of a multiple of ``rows`` gets one more, empty, as published.

    >>> blocks(600, 256)
    [(0, 256), (256, 512), (512, 600)]
    """
    count = length // rows + 1 if compat else -(-length // rows)
    return [(i * rows, min((i + 1) * rows, length)) for i in range(count)]


def even(length: int, count: int) -> Indices:
    """Return ``count`` indices from 0 to ``length - 1``, rounded half to even; they repeat where there are more."""
    return np.rint(np.linspace(0, length - 1, count)).astype(np.int64)


def by_density(scores: Sequence[float] | NDArray[np.floating], count: int, *, tau: float = 0.1) -> Indices:
    """Sample where scores are high: ``(i + 0.5) / count`` of the mass of ``scores + tau``, evenly where all is quiet.

    Args:
        scores: ``(T,)``, not below 0.
        count: samples wanted.
        tau: mass that every snippet has besides its score.

    Returns:
        Ascending indices, int64 ``(count,)``; a snippet may come more than once.

    Raises:
        InputError: no scores, or values that are negative or not finite.

    Source: Holmes-VAU (CVPR 2025), section 4.2, at the quantiles' middles; :func:`by_density_published` has its own.
    """
    s = _checked(scores, count)
    cumulated = np.concatenate([[0.0], np.cumsum(s + tau)])
    wanted = (np.arange(count) + 0.5) / count * cumulated[-1]
    found: Indices = np.clip(np.searchsorted(cumulated, wanted, side="right") - 1, 0, len(s) - 1)
    return found


def by_density_published(scores: Sequence[float] | NDArray[np.floating], count: int, *, tau: float = 0.1) -> Indices:
    """Sample as the published code of Holmes-VAU does: masses 1 to the rounded total, extrapolated, truncated.

    Videos of at most ``count`` snippets, or with scores that sum to less than 1, are sampled evenly.
    """
    s = _checked(scores, count)
    last = len(s) - 1
    if len(s) <= count or s.sum() < 1:
        return even(len(s), count)
    cumulated = np.concatenate([[0.0], np.cumsum(s + tau)])
    wanted = np.linspace(1, np.rint(cumulated[-1]), count)
    knot = np.clip(np.searchsorted(cumulated, wanted) - 1, 0, last)
    place = knot + (wanted - cumulated[knot]) / (cumulated[knot + 1] - cumulated[knot])
    clipped: Indices = np.clip(place.astype(np.int64), 0, last)
    return clipped


def by_threshold(scores: Sequence[float] | NDArray[np.floating], count: int, threshold: float) -> Indices:
    """Sample evenly among the snippets whose score is at least ``threshold``; evenly among all where there is none."""
    s = _checked(scores, count)
    over = np.flatnonzero(s >= threshold)
    over = np.arange(len(s)) if not len(over) else over
    taken: Indices = over[even(len(over), count)].astype(np.int64)
    return taken


def by_interval(length: int, spans: Sequence[tuple[int, int]], inside: int, outside: int) -> Indices:
    """Sample densely inside spans and sparsely between them.

    Args:
        length: snippets of the video.
        spans: half-open ``[start, end)``, such as events.
        inside: samples of each span, at most its length.
        outside: samples of all the rest, at most its length.

    Returns:
        Ascending indices, each once, int64.

    Raises:
        InputError: a span that is empty or outside of the video.
    """
    kept = np.zeros(length, bool)
    rest = np.ones(length, bool)
    for start, end in spans:
        if not 0 <= start < end <= length:
            raise InputError(f"span {start} to {end} does not lie in a video of {length} snippets")
        kept[start + even(end - start, min(inside, end - start))] = True
        rest[start:end] = False
    others = np.flatnonzero(rest)
    if len(others) and outside:
        kept[others[even(len(others), min(outside, len(others)))]] = True
    return np.flatnonzero(kept).astype(np.int64)


def _checked(scores: Sequence[float] | NDArray[np.floating], count: int) -> Floats:
    s = np.asarray(scores, np.float64)
    if s.ndim != 1 or not len(s) or count < 1:
        raise InputError(f"{count} samples of {s.size} scores: both must be at least 1")
    if not np.isfinite(s).all() or (s < 0).any():
        raise InputError("scores must be finite and not below 0 to sample by them")
    return s
