"""Detector -> ONNX file that the torch-free runtime reads, compared with the original or not written at all."""

from zsad.onnx_export.export import TOLERANCES, ExportReport, Tolerance, export
from zsad.onnx_export.quantize import float16_weights, int8_weights
from zsad.onnx_export.verify import Difference, compare

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
