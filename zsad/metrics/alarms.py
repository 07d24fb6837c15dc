"""What a threshold means to who watches: how late the first alarm of an event comes, and how many alarms are false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zsad.metrics.frames import VideoFrames
from zsad.metrics.spans import runs


@dataclass(frozen=True)
class Alarms:
    """Alarms at one threshold over a set of videos.

    Attributes:
        threshold: a frame whose score reaches it is an alarm's.
        events: labelled events, maximal runs of anomalous frames.
        found: events during which an alarm is on.
        delays: seconds from an event's first frame to the first alarmed frame within it, of those found, ascending.
        false_alarms: alarms, maximal runs of frames from the threshold on, that share no frame with an event.
        normal_hours: length of all frames that are not anomalous.
    """

    threshold: float
    events: int
    found: int
    delays: tuple[float, ...]
    false_alarms: int
    normal_hours: float

    @property
    def median_delay(self) -> float:
        """Seconds, of the events that were found; ``nan`` if none was."""
        return float(np.median(self.delays)) if self.delays else float("nan")

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms per hour of normal footage; ``nan`` without any."""
        return self.false_alarms / self.normal_hours if self.normal_hours > 0 else float("nan")


def alarms_at(videos: Sequence[VideoFrames], rates: Sequence[float], threshold: float) -> Alarms:
    """Count events found, their delays and false alarms.

    An alarm that begins before an event and lasts into it finds the event with delay 0 and is not false.

    Args:
        videos: labels and scores.
        rates: frames per second of each, above 0.
        threshold: in the scores' own scale.

    >>> truth = np.array([False, False, True, True, True, False, False])
    >>> found = alarms_at([VideoFrames(truth, np.array([0.9, 0, 0, 0.8, 0, 0, 0]))], [2.0], 0.5)
    >>> found.events, found.found, found.delays, found.false_alarms
    (1, 1, (0.5,), 1)
    """
    events = found = false = 0
    delays: list[float] = []
    hours = 0.0
    for video, rate in zip(videos, rates, strict=True):
        on = video.scores >= threshold
        for start, end in runs(video.truth):
            events += 1
            first = int(on[start:end].argmax())
            if on[start + first]:
                found += 1
                delays.append(first / rate)
        false += sum(not video.truth[start:end].any() for start, end in runs(on))
        hours += float((~video.truth).sum()) / rate / 3600
    return Alarms(threshold, events, found, tuple(sorted(delays)), false, hours)
