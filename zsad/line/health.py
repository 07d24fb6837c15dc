"""How a station is: alarms that stand, latency, counts, and a heartbeat that stops when the station does."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from zsad.line.part import VERDICTS, PartVerdict, now

ALIVE_S = 10.0
"""A station whose loop has not come round for so long is taken for dead: its heartbeat stops."""
CALM_S = 10.0
"""Seconds without an overload, or whatever else comes and goes, after which its alarm ends."""
_WINDOW, _MINUTE = 1000, 60
_JUMP_S = 2.0


@dataclass(frozen=True)
class Alarm:
    """Something that a person must know.

    Attributes:
        kind: what it is, such as ``"disk-full"``; one of each stands at a time.
        text: why, in one line.
        time: since when.
        ended: whether this is its end.
    """

    kind: str
    text: str
    time: str
    ended: bool = False


class Alarms:
    """The alarms that stand; safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._standing: dict[str, Alarm] = {}
        self._calm: dict[str, float] = {}
        self._news: deque[Alarm] = deque(maxlen=10_000)

    def rise(self, kind: str, text: str, *, calm_s: float | None = None) -> None:
        """Raise an alarm; one that stands stays as it is.

        Args:
            kind: what it is.
            text: why, in one line.
            calm_s: seconds after which it ends by itself, unless it is raised again.
        """
        with self._lock:
            if calm_s is not None:
                self._calm[kind] = time.monotonic() + calm_s
            if kind not in self._standing:
                self._standing[kind] = alarm = Alarm(kind, text, now())
                self._news.append(alarm)

    def end(self, kind: str) -> None:
        """End an alarm, if it stands."""
        with self._lock:
            self._calm.pop(kind, None)
            if (alarm := self._standing.pop(kind, None)) is not None:
                self._news.append(Alarm(kind, alarm.text, now(), ended=True))

    def calm(self) -> None:
        """End the alarms whose time is over."""
        with self._lock:
            over = [kind for kind, end in self._calm.items() if time.monotonic() > end]
        for kind in over:
            self.end(kind)

    def over(self, kind: str, text: str) -> None:
        """Report the end of an alarm that an earlier run has left standing."""
        with self._lock:
            self._news.append(Alarm(kind, text, now(), ended=True))

    def tell(self, kind: str, text: str) -> None:
        """Report what has happened and is over."""
        self.rise(kind, text)
        self.end(kind)

    @property
    def standing(self) -> list[Alarm]:
        """Those that stand, the oldest first."""
        with self._lock:
            return list(self._standing.values())

    def news(self) -> list[Alarm]:
        """Take what is new since the last call: beginnings and ends, in order."""
        with self._lock:
            found = list(self._news)
            self._news.clear()
        return found

    def put_back(self, news: list[Alarm]) -> None:
        """Give back what could not be recorded."""
        with self._lock:
            self._news.extendleft(reversed(news))


class Health:
    """What page, metrics and sinks show of a station; written by its thread, read by any.

    Args:
        counts: how many parts the database has of each verdict.
        budget_ms: latency budget; 0 for none.
    """

    def __init__(self, counts: dict[str, int], budget_ms: float = 0.0) -> None:
        self.alarms = Alarms()
        self.counts = dict.fromkeys(VERDICTS, 0) | counts
        self.misses, self.dropped = 0, 0
        self._budget = budget_ms
        self._lock = threading.Lock()
        self._ms: deque[float] = deque(maxlen=_WINDOW)
        self._ends: deque[tuple[int, int]] = deque(maxlen=_MINUTE)  # second, parts that ended in it
        self._beaten = self._started = time.monotonic()
        self._begun = time.time()
        self._offset = time.time() - time.monotonic()

    def beat(self) -> None:
        """Say that the station's loop has come round; ends what is over, and notices a clock that was set."""
        self._beaten = time.monotonic()
        self.alarms.calm()
        offset = time.time() - self._beaten
        if abs(offset - self._offset) > _JUMP_S:
            self.alarms.tell(
                "clock", f"the system's clock was set by {offset - self._offset:+.0f} s; rows keep their order"
            )
        self._offset = offset

    @property
    def alive(self) -> bool:
        """Whether the station's loop comes round."""
        return time.monotonic() - self._beaten < ALIVE_S

    @property
    def seconds(self) -> float:
        """Since the station began."""
        return time.monotonic() - self._started

    @property
    def careful_time(self) -> float:
        """Seconds since 1970 by which things are old enough to be removed: a clock that is set forward adds none."""
        return min(time.time(), self._begun + self.seconds)

    def note(self, verdict: PartVerdict, ms: float) -> None:
        """Count a recorded part, with its milliseconds from source to record."""
        self.counts[verdict] += 1
        self._ms.append(ms)
        second, ended = int(time.monotonic()), 1
        if self._ends and self._ends[-1][0] == second:
            ended += self._ends.pop()[1]
        self._ends.append((second, ended))
        if self._budget and ms > self._budget:
            self.misses += 1

    def drop(self, count: int) -> None:
        """Count parts that nobody had time for; in any thread."""
        with self._lock:
            self.dropped += count

    @property
    def total(self) -> int:
        """Parts in all."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float:
        """Parts a second over the last minute, the second under way included."""
        moment = time.monotonic()
        first = int(moment) - _MINUTE + 1
        recent = sum(ended for second, ended in list(self._ends) if second >= first)
        return recent / min(moment - first, max(1.0, self.seconds))

    def latency(self) -> dict[str, float]:
        """Return ``p50``, ``p95`` and ``p99`` in milliseconds of the last 1,000 parts; empty without any."""
        values = list(self._ms)
        if not values:
            return {}
        found = np.percentile(values, (50, 95, 99))
        return {name: round(float(value), 1) for name, value in zip(("p50", "p95", "p99"), found, strict=True)}
