"""Detector -> ONNX file that the torch-free runtime reads, compared with the original or not written at all."""

from zsad.exporting.export import TOLERANCES, ExportReport, Tolerance, export
from zsad.exporting.quantize import float16_weights, int8_weights
from zsad.exporting.verify import Difference, compare

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
