"""Models that learned to score videos, as far as they work without torch: their card, windows of features, ONNX.

The networks themselves, and their training, are in ``zsad.video.weak``.
"""
