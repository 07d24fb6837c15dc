"""One definition of each metric, in numpy: exact, fast, and refusing what can't be measured.

An undefined metric is ``nan`` with its reason, never 0; NaN and infinite scores raise :class:`zsad.errors.MetricError`.
"""

from __future__ import annotations

from zsad.metrics.aupro import aupro, aupro_200step
from zsad.metrics.curves import average_precision, f1_max, image_auroc
from zsad.metrics.metric import Metric
from zsad.metrics.pixels import pixel_auroc, pixel_metrics

__all__ = [
    "Metric",
    "aupro",
    "aupro_200step",
    "average_precision",
    "f1_max",
    "image_auroc",
    "pixel_auroc",
    "pixel_metrics",
]
