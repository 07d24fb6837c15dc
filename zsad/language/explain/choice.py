"""Which frames of a video are shown to a language model: more of them where the scores are high."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from zsad.language.clicks import uniform_frames
from zsad.video.sampling import by_density
from zsad.video.series import ScoreSeries

COUNT, SNIPPET = 12, 16
TAU = 0.1


@dataclass(frozen=True)
class Choice:
    """Frames that are shown.

    Attributes:
        frames: ascending, each once.
        sampler: ``"density"``, or ``"uniform"`` for short videos and those without scores.
        scaled: whether scores were brought to [0, 1] first, as the sampler's constant wants them.
    """

    frames: tuple[int, ...]
    sampler: str
    scaled: bool = False


def choose(n_frames: int, series: ScoreSeries | None = None, count: int = COUNT) -> Choice:
    """Choose frames of a video.

    A video of more than ``16 count`` frames is sampled by the density of its scores, where snippet ``i`` means frame
    ``16 i``; a snippet that is taken several times shows several of its frames. All others are sampled evenly.

    Args:
        n_frames: of the video, at least 1.
        series: its scores.
        count: frames wanted; a short video gives fewer.

    Source: Holmes-VAU (CVPR 2025), the density-aware sampler at the quantiles' middles, and its even one.

    >>> choose(8, count=4)
    Choice(frames=(0, 2, 4, 5), sampler='uniform', scaled=False)
    """
    if series is None or not len(series) or n_frames <= SNIPPET * count:
        return Choice(tuple(sorted(set(uniform_frames(n_frames - 1, count)))), "uniform")
    scores, scaled = snippet_scores(series)
    return Choice(tuple(_spread(by_density(scores, count, tau=TAU).tolist(), series.n_frames)), "density", scaled)


def snippet_scores(series: ScoreSeries) -> tuple[NDArray[np.float64], bool]:
    """Return the mean score of each 16 frames, (T,) in [0, 1], and whether it had to be brought there."""
    frames = series.to_frames()
    starts = np.arange(0, len(frames), SNIPPET)
    means = np.add.reduceat(frames, starts) / np.diff(np.append(starts, len(frames)))
    low, high = float(frames.min()), float(frames.max())
    if low >= 0 and high <= 1:
        return means, False
    scaled = (means - low) / (high - low) if high > low else np.zeros(len(means))
    return np.clip(scaled, 0.0, 1.0), True  # sums round


def _spread(snippets: Sequence[int], n_frames: int) -> list[int]:
    """Return a frame for each snippet; one that comes several times gives as many frames, where it has them."""
    found = []
    for snippet, same in groupby(snippets):
        begin = SNIPPET * snippet
        times, length = len(list(same)), min(SNIPPET, n_frames - begin)
        found += sorted({begin + k * length // times for k in range(times)})
    return found
