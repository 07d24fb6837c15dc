"""Any detector x labelled samples -> a table: per class, then the unweighted mean over classes.

Strict protocol: one image at a time, and nothing of one image (no normalisation, no threshold, no choice) depends on
another.
"""

from __future__ import annotations

from zsad.evaluation.loop import Options, evaluate, evaluate_class
from zsad.evaluation.table import METRICS, ClassTable, DatasetTable, ImageRecord, Table
from zsad.evaluation.view import Resolution, parse_resolution

__all__ = [
    "METRICS",
    "ClassTable",
    "DatasetTable",
    "ImageRecord",
    "Options",
    "Resolution",
    "Table",
    "evaluate",
    "evaluate_class",
    "parse_resolution",
]
