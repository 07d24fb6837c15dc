"""Detector -> ONNX file: written, checked, compared with the original, and only then put in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch

from zsad.card import CARD_KEY
from zsad.detector.learned import LEARNED_KEY, listed
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.phrases import PHRASES_KEY, PhraseBook
from zsad.errors import ModelError, UsageError
from zsad.onnx_export.files import check_place, save, size, written_beside
from zsad.onnx_export.graph import trace
from zsad.onnx_export.quantize import float16_weights, int8_weights
from zsad.onnx_export.report import TOLERANCES, ExportReport, Weights, hold, judged_card
from zsad.onnx_export.verify import Difference, check_images, compare
from zsad.types import ImageLike

if TYPE_CHECKING:
    from zsad.detector.torch_detector import TorchDetector

OPSETS = range(18, 24)
"""ONNX operator sets that can be written: 20 runs on onnxruntime 1.18 and newer, 23 needs 1.23."""


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
    model.metadata_props[CARD_KEY] = judged_card(detector).to_json()
    if detector.learned:
        model.metadata_props[LEARNED_KEY] = listed(detector.learned)
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
        hold(path, difference, TOLERANCES[weights])
        nodes = _operators(onnx.load(str(part), load_external_data=False).graph)
    return ExportReport(path, size(path), nodes, opset, weights, difference, TOLERANCES[weights])


def _operators(graph: onnx.GraphProto) -> int:
    """Count the operators of a graph, and of the graphs inside of them."""
    inner = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return len(graph.node) + sum(_operators(one) for one in inner)


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
