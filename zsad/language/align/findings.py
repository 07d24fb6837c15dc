"""What a detector knows of a video or a picture, in the words that claims use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsad.video.events import Event
from zsad.video.series import ScoreSeries


@dataclass(frozen=True)
class Span:
    """One event.

    Attributes:
        start_s: its first second.
        end_s: its last.
        label: name of its class; None where the detector knows none.
    """

    start_s: float
    end_s: float
    label: str | None = None


@dataclass(frozen=True)
class Findings:
    """What claims are checked against; None means that the detector does not know.

    Attributes:
        duration_s: seconds of the video.
        anomaly: whether anything is anomalous.
        events: its spans.
        counts: thing -> how many there are.
        row: top, middle or bottom of the picture.
        col: left, centre or right.
        peak: the highest score, in [0, 1].
    """

    duration_s: float | None = None
    anomaly: bool | None = None
    events: tuple[Span, ...] | None = None
    counts: Mapping[str, int] | None = None
    row: str | None = None
    col: str | None = None
    peak: float | None = None


def findings(
    series: ScoreSeries,
    events: Iterable[Event],
    size: tuple[int, int] | None = None,
    counts: Mapping[str, int] | None = None,
) -> Findings:
    """Return what scores and events say.

    Args:
        series: of the video. Its highest score is used as severity where all scores lie in [0, 1].
        events: as :func:`zsad.video.events.find_events` finds them.
        size: ``(width, height)`` of the frames; with it, the region of the highest event is the place.
        counts: thing -> how many, from an object detector.
    """
    found = list(events)
    spans = tuple(Span(event.start_s, event.end_s, event.label or None) for event in found)
    values = series.values
    known = len(values) > 0 and values.min() >= 0 and values.max() <= 1
    row = col = None
    highest = max(found, key=lambda event: event.score, default=None)
    if size and highest and highest.region:
        x0, y0, x1, y1 = highest.region
        row, col = place((x0 + x1) / 2 / size[0], (y0 + y1) / 2 / size[1])
    duration = series.n_frames / series.fps if series.fps > 0 else None
    return Findings(duration, bool(found), spans, counts, row, col, float(values.max()) if known else None)


def map_findings(values: npt.NDArray[np.floating], threshold: float) -> Findings:
    """Return what an anomaly map says: whether a pixel reaches the threshold, and where those lie on the whole.

    Args:
        values: (H, W), in [0, 1].
        threshold: from which value on a pixel is anomalous.
    """
    lines, columns = np.nonzero(values >= threshold)
    peak = float(values.max()) if values.size else None
    if not len(lines):
        return Findings(anomaly=False, peak=peak)
    height, width = values.shape
    row, col = place((columns.mean() + 0.5) / width, (lines.mean() + 0.5) / height)
    return Findings(anomaly=True, row=row, col=col, peak=peak)


def place(x: float, y: float) -> tuple[str, str]:
    """Return row and column of a point among nine equal parts of a picture.

    Args:
        x: from the left, in [0, 1].
        y: from the top.

    >>> place(0.9, 0.5)
    ('middle', 'right')
    """
    third = (min(int(x * 3), 2), min(int(y * 3), 2))
    return ("top", "middle", "bottom")[third[1]], ("left", "centre", "right")[third[0]]
