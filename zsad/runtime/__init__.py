"""The torch-free half of deployment: an exported ONNX file in, the same Result out."""

from zsad.detector.onnx_detector import OnnxDetector

__all__ = ["OnnxDetector"]
