"""Events: spans of frames whose scores reach a threshold, with peak, seconds, label and region; and a video's score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from zsad.video.live import Alarm, Rule
from zsad.video.series import ScoreSeries

Box = tuple[int, int, int, int]
"""``(x0, y0, x1, y1)`` in pixels of the frame, ``x1`` and ``y1`` exclusive."""
RegionOf = Callable[[int], Box | None]
"""Index of a position -> where the map is highest there, or None."""


@dataclass(frozen=True)
class Event:
    """One anomalous span of a video.

    Attributes:
        start: its first frame.
        end: the frame after its last: spans are half-open.
        peak: frame of the highest score.
        key: frame to show of it.
        start_s: seconds of ``start`` from the video's first frame.
        end_s: the same of ``end``.
        peak_s: the same of ``peak``.
        score: the highest score.
        label: name of its class, or ``""`` where the method knows none.
        region: where the map is highest at the peak, or None.
    """

    start: int
    end: int
    peak: int
    key: int
    start_s: float
    end_s: float
    peak_s: float
    score: float
    label: str = ""
    region: Box | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        found = {**asdict(self), "region": list(self.region) if self.region else None}
        return {**found, **{key: round(found[key], 3) for key in ("start_s", "end_s", "peak_s")}}


def find_events(series: ScoreSeries, rule: Rule, region_of: RegionOf = lambda index: None) -> list[Event]:
    """Find the events of a video.

    An event begins where a score reaches the threshold and lasts until one falls below ``rule.low``; those that are
    close are joined, then those that are too short are left out. A value stands for the frames up to the next position.

    Args:
        series: of one video.
        rule: threshold, hysteresis, shortest length and gap.
        region_of: where the map is highest at a position; asked for peaks alone.

    Returns:
        In the order of time.

    >>> series = ScoreSeries([0.0, 0.9, 0.6, 0.1], [0, 10, 20, 30], [0.0, 1.0, 2.0, 3.0], 40, 10.0, "map")
    >>> [(e.start, e.end, e.peak) for e in find_events(series, Rule(0.8, 0.5))]
    [(10, 30, 10)]
    """
    ends = np.append(series.positions[1:], series.n_frames) if len(series) else np.zeros(0, np.int64)
    spans = _joined(_spans(series.values, rule), series.positions, ends, rule.gap)
    return [
        _event(series, first, last, ends, region_of)
        for first, last in spans
        if ends[last] - series.positions[first] >= rule.min_frames
    ]


class Tracker:
    """Events of a stream: the same as :func:`find_events` finds in its scores, each as soon as it is over.

    Args:
        rule: threshold, hysteresis, shortest length and gap.
    """

    def __init__(self, rule: Rule) -> None:
        self._alarm = Alarm(rule)
        self._event: Event | None = None
        self._sums: dict[str, float] = {}

    @property
    def event(self) -> Event | None:
        """What is on, or may become an event: its end is that of now."""
        return self._event

    def __call__(
        self,
        score: float,
        frame: int,
        time: float,
        region: Box | None = None,
        classes: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[bool, Event | None]:
        """Take the score of the next position.

        Args:
            score: refined or not.
            frame: its frame, above that of the one before.
            time: its seconds.
            region: where the map is highest.
            classes: name of a class -> its score here.

        Returns:
            Whether an event is on, and one that is over now, or None.
        """
        before, inside = self._event, self._alarm.end is None
        on = self._alarm(score, frame)
        began, ended = self._alarm.began, self._alarm.end
        if before is not None and inside and (began is None or ended is not None):
            before = self._event = replace(before, end=frame, end_s=time)
        over = None
        if before is not None and (began is None or began != before.start):
            over, before = self._closed(before), None
        known = {} if before is None else self._sums
        self._sums = {name: known.get(name, 0.0) + value for name, value in classes.items()}
        if began is None:
            self._event = None
        elif ended is None:
            now = Event(frame, frame + 1, frame, frame, time, time, time, score, _highest(self._sums), region)
            self._event = now if before is None else _longer(before, now)
        return on, over

    def close(self, n_frames: int, seconds: float) -> Event | None:
        """Return what was on when the stream ended, after so many frames and seconds, or None."""
        last, self._event = self._event, None
        if last is None:
            return None
        return self._closed(replace(last, end=n_frames, end_s=seconds) if self._alarm.end is None else last)

    def _closed(self, event: Event) -> Event | None:
        return event if event.end - event.start >= self._alarm.rule.min_frames else None


def _longer(event: Event, now: Event) -> Event:
    """Return an event that goes on with the next position."""
    if now.score > event.score:
        return replace(now, start=event.start, start_s=event.start_s)
    return replace(event, end=now.end, end_s=now.end_s, label=now.label)


def video_score(series: ScoreSeries) -> float:
    """Return the score of a whole video: the highest of its values; 0 for one without any."""
    return float(series.values.max()) if len(series) else 0.0


def hint_threshold(values: npt.NDArray[np.float64]) -> float:
    """Return a threshold to begin with where nobody has given one: it ranks, and accuses nobody.

    Six median deviations above the median, but not above the middle between median and highest value, so that the
    highest peak of a video is always seen.
    """
    if not len(values):
        return 0.0
    middle, high = float(np.median(values)), float(values.max())
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    return min(middle + 6 * spread, (middle + high) / 2) if spread else (middle + high) / 2


def _spans(values: npt.NDArray[np.float64], rule: Rule) -> Iterator[tuple[int, int]]:
    """Yield first and last index of each stretch of at least ``rule.end`` that somewhere reaches the threshold.

    It begins where the threshold is reached: what came before was not known to be an event.
    """
    above = values >= rule.end
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(np.int8)))
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        reached = np.flatnonzero(values[first:stop] >= rule.threshold)
        if len(reached):
            yield int(first + reached[0]), int(stop - 1)


def _joined(
    spans: Iterator[tuple[int, int]], positions: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], gap: int
) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for first, last in spans:
        if out and positions[first] - ends[out[-1][1]] <= gap and gap:
            out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return out


def _event(series: ScoreSeries, first: int, last: int, ends: npt.NDArray[np.int64], region_of: RegionOf) -> Event:
    peak = first + int(np.argmax(series.values[first : last + 1]))
    frame = int(series.positions[peak])
    return Event(
        start=int(series.positions[first]),
        end=int(ends[last]),
        peak=frame,
        key=frame,
        start_s=float(series.timestamps[first]),
        end_s=_end_seconds(series, last, int(ends[last])),
        peak_s=float(series.timestamps[peak]),
        score=float(series.values[peak]),
        label=_label(series, first, last),
        region=region_of(peak),
    )


def _end_seconds(series: ScoreSeries, last: int, end: int) -> float:
    """Return the time of the frame after an event: that of the next position, or by the rate beyond the last one."""
    if last + 1 < len(series):
        return float(series.timestamps[last + 1])
    step = 1 / series.fps if series.fps else 0.0
    return float(series.timestamps[last]) + (end - int(series.positions[last])) * step


def _label(series: ScoreSeries, first: int, last: int) -> str:
    """Return the class with the highest mean score over an event; ``"normal"`` is none."""
    return _highest({label: float(column[first : last + 1].mean()) for label, column in series.classes.items()})


def _highest(scores: Mapping[str, float]) -> str:
    named = [(score, label) for label, score in scores.items() if label.lower() != "normal"]
    return max(named)[1] if named else ""
