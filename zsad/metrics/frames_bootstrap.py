"""How far frame metrics would move with other videos: percentile intervals over resampled videos.

Whole videos are drawn, abnormal and normal ones separately, with replacement: frames of one video are no independent
sample. Sorted once, into bins; where scores have no more values than there are bins, nothing is lost by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zsad.metrics.bootstrap import Interval, draw
from zsad.metrics.curves import auroc
from zsad.metrics.frames import VideoFrames, ranked_frames
from zsad.metrics.histogram import Binned, ap_binned, auroc_binned
from zsad.metrics.metric import Metric

BINS = 2048
"""Bins at most; the exact value is the centre of the spread, so that bins only colour its width."""
_ROWS = 64

Floats = NDArray[np.float64]


def bootstrap_frames(
    videos: Sequence[VideoFrames],
    exact: Mapping[str, Metric],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of every frame metric.

    Args:
        videos: at least one with anomalous and one with normal frames.
        exact: what :func:`zsad.metrics.frames.frame_metrics` gave for them.
        resamples: number of draws.
        seed: the same seed gives the same intervals.
        level: share of draws inside of the interval, in (0, 1).

    Returns:
        ``(low, high)`` by name; a metric that is undefined has none.
    """
    abnormal = np.array([bool(video.truth.any()) for video in videos])
    if not abnormal.any() or np.isnan(exact["auc"].value):
        return {}
    edges = _edges(videos)
    normal, anomalous = _counts(videos, edges, wanted=False), _counts(videos, edges, wanted=True)
    each = np.array([auroc(ranked_frames([video])).value for video in videos])
    # The first row is the sample itself: what bins move of it is taken off every draw.
    draws = np.concatenate([np.ones((1, len(videos)), np.int64), draw(abnormal, resamples, seed)])
    found: dict[str, list[Floats]] = {name: [] for name in exact}
    for rows in np.array_split(draws.astype(np.float64), max(1, len(draws) // _ROWS)):
        of_all = _binned(rows @ normal, rows @ anomalous)
        of_abnormal = _binned(rows[:, abnormal] @ normal[abnormal], rows[:, abnormal] @ anomalous[abnormal])
        with np.errstate(divide="ignore", invalid="ignore"):
            found["auc"].append(auroc_binned(of_all)[0])
            found["auc_abnormal"].append(auroc_binned(of_abnormal)[0])
            found["auc_macro"].append(_weighted_mean(rows, each))
            found["ap"].append(ap_binned(of_all)[0])
            found["pr_auc_trapezoid"].append(_trapezoid(of_all))
    return {
        name: interval
        for name, parts in found.items()
        if not np.isnan(exact[name].value)
        and (interval := _percentiles(np.concatenate(parts), exact[name].value, level)) is not None
    }


def _edges(videos: Sequence[VideoFrames]) -> Floats:
    """Return ascending lower edges of bins: every value where they are few, else some at even ranks of both kinds."""
    values = [np.concatenate([v.scores[v.truth == kind] for v in videos]).astype(np.float64) for kind in (True, False)]
    distinct = np.unique(np.concatenate(values))
    if len(distinct) <= BINS:
        return distinct
    inner = []
    for some in values:
        some.sort()
        # As many on the highest hundredth as on the rest: precision is decided there.
        ranks = np.concatenate([np.linspace(0, 1, BINS // 4), 1 - np.geomspace(1e-6, 0.01, BINS // 4)])
        inner.append(some[np.rint(ranks * (len(some) - 1)).astype(np.int64)])
    return np.unique(np.concatenate([distinct[:1], *inner]))


def _counts(videos: Sequence[VideoFrames], edges: Floats, *, wanted: bool) -> Floats:
    """Count the frames of one kind per video and bin, highest bin first: ``(videos, K)``."""
    rows = np.empty((len(videos), len(edges)))
    for row, video in zip(rows, videos, strict=True):
        places = np.searchsorted(edges, video.scores[video.truth == wanted], side="right") - 1
        row[:] = np.bincount(places, minlength=len(edges))[::-1]
    return rows


def _binned(normal: Floats, anomalous: Floats) -> Binned:
    return Binned(normal, anomalous, anomalous, np.ones(normal.shape[-1], np.bool_))


def _trapezoid(bins: Binned) -> Floats:
    """See :func:`zsad.metrics.frames.trapezoid`; a bin counts as one score."""
    hits, alarms = np.cumsum(bins.defect, axis=-1), np.cumsum(bins.normal, axis=-1)
    before, above = hits - bins.defect, alarms - bins.normal
    seen = before + above
    left = np.where(seen > 0, before / np.where(seen > 0, seen, 1), 1.0)
    right = np.where(bins.defect > 0, hits / np.maximum(hits + alarms, 1), 0.0)
    return np.asarray((bins.defect * (left + right)).sum(axis=-1) / (2 * hits[..., -1]))


def _weighted_mean(rows: Floats, each: Floats) -> Floats:
    there = np.isfinite(each)
    return np.asarray(rows[:, there] @ each[there] / rows[:, there].sum(axis=-1))


def _percentiles(values: Floats, exact: float, level: float) -> Interval | None:
    draws = values[1:][np.isfinite(values[1:])]
    if not len(draws) or not np.isfinite(values[0]):
        return None
    low, high = np.quantile(np.clip(draws - values[0] + exact, 0.0, 1.0), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
