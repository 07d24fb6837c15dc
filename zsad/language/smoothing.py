"""Scores of clips become 32 steps of a video and spans of time, as VAD-LLaMA tells them to a language model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
_CLIPS, _FRAMES, _STEP = 16, 8, 8


@dataclass(frozen=True)
class ScoredSpan:
    """One span of windows whose means reach the threshold.

    Attributes:
        start: its first frame.
        end: the frame after its last.
        start_s: seconds of ``start``, to 0.1.
        end_s: the same of ``end``.
        peak: the highest mean.
    """

    start: int
    end: int
    start_s: float
    end_s: float
    peak: float


def clips_to_frames(scores: ArrayLike, n_frames: int) -> Floats:
    """Return a score per frame, (n_frames,), from k clips of equal length whose borders are rounded half up."""
    values = np.asarray(scores, np.float64)
    length = n_frames / len(values)
    edges = [int(i * length + 0.5) for i in range(len(values) + 1)]
    return np.repeat(values, np.diff(edges))


def windows_of(n_frames: int, count: int = 32) -> list[tuple[int, int]]:
    """Return the spans of ``count`` equal windows, and what is left as one more; a shorter video is one window.

    >>> windows_of(70, 32)[-2:]
    [(62, 64), (64, 70)]
    """
    width = n_frames // count
    if not width:
        return [(0, n_frames)] if n_frames else []
    found = [(i * width, (i + 1) * width) for i in range(count)]
    return found if width * count == n_frames else [*found, (width * count, n_frames)]


def stepped(frames: ArrayLike, count: int = 32) -> Floats:
    """Return each frame's score as the mean of its window.

    Source: Lv and Sun, Video Anomaly Detection and Explanation via Large Language Models (2024), post-processing.
    """
    values = np.asarray(frames, np.float64)
    found = np.empty_like(values)
    for start, end in windows_of(len(values), count):
        found[start:end] = values[start:end].mean()
    return found


def spans_of(frames: ArrayLike, fps: float, threshold: float = 0.5, count: int = 32) -> list[ScoredSpan]:
    """Return the spans of neighbouring windows whose mean reaches the threshold.

    Args:
        frames: (n_frames,) scores.
        fps: frames per second, above 0.
        threshold: of a window's mean.
        count: windows of a video.
    """
    values = stepped(frames, count)
    found: list[ScoredSpan] = []
    for start, end in windows_of(len(values), count):
        peak = float(values[start])
        if peak < threshold:
            continue
        if found and found[-1].end == start:
            last = found.pop()
            start, peak = last.start, max(last.peak, peak)
        found.append(ScoredSpan(start, end, round(start / fps, 1), round(end / fps, 1), peak))
    return found


def snippets(n_frames: int, *, within: bool = True) -> NDArray[np.int64]:
    """Return the frames of 16 clips of 8 frames that the detector reads, (16, 8).

    Args:
        n_frames: of the video.
        within: keep them inside of a short video; without it some lie past its end, as published.
    """
    reach = _FRAMES * _STEP
    gap = (n_frames - reach + 1) / _CLIPS
    starts = [int(k * gap) if n_frames >= reach else 0 for k in range(_CLIPS)]
    inside = [int(j * gap / _FRAMES) if gap >= reach else j * _STEP for j in range(_FRAMES)]
    found = np.array(starts, np.int64)[:, None] + np.array(inside, np.int64)
    return np.minimum(found, max(n_frames - 1, 0)) if within else found


def mostly_positive(clips: NDArray[np.int64], truth: ArrayLike) -> list[int]:
    """Return which clips have more than half of their frames, from the first up to the last, inside of events.

    Args:
        clips: as :func:`snippets` returns them.
        truth: (n_frames,), 1 in events.
    """
    positive = np.asarray(truth, bool)
    return [i for i, clip in enumerate(clips) if 2 * positive[clip[0] : clip[-1]].sum() > clip[-1] - clip[0]]
