"""Clicks on a video become labels of its snippets, and answers about clips scores of frames, as in Holmes-VAD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zsad.errors import InputError
from zsad.language import windows

Floats = NDArray[np.float64]
_LEAST = 1e-12


def uniform_frames(last: int, count: int) -> list[int]:
    """Return the middles of ``count`` equal parts of a video, ascending; they repeat where the video is shorter.

    Args:
        last: index of the video's last frame.
        count: how many frames are wanted.

    Source: Holmes-VAU (CVPR 2025), its sampler for short videos, in whole numbers.

    >>> uniform_frames(7, 4)
    [0, 2, 4, 5]
    """
    part = last / count
    return [min(int(part / 2 + round(part * k)), last) for k in range(count)]


def labels_of_clicks(
    scores: ArrayLike, clicks: Sequence[int], share: float = 0.9, width: float = 0.1
) -> tuple[NDArray[np.bool_], Floats]:
    """Return which snippets belong to clicked events, and a smooth label of each.

    From each click, snippets are taken to both sides while their score is above ``share`` of the click's, as far as
    the next click. The smooth label falls off as a Gaussian with the distance to the nearest of them.

    Args:
        scores: (T,) of a detector.
        clicks: indices of snippets that a person marked.
        share: of the click's score.
        width: of the Gaussian, on a time axis from -1 to 1.

    Returns:
        (T,) bool, and (T,) float64 in [0, 1]; zeros without a click.

    Raises:
        InputError: a click outside of the video.

    Source: Holmes-VAD (2024), pseudo frame labels; the smoothing is ours.
    """
    values = np.asarray(scores, np.float64)
    count = len(values)
    places = sorted(set(clicks))
    if places and not 0 <= places[0] <= places[-1] < count:
        raise InputError(f"clicks must lie in 0 to {count - 1}, the snippets of the video")
    hard = np.zeros(count, bool)
    for before, click, after in zip([-1, *places], places, [*places[1:], count], strict=False):
        hard[click] = True
        for way, stop in ((range(click - 1, before, -1), before), (range(click + 1, after), after)):
            for place in way:
                if place == stop or values[place] <= share * values[click]:
                    break
                hard[place] = True
    if not hard.any():
        return hard, np.zeros(count)
    axis = np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
    apart = np.abs(axis[:, None] - axis[None, hard]).min(axis=1)
    return hard, np.exp(-(apart**2) / (2 * width**2))


def cross_entropy(scores: ArrayLike, soft: ArrayLike) -> float:
    """Return the mean binary cross-entropy of scores against smooth labels, both (T,) in [0, 1]."""
    s, wanted = np.clip(np.asarray(scores, np.float64), _LEAST, 1 - _LEAST), np.asarray(soft, np.float64)
    return float(-(wanted * np.log(s) + (1 - wanted) * np.log(1 - s)).mean())


def judged_frames(answers: Sequence[float | None], n_frames: int, length: int = 16) -> Floats | None:
    """Return a score per frame from one answer per clip; a missing one lies between its neighbours'.

    Args:
        answers: 1 for yes, 0 for no, None where it could not be read.
        n_frames: of the video.
        length: frames of a clip.

    Returns:
        (n_frames,), or None where no answer could be read.
    """
    values = np.array([np.nan if answer is None else answer for answer in answers], np.float64)
    if np.isnan(values).all():
        return None
    return windows.held(windows.filled(np.arange(len(values)), values), n_frames, length)
