"""Whether the detector works: alarms when it hangs, or fails on one part after the other; they end by themselves."""

from __future__ import annotations

from zsad.line.health import Alarms
from zsad.line.part import Seen

STALLED_S = 60.0
"""Seconds in one lane after which a detector is taken for hung; ten times the latency budget where that is more."""
FAILURES = 5
"""Parts in a row on which the detector fails, none of them for its image, until an alarm rises."""


class Watching:
    """Watches the detector; used in the station's thread alone.

    Args:
        alarms: where ``stalled`` and ``detector`` rise.
        budget_ms: latency budget; 0 for none.
    """

    def __init__(self, alarms: Alarms, budget_ms: float) -> None:
        self._alarms, self._budget_s, self._failures = alarms, budget_ms / 1e3, 0
        self.stalled = False

    def look(self, seconds: float) -> bool:
        """Take note of how long the lanes have been at one piece of work.

        Args:
            seconds: of the lane that has been at it the longest.

        Returns:
            Whether the detector does not hang.
        """
        limit = max(STALLED_S, 10 * self._budget_s)
        if (seconds > limit) != self.stalled:
            self.stalled = not self.stalled
            if self.stalled:
                self._alarms.rise(
                    "stalled", f"a part has been looked at for more than {limit:g} s; if this does not end, start the "
                    "station again",
                )  # fmt: skip
            else:
                self._alarms.end("stalled")
        return not self.stalled

    def note(self, seen: Seen) -> None:
        """Take note of a part that was looked at."""
        if seen.broken:
            self._failures += 1
            if self._failures == FAILURES:
                self._alarms.rise("detector", f"it failed on {FAILURES} parts in a row, the last one {seen.error}")
        elif seen.result is not None:
            if self._failures >= FAILURES:
                self._alarms.end("detector")
            self._failures = 0
