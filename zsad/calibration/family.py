"""Pairs of an image and a pixel threshold that rise together, so that "score or region" is one statement.

Each threshold alone, taken from the k-th largest of n good parts, keeps its rate; of both together, good parts are
rejected by either, and the statement is lost. A family ties them: at each strictness t it has one pair
``(image(t), pixel(t))``, both rising with t. A part is rejected at t if its score or its region level reaches its
threshold, thus if ``extremeness = max(image⁻¹(score), pixel⁻¹(level))`` lies above t: one statistic per part, of which
the k-th largest (:mod:`zsad.calibration.order`) keeps the rate for both at once. That holds for *every* family that is
fixed without looking at the n parts which set t; a fitting one only makes both thresholds useful. Here it comes from
other good parts, or from the thresholds on the model's card.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsad.errors import InputError

Values = npt.NDArray[np.float64]
_EDGE = 1e-6
_NARROWEST = 0.01
FEWEST, MOST = 20, 100
"""Good parts that a family is taken from: below 20 the card's is used, above 100 they are worth more for t."""


@dataclass(frozen=True)
class Family:
    """Thresholds at ``logit = middle + t * width``, one pair for each strictness t.

    Attributes:
        score: middle and width of the image threshold's logit; the width above 0.
        region: middle and width of the pixel threshold's logit; the width above 0.
        source: where it comes from, in words.
    """

    score: tuple[float, float]
    region: tuple[float, float]
    source: str

    def extremeness(self, scores: Values, levels: Values) -> Values:
        """Return for each part the largest t at which it is rejected.

        Args:
            scores: float64 ``(n,)``, in [0, 1].
            levels: float64 ``(n,)``, region levels (:func:`zsad.calibration.level.region_level`), in [0, 1].

        Returns:
            float64 ``(n,)``; infinite where a score or level is 1, minus infinite where both are 0.
        """
        return np.maximum(_strictness(scores, self.score), _strictness(levels, self.region))

    def pair(self, t: float) -> tuple[float, float]:
        """Return image and pixel threshold above t: reached by what lies above t, and by nothing else.

        Raises:
            InputError: t is infinite: good parts reach 1, so that no threshold leaves them out.
        """
        return _least_above(t, self.score), _least_above(t, self.region)


def least_above(value: float) -> float:
    """Return the smallest float32 above a value: the threshold that it does not reach.

    Thresholds are float32, as maps are: numpy would round any other before it compares.

    Raises:
        InputError: the value is 1 already.

    >>> np.float32(0.5) < least_above(0.5) < 0.5000001
    True
    """
    if value >= 1.0:
        raise InputError(
            "good parts have the highest possible value, 1: no threshold can tell anything from them; "
            "try --rule score or --rule region, or another model"
        )
    return float(np.nextafter(np.float32(value), np.float32(2)))


def family_of_parts(scores: Values, levels: Values) -> Family:
    """Take a family from good parts that set no threshold: equal t is equally far out among them.

    t = 0 is their median and t = 1 nine tenths of them, of each of the two.

    Args:
        scores: float64 ``(m,)``, in [0, 1].
        levels: float64 ``(m,)``, in [0, 1].
    """
    return Family(_spread(scores), _spread(levels), f"{len(scores)} other good parts")


def family_of_card(image: float, pixel: float) -> Family:
    """Take a family from a card's thresholds, in [0, 1] or above for never: t moves both logits alike."""
    return Family(
        (float(_logit_inside(image)), 1.0), (float(_logit_inside(pixel)), 1.0), "the thresholds on the model's card"
    )


def _spread(values: Values) -> tuple[float, float]:
    middle, high = np.quantile(_logit_inside(values), (0.5, 0.9))
    return float(middle), float(max(high - middle, _NARROWEST))


def _logit_inside(values: npt.ArrayLike) -> Any:
    from scipy.special import logit

    return logit(np.clip(np.asarray(values, np.float64), _EDGE, 1.0 - _EDGE))


def _strictness(values: npt.ArrayLike, line: tuple[float, float]) -> Values:
    from scipy.special import logit

    return np.asarray((logit(np.asarray(values, np.float64)) - line[0]) / line[1])


def _least_above(t: float, line: tuple[float, float]) -> float:
    """Return the smallest float32 in [0, 1] whose strictness lies above t, by bits and not by rounding."""
    if t == np.inf:
        least_above(1.0)
    return _first_float(lambda value: bool(_strictness(value, line) > t))


def _first_float(holds: Callable[[float], bool]) -> float:
    """Return the smallest float32 in [0, 1] that a rising condition holds for; it holds for 1."""
    low, high = -1, int(np.float32(1.0).view(np.int32))  # the bits of floats of at least 0 rise as they do
    while high - low > 1:
        middle = (low + high) // 2
        value = float(np.int32(middle).view(np.float32))
        low, high = (low, middle) if holds(value) else (middle, high)
    return float(np.int32(high).view(np.float32))
