"""Scores and region levels of good parts -> an image and a pixel threshold that keep a rejection rate together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsad.calibration.family import FEWEST, MOST, Family, family_of_card, family_of_parts, least_above
from zsad.calibration.order import check_rate, needed, rank, supported_rate
from zsad.errors import InputError
from zsad.types import Rule

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Goal:
    """What is asked of the thresholds.

    Attributes:
        rate: share of good parts that may be rejected at most, in [1e-6, 0.5].
        confidence: of that statement, in [0.5, 0.999999].
        accept: take the rate that the parts support, if they are too few for the one above.
        rule: what rejects a part.
        seed: of the draw of parts that a family is taken from.
    """

    rate: float = 0.01
    confidence: float = 0.95
    accept: bool = False
    rule: Rule = "either"
    seed: int = 0

    def __post_init__(self) -> None:
        check_rate(self.rate, self.confidence)


@dataclass(frozen=True)
class Choice:
    """Thresholds, and what they rest on.

    Attributes:
        image: image threshold in [0, 1], or None where the rule does not look at the score.
        pixel: pixel threshold in [0, 1], or None where the rule does not look at regions.
        rate: share of good parts that they reject at most, at the confidence that was asked for.
        k: how many of the parts below lie at or above the one that sets the threshold.
        used: indices of the parts that the statement rests on, the most extreme first.
        family: what ties the two thresholds, or None where there is one.
    """

    image: float | None
    pixel: float | None
    rate: float
    k: int
    used: Indices
    family: Family | None = None

    @property
    def n(self) -> int:
        """Number of parts that the statement rests on."""
        return len(self.used)


def choose(scores: Values, levels: Values, goal: Goal, card: tuple[float, float] = (0.5, 0.5)) -> Choice:
    """Set thresholds by good parts.

    With the rule ``either``, parts beyond a number that the rate needs, 20 to 100 of them, are drawn to tie the two
    thresholds to each other (:mod:`zsad.calibration.family`) and do nothing else; where none can be spared, the card's
    thresholds do. The others set the threshold (:mod:`zsad.calibration.order`).

    Args:
        scores: float64 ``(n,)``, in [0, 1].
        levels: float64 ``(n,)``, region levels in [0, 1].
        goal: what is asked for.
        card: image and pixel threshold on the model's card.

    Raises:
        InputError: too few parts for the rate; or parts of the highest possible value, which nothing lies above.
    """
    n, fewest = len(scores), needed(goal.rate, goal.confidence)
    if n < fewest and not (goal.accept and n):
        raise InputError(too_few(n, goal))
    rest = np.random.default_rng(goal.seed).permutation(n)
    family: Family | None = None
    if goal.rule == "either":
        spare = _spare(n, goal)
        family = family_of_parts(scores[rest[:spare]], levels[rest[:spare]]) if spare else family_of_card(*card)
        statistic, rest = family.extremeness(scores, levels), rest[spare:]
    else:
        statistic = scores if goal.rule == "score" else levels
    used = np.sort(rest)[np.argsort(-statistic[np.sort(rest)], kind="stable")].astype(np.int64)
    k = rank(len(used), goal.rate, goal.confidence) or 1
    limit = float(statistic[used[k - 1]])
    image, pixel = family.pair(limit) if family else (least_above(limit),) * 2
    rate = goal.rate if n >= fewest else supported_rate(n, goal.confidence)
    return Choice(
        image if goal.rule != "region" else None, pixel if goal.rule != "score" else None, rate, k, used, family
    )


def _spare(n: int, goal: Goal) -> int:
    """Return how many parts can be spared: beyond what the largest k needs that leaves enough of them; 0 for none.

    >>> [_spare(n, Goal()) for n in (299, 318, 319, 472, 473, 600, 1000)]
    [0, 0, 20, 100, 100, 100, 87]
    """
    for k in range(rank(n, goal.rate, goal.confidence), 0, -1):
        spare = n - needed(goal.rate, goal.confidence, k)
        if spare >= FEWEST:
            return min(MOST, spare)
    return 0


def too_few(n: int, goal: Goal) -> str:
    """Say what n parts support, and how many are wanted.

    >>> too_few(50, Goal())
    'n = 50 supports 5.8 %: 1 % at 95 % confidence needs 299 good parts; give more, or take this with --accept-rate'
    """
    wanted = f"{percent(goal.rate)} at {percent(goal.confidence)} confidence"
    supported = f" supports {percent(supported_rate(n, goal.confidence))}" if n else ""
    take = ", or take this with --accept-rate" if n else ""
    return f"n = {n}{supported}: {wanted} needs {needed(goal.rate, goal.confidence):,} good parts; give more{take}"


def percent(share: float) -> str:
    """Return a share in per cent, rounded to what one remembers.

    >>> [percent(x) for x in (0.1391, 0.0582, 0.01, 0.000999, 0.999)]
    ['13.9 %', '5.8 %', '1 %', '0.1 %', '99.9 %']
    """
    value = 100 * share
    return f"{value:.1f} %".replace(".0 %", " %") if value >= 10 else f"{value:.2g} %"
