"""Any detector x labelled samples -> a table: per class, then the unweighted mean over classes.

Strict protocol: one image at a time, and nothing of one image (no normalisation, no threshold, no choice) depends on
another.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from zsad.evaluate.loop import Options, evaluate, evaluate_class
from zsad.evaluate.table import METRICS, ClassTable, DatasetTable, ImageRecord, Table
from zsad.evaluate.view import Resolution, parse_resolution

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


class _Callable(ModuleType):
    """Lets ``zsad.evaluate(...)`` work also after someone imported this module under the same name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Table:
        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
