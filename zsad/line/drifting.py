"""The drift alarm of a station: do parts still score as the good parts did that set the thresholds?"""

from __future__ import annotations

from zsad.calibration.check import statistic
from zsad.calibration.drift import DriftWatch
from zsad.facts import peak_of
from zsad.line.health import Alarms
from zsad.line.part import Record
from zsad.thresholds import ThresholdsFile
from zsad.types import Result

ALARM = 0.01
"""Chance of a false alarm over the whole run, however long: watch n (from 1) is given 1 / (n * (n + 1)) of it."""
WATCHED, QUIET = 20_000, 2_000
"""Parts that one watch sees before another begins: its memory has an end. Parts without drift that end the alarm."""


class Drifting:
    """Watches parts as they are recorded.

    Args:
        file: thresholds with the good parts that they rest on; None, or a file without them, watches nothing.
        alarms: where the alarm rises.
    """

    def __init__(self, file: ThresholdsFile | None, alarms: Alarms) -> None:
        self._file = file if file is not None and file.good is not None else None
        self._alarms, self._rounds = alarms, 0
        self._watch = self._fresh()

    @property
    def watches(self) -> bool:
        """Whether there is anything to compare with."""
        return self._watch is not None

    def add(self, record: Record, result: Result | None) -> None:
        """Take the next part."""
        if self._watch is None or self._file is None or record.score is None or result is None:
            return
        peak = round(peak_of(result), 6) if self._file.thresholds.rule != "score" else 0.0
        self._watch.add(float(statistic(self._file, (record.score,), (peak,))[0]))
        if self._watch.alarm_at is not None:
            self._alarms.rise(
                "drift", f"parts are {self._watch.toward} than the good parts of the calibration; look at them, then "
                "calibrate anew",
            )  # fmt: skip
            self._watch = self._fresh()
        elif self._watch.parts == QUIET:
            self._alarms.end("drift")
        elif self._watch.parts >= WATCHED:
            self._watch = self._fresh()

    def _fresh(self) -> DriftWatch | None:
        if self._file is None or self._file.good is None:
            return None
        good = statistic(self._file, self._file.good.scores, self._file.good.peaks)
        self._rounds += 1
        return DriftWatch(good, alarm=ALARM / (self._rounds * (self._rounds + 1)), seed=self._rounds)
