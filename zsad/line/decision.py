"""Result -> verdict of a part: thresholds, regions of interest, smallest area, hysteresis, k of n."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from zsad.facts import MAX_REGIONS
from zsad.line.part import PartVerdict
from zsad.line.settings import Decision, roi_of_decision
from zsad.types import Result, Thresholds


@dataclass(frozen=True)
class Judged:
    """What is said of one part.

    Attributes:
        verdict: ``ok``, ``reject``, or ``unjudged`` without a threshold.
        fired: what reached its threshold in this part, of ``score`` and ``region``.
        threshold: of the score, or of pixels where the rule looks at regions alone; None where none is given.
        regions: what was found, as rows have it.
    """

    verdict: PartVerdict
    fired: tuple[str, ...]
    threshold: float | None
    regions: tuple[dict[str, Any], ...]


class Judge:
    """Judges parts in order.

    Args:
        thresholds: of the file, or of the model's card.
        decision: what the configuration says beside them.
        earlier: whether each of the last parts fired, the oldest first, so that a restart changes no verdict.
    """

    def __init__(self, thresholds: Thresholds, decision: Decision, earlier: Iterable[bool] = ()) -> None:
        own = Thresholds(min_area=decision.min_area, roi=roi_of_decision(decision))
        self.thresholds = own.over(thresholds)
        self._k, self._below = decision.k, decision.hysteresis
        self._lower = _lowered(self.thresholds, self._below)
        self._fired: deque[bool] = deque(earlier, maxlen=decision.n)

    def prepared(self, result: Result) -> Result:
        """Return a result with the thresholds of the line, its regions found; in any thread."""
        judged = result.with_thresholds(self.thresholds)
        _ = judged.regions
        return judged

    def alone(self, result: Result) -> Judged:
        """Judge a part by itself: without hysteresis and k of n; in any thread."""
        regions = tuple(_region(region) for region in result.regions[:MAX_REGIONS])
        if not result.thresholds.judges:
            return Judged("unjudged", (), None, regions)
        return Judged("reject" if result.fired else "ok", result.fired, _threshold(result.thresholds), regions)

    def judge(self, result: Result) -> Judged:
        """Judge the next part.

        Args:
            result: as :meth:`prepared` gives it.
        """
        limits = self._lower if self._below and self._fired and self._fired[-1] else self.thresholds
        seen = result if limits is self.thresholds else replace(result, thresholds=limits)
        fired = seen.fired
        regions = tuple(_region(region) for region in seen.regions[:MAX_REGIONS])
        if not limits.judges:
            return Judged("unjudged", (), None, regions)
        self._fired.append(bool(fired))
        rejected = sum(self._fired) >= self._k
        return Judged("reject" if rejected else "ok", fired, _threshold(limits), regions)


def _lowered(limits: Thresholds, by: float) -> Thresholds:
    lower: dict[str, Any] = {name: max(0.0, value - by) for name in ("image", "pixel")
             if isinstance(value := getattr(limits, name), float)}  # fmt: skip
    return replace(limits, **lower)


def _threshold(limits: Thresholds) -> float | None:
    """Return the number that the row names: of the score where it counts, else of pixels."""
    for name in ("image", "pixel"):
        value = getattr(limits, name)
        if name in limits.uses and isinstance(value, float):
            return value
    return None


def _region(region: Any) -> dict[str, Any]:
    return {
        "box": list(region.box),
        "area": region.area,
        "score": round(region.score, 6),
        "centroid": [round(x, 2) for x in region.centroid],
    }
