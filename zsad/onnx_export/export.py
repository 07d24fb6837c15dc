"""Detector -> ONNX file: written, checked, compared with the original, and only then put in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import onnx
import torch

from zsad.card import CARD_KEY, ModelCard
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.phrases import PHRASES_KEY, PhraseBook
from zsad.errors import ModelError, UsageError
from zsad.onnx_export.files import check_place, save, size, written_beside
from zsad.onnx_export.graph import trace
from zsad.onnx_export.quantize import float16_weights, int8_weights
from zsad.onnx_export.verify import Difference, check_images, compare
from zsad.types import ImageLike

if TYPE_CHECKING:
    from zsad.detector.torch_detector import TorchDetector

Weights = Literal["float32", "float16", "int8"]


@dataclass(frozen=True)
class Tolerance:
    """Largest absolute differences from the torch detector that a file may have.

    Attributes:
        map: of the map, in [0, 1].
        score: of the image score, in [0, 1].
    """

    map: float
    score: float


TOLERANCES: dict[Weights, Tolerance] = {
    "float32": Tolerance(map=1e-4, score=1e-5),
    "float16": Tolerance(map=2e-2, score=1e-2),
    "int8": Tolerance(map=1e-1, score=5e-2),
}
"""What each kind of weights may cost; the exporter raises above it."""

OPSETS = range(18, 24)
"""ONNX operator sets that can be written: 20 runs on onnxruntime 1.18 and newer, 23 needs 1.23."""


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how far it is from the original.

    Attributes:
        path: the file.
        size: bytes of the file, and of its weights file if there is one.
        nodes: number of operators.
        opset: ONNX operator set.
        weights: how the weights are stored.
        difference: largest differences from the torch detector on the check images.
        tolerance: what they were held against.
    """

    path: Path
    size: int
    nodes: int
    opset: int
    weights: Weights
    difference: Difference
    tolerance: Tolerance


def export(
    detector: TorchDetector,
    path: str | Path,
    *,
    opset: int = 20,
    weights: Weights = "float32",
    check: Sequence[ImageLike] | None = None,
    phrases: PhraseBook | None = None,
    split: bool | None = None,
    features: bool = False,
) -> ExportReport:
    """Write a detector as an ONNX file that carries its card.

    Args:
        detector: a torch detector, loaded in float32.
        path: where the file goes; it appears complete and checked, or not at all.
        opset: ONNX operator set, one of :data:`OPSETS`.
        weights: ``"float32"``; ``"float16"``: half the size, same speed; ``"int8"``: a quarter, faster on most CPUs.
        check: images to compare on, at batch 1 and 2; by default two generated contents.
        phrases: text vectors to store, so that prompts can be exchanged without torch.
        split: whether weights go to ``PATH.data``; by default only where one file can't hold them.
        features: whether the file also gives its features, so that other scorers work on them without torch.

    Raises:
        ModelError: the file is too far from the detector, or the detector can't be exported.
        OutputError: the place can't be written.
        UsageError: an unknown operator set or kind of weights, or a check of fewer than two images.
    """
    path = Path(path)
    _check_options(detector, opset, weights, check)
    check_place(path)
    head = detector.head
    if head is None:
        raise ModelError(f"{detector.card.label}: its scorer has no torch twin, so that it can't be exported")
    with torch.no_grad():
        model = trace(detector.backbone, head, opset, features=features)
    model.metadata_props[CARD_KEY] = _card(detector).to_json()
    if phrases:
        model.metadata_props[PHRASES_KEY] = phrases.to_json()
    with written_beside(path) as part:
        save(model, part, split)
        if weights == "float16":
            float16_weights(part, part)
        elif weights == "int8":
            int8_weights(part, part)
        onnx.checker.check_model(str(part), full_check=True)
        difference = _difference(detector, part, check)
        _hold(path, difference, TOLERANCES[weights])
        nodes = len(onnx.load(str(part), load_external_data=False).graph.node)
    return ExportReport(path, size(path), nodes, opset, weights, difference, TOLERANCES[weights])


def _check_options(detector: TorchDetector, opset: int, weights: str, check: Sequence[ImageLike] | None) -> None:
    if opset not in OPSETS:
        raise UsageError(f"opset {opset} can't be written: use {OPSETS[0]} to {OPSETS[-1]}")
    if weights not in TOLERANCES:
        raise UsageError(f"weights {weights!r} are unknown: use {', '.join(TOLERANCES)}")
    if check is not None and len(check) < 2:
        raise UsageError("the export is checked at batch 1 and 2: give at least two images")
    for name, value in detector.backbone.vision.named_parameters():
        if value.dtype != torch.float32 or value.device.type != "cpu":
            raise ModelError(
                f"{detector.card.provenance.name}: {name} is {value.dtype} on {value.device}; load it with "
                "dtype='float32' and device='cpu' to export it, the file itself runs anywhere"
            )


def _difference(detector: TorchDetector, part: Path, check: Sequence[ImageLike] | None) -> Difference:
    # Its session ends with this call: an open file can't be renamed on every system.
    exported = OnnxDetector(part, tile=detector.tile, bits=detector.bits, orient=detector.orient)
    return compare(detector, exported, check_images(detector.card.input.image_size) if check is None else check)


def _card(detector: TorchDetector) -> ModelCard:
    """Return the card with the thresholds that the detector judges by.

    Raises:
        UsageError: both of them are never.
    """
    judged = detector.thresholds
    limits = {"image": judged.image, "pixel": judged.pixel}
    numbers = {f"{name}_threshold": limit for name, limit in limits.items() if isinstance(limit, float)}
    used = [name for name in judged.uses if f"{name}_threshold" in numbers]
    if judged.judges and not used:
        raise UsageError("thresholds that nothing reaches don't go into a file: give one that is a number, or none")
    rule = {"image": "score", "pixel": "region"}[used[0]] if len(used) == 1 else "either"
    return detector.card.changed(
        **numbers, min_area=judged.min_area or 0.0, verdict_rule=rule, calibrated=judged.judges
    )


def _hold(path: Path, found: Difference, allowed: Tolerance) -> None:
    # Written so that NaN fails as well.
    if not (found.map <= allowed.map and found.score <= allowed.score):
        raise ModelError(
            f"{path}: not written, since it is too far from the detector: map {found.map:.2g} (at most "
            f"{allowed.map:g}), score {found.score:.2g} (at most {allowed.score:g}); export with float32 weights"
        )
