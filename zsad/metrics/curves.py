"""AUROC, average precision and F1-max from one sort, equal to scikit-learn's with ties handled exactly.

All three depend on the data only through, for each distinct positive score ``t``, the number of negatives above
``t`` and equal to it. So the negatives' *values* are sorted (no argsort), the positives' values too, and two binary
searches give every count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsad.errors import MetricError
from zsad.metrics.metric import Metric, Scores, checked_scores, checked_truth, undefined

Counts = npt.NDArray[np.int64]

BLOCK = 4096
"""Distinct positive scores that are counted at a time."""
NO_SCORES = "no scores"
NO_POSITIVES = "only one class present: nothing is anomalous"
NO_NEGATIVES = "only one class present: nothing is normal"


@dataclass(frozen=True)
class RankedScores:
    """The counts at each distinct positive score, highest score first; K of them.

    Attributes:
        values: ``(K,)`` distinct positive scores, descending.
        hits: int64 ``(K,)``, positives with a score of at least ``values[k]``.
        above: int64 ``(K,)``, negatives with a score above ``values[k]``.
        reach: int64 ``(K,)``, negatives with a score of at least ``values[k]``.
        positives: number of positives.
        negatives: number of negatives.
    """

    values: Scores
    hits: Counts
    above: Counts
    reach: Counts
    positives: int
    negatives: int


def rank(negatives: Scores, positives: Scores, *, ordered: bool = False) -> RankedScores:
    """Count negatives beside each distinct positive score.

    Args:
        negatives: ``(M,)`` finite scores of what is normal.
        positives: ``(P,)`` finite scores of what is anomalous.
        ordered: both are already ascending.

    Returns:
        The counts that every curve is made of.
    """
    if not ordered:
        negatives, positives = np.sort(negatives), np.sort(positives)
    starts = np.flatnonzero(np.concatenate([positives[:1] == positives[:1], positives[1:] != positives[:-1]]))
    values = positives[starts]
    below, until = _places(negatives, values)
    return RankedScores(
        values=values[::-1],
        hits=positives.size - starts[::-1],
        above=negatives.size - until[::-1],
        reach=negatives.size - below[::-1],
        positives=int(positives.size),
        negatives=int(negatives.size),
    )


def _places(ordered: Scores, values: Scores) -> tuple[Counts, Counts]:
    """Return how many of the ordered scores are below each value, and how many are at most as high.

    Values ascend, so a block of them needs a stretch of the scores only, which stays in the processor's cache.
    """
    below, until = np.empty(values.size, np.int64), np.empty(values.size, np.int64)
    for first in range(0, values.size, BLOCK):
        block = slice(first, first + BLOCK)
        low, high = ordered.searchsorted(values[block][0], "left"), ordered.searchsorted(values[block][-1], "right")
        stretch = ordered[low:high]
        below[block] = stretch.searchsorted(values[block], "left") + low
        until[block] = stretch.searchsorted(values[block], "right") + low
    return below, until


def auroc(ranked: RankedScores) -> Metric:
    """Area under the ROC curve: the chance that a positive outranks a negative, a tie counting half.

    Source: Mann-Whitney U statistic; counted in integers, divided once.
    """
    if reason := one_class(ranked):
        return undefined(reason)
    group = np.diff(ranked.hits, prepend=0)
    # A positive beats the negatives below it and half of those equal to it.
    doubled = int((group * (2 * ranked.negatives - ranked.above - ranked.reach)).sum())
    return Metric(doubled / (2 * ranked.positives * ranked.negatives))


def ap(ranked: RankedScores) -> Metric:
    """Average precision: precision summed over the steps of recall, without interpolation.

    Source: AP = sum_k (R_k - R_{k-1}) P_k, as in scikit-learn's ``average_precision_score``.
    """
    if reason := one_class(ranked):
        return undefined(reason)
    group = np.diff(ranked.hits, prepend=0)
    precision = ranked.hits / (ranked.hits + ranked.reach)
    return Metric(float((group * precision).sum() / ranked.positives))


def best_f1(ranked: RankedScores) -> Metric:
    """Largest F1 over all thresholds, with the threshold (an item counts if its score reaches it).

    Between two positive scores a lower threshold only adds false alarms, so positive scores suffice; of equal
    values the highest threshold is returned.

    Source: F1 = 2 TP / (2 TP + FP + FN).
    """
    if reason := one_class(ranked):
        return undefined(reason)
    values = 2.0 * ranked.hits / (ranked.hits + ranked.reach + ranked.positives)
    best = int(values.argmax())
    return Metric(float(values[best]), threshold=float(ranked.values[best]))


def roc_curve(ranked: RankedScores, points: int = 200) -> list[list[float]]:
    """Return points of the ROC curve for a figure: ``[false positive rate, true positive rate]``, or nothing."""
    if one_class(ranked):
        return []
    fpr = np.concatenate([[0.0], np.ravel(np.column_stack([ranked.above, ranked.reach])) / ranked.negatives, [1.0]])
    before = ranked.hits - np.diff(ranked.hits, prepend=0)
    tpr = np.concatenate([[0.0], np.ravel(np.column_stack([before, ranked.hits])) / ranked.positives, [1.0]])
    kept = np.unique(np.linspace(0, fpr.size - 1, min(points, fpr.size)).astype(np.int64))
    return [[round(float(x), 5), round(float(y), 5)] for x, y in zip(fpr[kept], tpr[kept], strict=True)]


def one_class(ranked: RankedScores) -> str:
    """Return why a metric that needs both classes is undefined, or an empty string."""
    if not ranked.positives:
        return NO_POSITIVES if ranked.negatives else NO_SCORES
    return "" if ranked.negatives else NO_NEGATIVES


def rank_labels(labels: npt.ArrayLike, scores: npt.ArrayLike) -> RankedScores:
    """Check, split and rank labelled scores of one shape.

    Args:
        labels: 0 or 1, any shape.
        scores: finite numbers of the same shape.

    Raises:
        MetricError: NaN or infinite scores, other labels, or shapes that differ.
    """
    truth, values = checked_truth(labels), checked_scores(scores)
    if truth.shape != values.shape:
        raise MetricError(f"labels {truth.shape} and scores {values.shape} must have the same shape")
    return rank(values[~truth], values[truth])


def image_auroc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Metric:
    """Area under the ROC curve of image scores.

    Args:
        labels: ``(n,)`` of 0 (normal) and 1 (anomalous).
        scores: ``(n,)`` finite.

    Returns:
        In [0, 1]; ``nan`` with its reason if only one class is present.

    Raises:
        MetricError: NaN or infinite scores, other labels, or shapes that differ.

    >>> image_auroc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    return auroc(rank_labels(labels, scores))


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Metric:
    """Average precision of image or pixel scores; see :func:`image_auroc` for arguments and errors.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value, 4)
    0.8333
    """
    return ap(rank_labels(labels, scores))


def f1_max(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Metric:
    """Largest F1 over all thresholds, with its threshold; see :func:`image_auroc` for arguments and errors.

    >>> f1_max([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    Metric(value=0.8, reason='', threshold=0.35, bound=0.0)
    """
    return best_f1(rank_labels(labels, scores))
