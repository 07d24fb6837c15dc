"""All pixel metrics of one class from one sort."""

from __future__ import annotations

from zsad.metrics.aupro import FPR_LIMIT, RegionScores, aupro_200, exact_aupro, gather_maps, ranked_pixels
from zsad.metrics.curves import ap, auroc, best_f1
from zsad.metrics.metric import Metric
from zsad.metrics.regions import Maps

PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_aupro", "pixel_aupro_200step")


def pixel_metrics(masks: Maps, maps: Maps, limit: float = FPR_LIMIT) -> dict[str, Metric]:
    """Every pixel metric of a class, exact, from one sort.

    Args:
        masks: ``(n, H, W)`` or an iterable of ``(H, W)``, of 0 and 1.
        maps: the same, finite scores.
        limit: false positive rate at which AUPRO's integral ends, in (0, 1].

    Returns:
        ``pixel_auroc``, ``pixel_ap``, ``pixel_f1_max``, ``pixel_aupro`` and ``pixel_aupro_200step``, each in [0, 1] or
        ``nan`` with its reason.

    Raises:
        MetricError: NaN or infinite scores, other mask values, or sizes that differ.
    """
    return from_regions(gather_maps(masks, maps), limit)


def from_regions(scores: RegionScores, limit: float = FPR_LIMIT) -> dict[str, Metric]:
    """Compute every pixel metric from sorted pixels."""
    ranked = ranked_pixels(scores)
    return {
        "pixel_auroc": auroc(ranked),
        "pixel_ap": ap(ranked),
        "pixel_f1_max": best_f1(ranked),
        "pixel_aupro": exact_aupro(scores, ranked, limit),
        "pixel_aupro_200step": aupro_200(scores),
    }


def pixel_auroc(masks: Maps, maps: Maps) -> Metric:
    """Area under the ROC curve over all pixels of all maps, normal images included.

    Arguments and errors as :func:`pixel_metrics`.

    >>> import numpy as np
    >>> pixel_auroc(np.array([[[0, 0], [1, 1]]]), np.array([[[0.1, 0.4], [0.35, 0.8]]])).value
    0.75
    """
    return auroc(ranked_pixels(gather_maps(masks, maps)))
