"""Drift: have the parts of late still the scores of the good parts that set the thresholds? A test without a last day.

Each new part gets a conformal p-value: where its statistic stands among the good parts and all parts since, ties broken
by a seeded coin. While nothing drifts these are independent and uniform, whatever the statistic is distributed like. A
player bets against that, starting with 1: for scores that rise, that fall, and that leave the known range, changing
between these bets at a small rate and beginning anew at any part with a share of what he has put by. Fair bets make
nobody rich: the chance that he ever holds 1 / alarm or more is at most ``alarm``, however often one looks (Ville).

Source: Vovk, Nouretdinov, Gammerman, Testing exchangeability on-line, ICML 2003; Vovk, Petej, Nouretdinov et al.,
Retrain or not retrain: conformal test martingales for change-point detection, COPA 2021 (the simple jumper).
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

BETS = ("no change", "higher", "lower", "far higher", "far lower")
"""What each of the player's bets is on; ``far`` is beyond what good parts have."""
_JUMP = 0.01
_POWER = 0.2
_CLIP = 1e-9


def bets(p: float) -> Values:
    """Return what each of :data:`BETS` multiplies its stake with; each is 1 on average over uniform p.

    Args:
        p: a p-value in [0, 1], small where the statistic is high.
    """
    p = min(max(p, _CLIP), 1.0 - _CLIP)
    low, high = p ** (_POWER - 1.0), (1.0 - p) ** (_POWER - 1.0)
    return np.array([1.0, 2.0 * (1.0 - p), 2.0 * p, _POWER * low, _POWER * high])


class DriftWatch:
    """Watches one statistic, part by part, in the order in which the parts came.

    Args:
        good: float64 ``(n,)``, the statistic of the good parts that set the thresholds; at least 1.
        alarm: the chance of a false alarm, over the whole watch; in (0, 1).
        seed: of the coin that breaks ties.

    Attributes:
        highest: the largest :attr:`log_capital` so far.
        parts: how many parts it has seen.
        alarm_at: number of the part (from 1) at which the alarm rose, or None.
        began: number of the part at which the drift most likely began, or None without an alarm.
        toward: the one of :data:`BETS` that won most, or ``""`` without an alarm.
    """

    def __init__(self, good: Iterable[float], *, alarm: float = 0.01, seed: int = 0) -> None:
        self._bag = sorted(float(x) for x in good)
        self._rng = np.random.default_rng(seed)
        self._limit = -np.log(alarm)
        self._stakes, self._scale = np.zeros(len(BETS)), 0.0  # real stakes are stakes * exp(scale)
        self._sums, self._lowest, self._starts = np.zeros(len(BETS)), np.zeros(len(BETS)), np.ones(len(BETS), np.int64)
        self.parts, self.highest = 0, 0.0
        self.alarm_at: int | None = None
        self.began: int | None = None
        self.toward = ""

    @property
    def log_capital(self) -> float:
        """Natural logarithm of what the player holds, what he has put by included; 0 at the start."""
        put_by = 1.0 / (self.parts + 1)
        return float(np.logaddexp(np.log(put_by), np.log(self._stakes.sum() or 5e-324) + self._scale))

    def p_value(self, value: float) -> float:
        """Return where a value stands among all so far and itself, from the highest, and count it among them."""
        left, right = bisect.bisect_left(self._bag, value), bisect.bisect_right(self._bag, value)
        above, equal = len(self._bag) - right, right - left + 1
        self._bag.insert(right, value)
        return float(above + self._rng.random() * equal) / len(self._bag)

    def add(self, value: float) -> float:
        """Take the next part's statistic; returns :attr:`log_capital` after it."""
        self.parts += 1
        fresh = 1.0 / (self.parts * (self.parts + 1)) / len(BETS)  # from what is put by: 1/t at t - 1, 1/(t + 1) at t
        stakes = self._stakes + fresh * np.exp(-self._scale)
        stakes = (1.0 - _JUMP) * stakes + _JUMP * stakes.mean()
        won = bets(self.p_value(value))
        self._stakes = stakes * won
        total = float(self._stakes.sum())
        self._stakes, self._scale = self._stakes / total, self._scale + float(np.log(total))
        self._note_beginnings(np.log(won))
        held = self.log_capital
        self.highest = max(self.highest, held)
        if self.alarm_at is None and held >= self._limit:
            best = 1 + int(np.argmax((self._sums - self._lowest)[1:]))
            self.alarm_at, self.began, self.toward = self.parts, int(self._starts[best]), BETS[best]
        return held

    def _note_beginnings(self, logs: Values) -> None:
        """For each bet, remember after which part all that followed has won the most: the likeliest change."""
        self._sums += logs
        lower = self._sums < self._lowest
        self._lowest = np.where(lower, self._sums, self._lowest)
        self._starts = np.where(lower, self.parts + 1, self._starts)
