"""Places on a video's time line: centres, windows around them, frames of windows, and scores held and filled in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

INTERVAL = 16
"""Frames from one centre to the next, by default."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def centres(n_frames: int, interval: int = INTERVAL) -> Ints:
    """Return the centres 0, interval, ... below ``n_frames``, (C,) int64.

    >>> centres(40).tolist()
    [0, 16, 32]
    """
    return np.arange(0, n_frames, interval, dtype=np.int64)


def window(centre: int, n_frames: int, half: int) -> tuple[int, int]:
    """Return the half-open span of frames around a centre, cut to the video.

    >>> window(16, 300, 150), window(288, 300, 150)
    ((0, 166), (138, 300))
    """
    return max(centre - half, 0), min(centre + half, n_frames)


def lavad_half(fps: float, seconds: float = 10.0) -> int:
    """Return half the frames of LAVAD's window.

    Source: LAVAD (CVPR 2024), T seconds around each centre.
    """
    return int(seconds * fps) // 2


def spread(start: int, end: int, count: int) -> list[int]:
    """Return frames of ``[start, end)``: all where there are at most ``count``, else that many, both ends among them.

    Source: LAVAD's sampling, ``trunc(k * (L - 1) / (N - 1))``.

    >>> spread(10, 300, 10)
    [10, 42, 74, 106, 138, 170, 202, 234, 266, 299]
    """
    length = end - start
    if length <= count:
        return list(range(start, end))
    if count == 1:
        return [start]
    return [start + k * (length - 1) // (count - 1) for k in range(count)]


def even(start: int, end: int, count: int = 8) -> list[int]:
    """Return ``count`` frames of ``[start, end)``, ``floor(start + k (end - start) / count)``; a short span repeats.

    Source: VERA (CVPR 2025), segments of 8 frames.

    >>> even(0, 3), even(0, 100)
    ([0, 0, 0, 1, 1, 1, 2, 2], [0, 12, 25, 37, 50, 62, 75, 87])
    """
    return [start + k * (end - start) // count for k in range(count)]


def filled(positions: ArrayLike, values: ArrayLike) -> Floats:
    """Return values whose missing ones (NaN) lie on the line between their neighbours, constant at both ends.

    Args:
        positions: (C,) frames, ascending.
        values: (C,) scores, NaN where there is none; one at least must be there.

    Raises:
        ValueError: all are missing.

    >>> filled([0, 16, 48, 112, 128], [0.1, np.nan, 0.7, np.nan, 0.3]).round(2).tolist()
    [0.1, 0.3, 0.7, 0.38, 0.3]
    """
    places, found = np.asarray(positions, np.float64), np.asarray(values, np.float64)
    there = ~np.isnan(found)
    if not there.any():
        raise ValueError("no value at all")
    return np.interp(places, places[there], found[there])


def held(values: ArrayLike, n_frames: int, interval: int = INTERVAL) -> Floats:
    """Return one score per frame, (n_frames,): each centre's holds for its interval.

    >>> held([0.1, 0.9], 5, 3).tolist()
    [0.1, 0.1, 0.1, 0.9, 0.9]
    """
    return np.repeat(np.asarray(values, np.float64), interval)[:n_frames]
