"""Detector -> ONNX file that the torch-free runtime reads, compared with the original or not written at all.

``bake`` puts a bundle's memory into its backbone's file with the package onnx alone; the rest needs torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from zsad.onnx_export.report import TOLERANCES, ExportReport, Tolerance
from zsad.onnx_export.verify import Difference, compare

if TYPE_CHECKING:
    from zsad.onnx_export.quantize import float16_weights, int8_weights
    from zsad.onnx_export.write import export

__all__ = [
    "TOLERANCES",
    "Difference",
    "ExportReport",
    "Tolerance",
    "compare",
    "export",
    "float16_weights",
    "int8_weights",
]

_WHERE = {"export": "write", "float16_weights": "quantize", "int8_weights": "quantize"}


def __getattr__(name: str) -> Any:
    # Lazy, so that `bake` works on a machine without torch.
    if name not in _WHERE:
        raise AttributeError(f"module 'zsad.onnx_export' has no attribute {name!r}")
    return getattr(importlib.import_module(f"zsad.onnx_export.{_WHERE[name]}"), name)
