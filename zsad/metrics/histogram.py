"""Pixel metrics from counts in bins, each with a bound on what the bins may hide.

Which of two scores in one bin is higher is unknown, so a metric is only known up to the mass of pairs (defect, normal)
that share a bin. The bound adds this up; a bin that holds a single float32 value hides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsad.metrics.aupro import FPR_LIMIT, counted

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Binned:
    """Counts of pixels in K bins, highest scores first; leading axes hold independent cases.

    Attributes:
        normal: ``(..., K)`` normal pixels, at least one.
        defect: ``(..., K)`` defect pixels, at least one.
        weight: ``(..., K)`` overlap weight of the defect pixels; sums to 1 along K.
        single: bool ``(K,)``, bins that hold one score only.
    """

    normal: npt.NDArray[Any]
    defect: npt.NDArray[Any]
    weight: Floats
    single: npt.NDArray[np.bool_]


def _before(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sum of the higher bins, without the bin itself."""
    return np.asarray(np.cumsum(counts, axis=-1) - counts)


def auroc_binned(bins: Binned) -> tuple[Floats, Floats]:
    """Return AUROC and its bound: a hidden pair counts half, so it is off by half at most."""
    P, M = bins.defect.sum(axis=-1), bins.normal.sum(axis=-1)
    below = M[..., None] - _before(bins.normal) - bins.normal
    value = (bins.defect * (below + bins.normal / 2)).sum(axis=-1) / (P * M)
    hidden = np.where(bins.single, 0, bins.defect * bins.normal).sum(axis=-1)
    return value, hidden / (2 * P * M)


def ap_binned(bins: Binned) -> tuple[Floats, Floats]:
    """Return average precision, the middle of what is possible, and half of that range.

    Most: all defect pixels of a bin tie above its normal ones. Least: one by one below them, where the sum of
    precisions ``(A+k)/(A+k+C)``, k = 1..p, is at least ``p - C log((A+C+p)/(A+C))``.
    """
    hits, alarms, p, n = _before(bins.defect), _before(bins.normal), bins.defect, bins.normal
    with np.errstate(divide="ignore", invalid="ignore"):
        most = np.nan_to_num(p * (hits + p) / (hits + p + alarms))
        tied = np.nan_to_num(p * (hits + p) / (hits + p + alarms + n))
        start = hits + alarms + n
        least = np.where(start > 0, p - (alarms + n) * np.log1p(p / np.maximum(start, 1)), p)
    P = bins.defect.sum(axis=-1)
    value = np.where(bins.single, tied, (most + least) / 2).sum(axis=-1) / P
    return value, np.where(bins.single, 0.0, (most - least) / 2).sum(axis=-1) / P


def f1_binned(bins: Binned) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return the best F1 at the edges of bins, how much better one inside a bin may be, and the bin of the edge."""
    hits, alarms = np.cumsum(bins.defect, axis=-1), np.cumsum(bins.normal, axis=-1)
    P = bins.defect.sum(axis=-1)[..., None]
    reached = 2 * hits / (hits + alarms + P)
    possible = np.where(bins.single, reached, 2 * hits / (hits + alarms - bins.normal + P))
    best = reached.argmax(axis=-1)
    value = reached.max(axis=-1)
    return value, np.maximum(possible.max(axis=-1) - value, 0.0), np.asarray(best)


def aupro_binned(bins: Binned, limit: float = FPR_LIMIT) -> tuple[Floats, Floats]:
    """Return AUPRO with ties inside of bins, and how far it may be off."""
    M = bins.normal.sum(axis=-1)[..., None]
    above = _before(bins.normal) / M
    reach = above + bins.normal / M
    found = counted(above, reach, limit)
    most, least = np.maximum(limit - above, 0.0), np.maximum(limit - reach, 0.0)
    off = np.where(bins.single, 0.0, bins.weight * np.maximum(most - found, found - least))
    return (bins.weight * found).sum(axis=-1) / limit, off.sum(axis=-1) / limit
