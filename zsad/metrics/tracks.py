"""RBDC and TBDC: whether the regions and the tracks of anomalies are found, against false regions per frame.

They are offered for data whose regions are labelled with tracks; no such labels come with zsad, so that they are held
against worked examples only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zsad.errors import MetricError
from zsad.metrics.metric import Metric, undefined

Box = tuple[float, float, float, float]
"""``(left, top, right, bottom)`` in pixels, right and bottom not included."""
IOU, SHARE = 0.1, 0.1
NO_REGION = "no anomalous region is labelled"


class TrueRegion(NamedTuple):
    """A labelled region: its frame (unique over all videos), its box, and the track it belongs to."""

    frame: int
    box: Box
    track: int


class FoundRegion(NamedTuple):
    """A claimed region: its frame, its box and its score; larger is surer."""

    frame: int
    box: Box
    score: float


@dataclass(frozen=True)
class Tracks:
    """Areas under detection rate over false regions per frame, from 0 to 1 of these.

    Attributes:
        rbdc: by regions, in [0, 1].
        tbdc: by tracks, in [0, 1].
    """

    rbdc: Metric
    tbdc: Metric


def rbdc_tbdc(
    truth: Sequence[TrueRegion], found: Sequence[FoundRegion], frames: int, *, iou: float = IOU, share: float = SHARE
) -> Tracks:
    """Region-based and track-based detection criterion.

    At each threshold, a labelled region is found if a claimed one of its frame overlaps it by ``iou``; a track is, if
    ``share`` of its regions are; a claimed region that overlaps none by ``iou`` is false. The curve goes through a
    point per distinct score, straight in between; it ends at one false region per frame.

    Args:
        truth: labelled regions.
        found: claimed regions, at whatever score.
        frames: number of frames in all, above 0.
        iou: overlap that counts, in (0, 1].
        share: part of a track's regions that must be found, in (0, 1].

    Raises:
        MetricError: no frames, or a score that is not finite.

    Source: Ramachandra and Jones, Street Scene (WACV 2020), with alpha = beta = 0.1.
    """
    if frames < 1:
        raise MetricError("frames must be at least 1")
    if not all(np.isfinite(one.score) for one in found):
        raise MetricError("scores: a region's score is NaN or infinite and can't be ranked")
    if not truth:
        return Tracks(undefined(NO_REGION), undefined(NO_REGION))
    reached, false = _scores(truth, found, iou)
    tracks = {track: np.array([reached[i] for i, one in enumerate(truth) if one.track == track])
              for track in dict.fromkeys(one.track for one in truth)}  # fmt: skip
    # A track is found from the score on that the needed number of its regions reach.
    track_scores = np.array([np.sort(scores)[::-1][_needed(len(scores), share) - 1] for scores in tracks.values()])
    levels = np.unique(np.array([one.score for one in found]))[::-1]
    rate = np.array([(false >= level).sum() / frames for level in levels])
    return Tracks(
        Metric(_area(rate, np.array([(reached >= level).mean() for level in levels]))),
        Metric(_area(rate, np.array([(track_scores >= level).mean() for level in levels]))),
    )


def _needed(regions: int, share: float) -> int:
    return max(1, int(np.ceil(share * regions - 1e-9)))


def _scores(truth: Sequence[TrueRegion], found: Sequence[FoundRegion],
            iou: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return the highest score that finds each labelled region (-inf for none), and the scores of false regions."""
    reached, false = np.full(len(truth), -np.inf), []
    for one in found:
        hit = [i for i, true in enumerate(truth) if true.frame == one.frame and _iou(true.box, one.box) >= iou]
        for i in hit:
            reached[i] = max(reached[i], one.score)
        if not hit:
            false.append(one.score)
    return reached, np.array(false)


def _iou(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, wide) * max(0.0, high)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / whole if whole > 0 else 0.0


def _area(rate: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Area under a curve that starts at (0, 0), up to rate 1; past its end it stays as high as it was."""
    x, y = np.concatenate([[0.0], rate]), np.concatenate([[0.0], found])
    inside = x <= 1
    end = float(np.interp(1.0, x, y)) if not inside.all() else float(y[-1])
    x, y = np.concatenate([x[inside], [1.0]]), np.concatenate([y[inside], [end]])
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)
