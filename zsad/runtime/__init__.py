"""The torch-free half of deployment: an exported ONNX file in, the same Result out."""

from zsad.runtime.session import OnnxDetector

__all__ = ["OnnxDetector"]
