"""The network that features of frames come from: an ONNX file without torch, or a backbone through torch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from zsad import paths
from zsad.detector.bundle import is_bundle
from zsad.detector.loading import BUNDLED, load
from zsad.errors import MissingExtraError, UsageError
from zsad.outside import printable

if TYPE_CHECKING:
    from zsad.detector.base import Detector


def feature_detector(name: str = BUNDLED, *, device: str = "cpu", dtype: str = "float32") -> Detector:
    """Open a network for the image features of frames, at its native size.

    Args:
        name: an ONNX file with features, ``"tiny"``, a model of ``zsad models get``, or an id of
            :func:`zsad.backbone.load_backbone`, such as ``"ViT-B-16/openai"`` or ``"timm:NAME"``.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``; through torch only.

    Returns:
        A detector whose ``features(images).cls`` is the model's own image feature: of CLIP the projected class token
        after the final norm, of timm its pooled feature. Of an ONNX file it is what its card says under ``reading``.

    Raises:
        UsageError: a bundle, or no such name.
        ModelError: it can't be loaded, or an ONNX file was exported without features.
        MissingExtraError: it needs torch, which is not installed.
    """
    if is_bundle(name):
        raise UsageError(f"{printable(name)}: is a bundle; features come from its backbone, give that")
    if name == BUNDLED or name.lower().endswith(".onnx") or paths.built_model(name) is not None:
        found = load(name, device=device, dtype=dtype)
        _probe(found)
        return found
    if "/" not in name and ":" not in name and not Path(name).exists():
        raise UsageError(f"backbone {printable(name)}: is not known; `zsad models` lists what can be loaded")
    if find_spec("torch") is None:
        raise MissingExtraError(f"backbone {printable(name)}", "torch")
    from zsad.backbone import load_backbone
    from zsad.detector.torch_detector import TorchDetector
    from zsad.scoring.scorer import Unscored

    tower = load_backbone(name, vv_blocks=0, class_norm=True, device=device, dtype=dtype)
    return TorchDetector(tower, Unscored())


def _probe(detector: Detector) -> None:
    """Ask for features once, so that a file without them is told before hours of video are read."""
    import numpy as np

    detector.features([np.full((32, 32, 3), 128, np.uint8)])
