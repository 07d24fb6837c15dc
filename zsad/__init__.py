"""Zero-shot anomaly segmentation: an image in, a heatmap out, no example of the anomaly needed.

The flow::

    item - decode - preprocess - backbone -> Features - scorer -> map, score - postprocess -> Result -> sinks
                                  frozen              directions: normal and anomalous

A frozen vision-language backbone turns an image into patch features; a scorer, by default with two text vectors,
*normal* and *anomalous*, learned once on auxiliary data, turns the features into a heatmap; one loop carries images
from a source to sinks; everything else measures, ships or explains the heatmap.

Shape vocabulary, in every comment and docstring:

=======  ====================================================
``B``    batch
``S``    input side in pixels
``G``    grid side, ``S / patch``
``N``    patches, ``G * G``
``L``    feature layers
``K``    named kinds of anomaly
``D``    width of the image-text space
``T``    frames, or tokens inside a tower
``H W``  original size in pixels
=======  ====================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zsad.calibration import calibrate, check_drift
    from zsad.card import ModelCard
    from zsad.detector.base import Detector
    from zsad.detector.loading import load
    from zsad.detector.onnx_detector import OnnxDetector
    from zsad.detector.torch_detector import TorchDetector
    from zsad.evaluation import evaluate
    from zsad.fitting import fit
    from zsad.training import train
    from zsad.types import Region, Result, Sample, Thresholds
    from zsad.video.detector import VideoDetector

__version__ = "0.2.0"

__all__ = [
    "Detector",
    "ModelCard",
    "OnnxDetector",
    "Region",
    "Result",
    "Sample",
    "Thresholds",
    "TorchDetector",
    "VideoDetector",
    "__version__",
    "calibrate",
    "check_drift",
    "evaluate",
    "fit",
    "load",
    "train",
]

_WHERE = {
    "Detector": "zsad.detector.base",
    "ModelCard": "zsad.card",
    "OnnxDetector": "zsad.detector.onnx_detector",
    "Region": "zsad.types",
    "Result": "zsad.types",
    "Sample": "zsad.types",
    "Thresholds": "zsad.types",
    "TorchDetector": "zsad.detector.torch_detector",
    "VideoDetector": "zsad.video.detector",
    "calibrate": "zsad.calibration",
    "check_drift": "zsad.calibration",
    "evaluate": "zsad.evaluation",
    "fit": "zsad.fitting",
    "load": "zsad.detector.loading",
    "train": "zsad.training",
}

_NEED_TORCH = ("TorchDetector", "train")


def __getattr__(name: str) -> Any:
    # Lazy, so that `import zsad` is quick and pulls in neither torch nor onnxruntime.
    if name in _WHERE:
        try:
            value = getattr(importlib.import_module(_WHERE[name]), name)
        except ModuleNotFoundError as error:
            if name not in _NEED_TORCH or str(error.name).startswith("zsad"):
                raise
            from zsad.errors import MissingExtraError

            raise MissingExtraError(f"zsad.{name}", "torch") from None
        globals()[name] = value
        return value
    raise AttributeError(f"module 'zsad' has no attribute {name!r}")


def __dir__() -> list[str]:
    # Without torch, help(zsad) would fail on the names that need it.
    from importlib.util import find_spec

    return sorted(name for name in __all__ if name not in _NEED_TORCH or find_spec("torch"))
