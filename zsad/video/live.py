"""Live refiners: small objects that take one score after another; what one has given never changes.

``Causal`` smooths, ``Alarm`` decides: hysteresis, minimum length and hold-off, of which events are made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from zsad.errors import UsageError


class Causal:
    """Mean or median of the last scores; of fewer, of those that there are.

    Args:
        kind: ``"mean"`` or ``"median"``.
        size: how many, at least 1.

    >>> smooth = Causal("mean", 2)
    >>> [smooth(x) for x in (1.0, 3.0, 5.0)]
    [1.0, 2.0, 4.0]
    """

    def __init__(self, kind: Literal["mean", "median"], size: int) -> None:
        if kind not in ("mean", "median") or size < 1:
            raise UsageError(f"a causal refiner is a mean or median of at least 1 score, got {kind!r:.20} of {size}")
        self.kind, self.size = kind, size
        self._last: deque[float] = deque(maxlen=size)

    def __call__(self, score: float) -> float:
        """Take the next score; return the refined one."""
        self._last.append(score)
        return float(np.mean(self._last) if self.kind == "mean" else np.median(self._last))

    def all(self, scores: Iterable[float]) -> npt.NDArray[np.float64]:
        """Return the refined scores of a whole video, float64 ``(P,)``; what was taken before counts."""
        return np.array([self(float(score)) for score in scores], np.float64)


@dataclass(frozen=True)
class Rule:
    """When scores make an event.

    Attributes:
        threshold: score from which an event may begin.
        low: score below which it ends; the threshold, if None. Hysteresis: between the two it goes on.
        min_frames: shortest event that counts, in frames.
        gap: events that are so many frames apart at most are one.

    Raises:
        UsageError: a number that is none, or a low threshold above the other.
    """

    threshold: float
    low: float | None = None
    min_frames: int = 1
    gap: int = 0

    def __post_init__(self) -> None:
        numbers = (self.threshold, self.threshold if self.low is None else self.low)
        if not all(np.isfinite(number) for number in numbers):
            raise UsageError(f"a threshold must be a finite number, got {self.threshold:g}")
        if numbers[1] > numbers[0]:
            raise UsageError(f"the low threshold {numbers[1]:g} must not be above the threshold {numbers[0]:g}")
        if self.min_frames < 1 or self.gap < 0:
            raise UsageError("an event has at least 1 frame, and a gap at least 0")

    @property
    def end(self) -> float:
        """Score below which an event ends."""
        return self.threshold if self.low is None else self.low


@dataclass
class Alarm:
    """Whether an event is on, score by score: hysteresis, minimum length and hold-off.

    It comes on with the score that makes the event long enough, and stays on through gaps of up to ``rule.gap`` frames;
    hence it is late by the shortest length, and never takes anything back.

    Attributes:
        rule: thresholds and shortest length; its gap is the hold-off.
        began: first frame of what is, or may become, an event; None where nothing is.
        end: the frame after the last one that belongs to it so far; None while it goes on.
        on: whether an event is on.
    """

    rule: Rule
    began: int | None = None
    end: int | None = None
    on: bool = False

    def __call__(self, score: float, frame: int) -> bool:
        """Take the score of the next position; return whether an event is on there.

        Args:
            score: refined or not.
            frame: its frame, above that of the one before.
        """
        inside = self.began is not None and self.end is None
        if score >= (self.rule.end if inside else self.rule.threshold):
            if self.began is None or (self.end is not None and self._is_over(frame)):
                self.began, self.on = frame, False
            self.end = None
        elif inside:
            self.end = frame
        if self.end is not None and self._is_over(frame):
            self.began, self.end, self.on = None, None, False
        if self.began is not None:
            until = frame + 1 if self.end is None else self.end
            self.on = self.on or until - self.began >= self.rule.min_frames
        return self.on

    def _is_over(self, frame: int) -> bool:
        assert self.end is not None
        return not self.rule.gap or frame - self.end > self.rule.gap
