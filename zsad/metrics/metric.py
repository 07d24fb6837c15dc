"""One measured value, and the checks that every score passes before it is ranked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from zsad.errors import MetricError

Scores: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Metric:
    """A measured value, or why there is none.

    Attributes:
        value: in [0, 1]; ``nan`` where the metric is undefined.
        reason: why it is undefined, or ``""``.
        threshold: the score that reaches this value, where a metric has one (F1-max).
        bound: largest possible distance between ``value`` and the exact one; 0 for an exact value.
    """

    value: float
    reason: str = ""
    threshold: float | None = None
    bound: float = 0.0

    def __float__(self) -> float:
        return self.value


def undefined(reason: str) -> Metric:
    """Return ``nan`` with its reason."""
    return Metric(float("nan"), reason)


def checked_scores(scores: npt.ArrayLike, what: str = "scores") -> Scores:
    """Return scores as float32 (from float16 and float32) or float64, refusing what can't be ranked.

    Raises:
        MetricError: a NaN or an infinite value, or not numbers.
    """
    array = np.asarray(scores)
    if array.dtype.kind not in "fiub":
        raise MetricError(f"{what}: dtype {array.dtype} is not a number")
    wanted = np.float32 if array.dtype in (np.float16, np.float32) else np.float64
    result: Scores = array.astype(wanted, copy=False)
    # One pass without a temporary of the array's size: a NaN or infinity survives in min or max.
    if result.size and not (np.isfinite(result.min()) and np.isfinite(result.max())):
        bad = int(result.size - np.isfinite(result).sum())
        raise MetricError(f"{what}: {bad} of {result.size} values are NaN or infinite and can't be ranked")
    return result


def checked_truth(truth: npt.ArrayLike, what: str = "labels") -> npt.NDArray[np.bool_]:
    """Return labels or mask pixels as bool.

    Raises:
        MetricError: a value other than 0 and 1.
    """
    array = np.asarray(truth)
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "fiu" or (array.size and not {array.min().item(), array.max().item()} <= {0, 1}):
        raise MetricError(f"{what}: only 0 (normal) and 1 (anomalous) are allowed")
    if array.itemsize == 1:
        return array.view(np.bool_)  # the same bytes, not copied
    result = array.astype(np.bool_)
    if array.dtype.kind == "f" and not np.array_equal(result, array):
        raise MetricError(f"{what}: only 0 (normal) and 1 (anomalous) are allowed")
    return result
