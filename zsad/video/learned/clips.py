"""Scores of clips stretched over frames and smoothed in bins, and the frame labels that they are held against.

Sources: UMIL (CVPR 2023) and VAD-LLaMA (ECCV 2024), whose lists and whose 32 bins these are. As published, frames left
over make a bin of their own, and an interval from frame 0 is dropped; that is ``compat``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zsad.errors import DatasetError
from zsad.outside import shown

BINS = 32


@dataclass(frozen=True)
class Annotated:
    """One row of a list ``path frames class s1 e1 [s2 e2 ...]``.

    Attributes:
        path: as it stands there.
        frames: of the video.
        label: number of the class; 0 is normal.
        intervals: half-open ``[start, end)`` in frames; ``-1 -1`` is none.
    """

    path: str
    frames: int
    label: int
    intervals: tuple[tuple[int, int], ...]

    def labels(self, *, compat: bool = False) -> NDArray[np.uint8]:
        """Return which frames are anomalous, ``(frames,)``.

        The class decides: a normal video has none, whatever intervals stand there. With ``compat`` an interval
        counts if it starts after frame 0, as published.
        """
        found = np.zeros(self.frames, np.uint8)
        for start, end in self.intervals:
            if start > 0 if compat else self.label and 0 <= start < end:
                found[start:end] = 1
        return found


def annotated(line: str, where: str = "list") -> Annotated:
    """Read one row.

    Raises:
        DatasetError: too few fields, numbers that are none, or an odd count of ends.

    >>> annotated("a/b.mp4 100 3 0 40 -1 -1").labels().sum()
    np.uint64(40)
    """
    fields = line.split()
    try:
        path, numbers = fields[0], [int(field) for field in fields[1:]]
        frames, label = numbers[:2]
    except (IndexError, ValueError):
        raise DatasetError(f"{where}: {shown(line)} is no row; write `path frames class start end ...`") from None
    ends = numbers[2:]
    if len(ends) % 2 or frames < 0 or label < 0:
        raise DatasetError(f"{where}: {shown(line)} has a start without an end, or a count below 0")
    return Annotated(path, frames, label, tuple(zip(ends[::2], ends[1::2], strict=True)))


def stretched(
    scores: Sequence[float] | NDArray[np.floating], frames: int, *, compat: bool = False
) -> NDArray[np.float64]:
    """Return the score of every frame's clip, float64 ``(frames,)``: clip ``floor(f * clips / frames)``.

    With ``compat`` the ends of clips are rounded, as published.
    """
    values = np.asarray(scores, np.float64)
    if not compat:
        return values[np.arange(frames) * len(values) // max(1, frames)]
    edges = (np.arange(len(values) + 1) * (frames / len(values)) + 0.5).astype(np.int64)
    return np.repeat(values, np.diff(edges))[:frames]


def binned(scores: NDArray[np.floating], bins: int = BINS, *, compat: bool = False) -> NDArray[np.float64]:
    """Return the mean of every frame's bin, float64 ``(frames,)``: bin ``floor(f * bins / frames)``.

    With ``compat`` bins have ``frames // bins`` frames and what is left makes one more, as published: a video of fewer
    frames than bins becomes its mean.
    """
    values = np.asarray(scores, np.float64)
    place = np.arange(len(values))
    width = len(values) // bins
    if compat:
        place = np.minimum(place // width, bins) if width else np.zeros_like(place)
    else:
        place = place * bins // max(1, len(values))
    counts = np.bincount(place)
    means = np.bincount(place, values) / np.maximum(counts, 1)
    return np.asarray(means[place], np.float64)
