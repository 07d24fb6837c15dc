"""What an export says of itself, and what it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.errors import ModelError, UsageError
from zsad.onnx_export.verify import Difference

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


def hold(path: Path, found: Difference, allowed: Tolerance) -> None:
    """Refuse a file that is too far from the detector.

    Raises:
        ModelError: it is.
    """
    # Written so that NaN fails as well.
    if not (found.map <= allowed.map and found.score <= allowed.score):
        raise ModelError(
            f"{path}: not written, since it is too far from the detector: map {found.map:.2g} (at most "
            f"{allowed.map:g}), score {found.score:.2g} (at most {allowed.score:g}); export with float32 weights"
        )


def judged_card(detector: Detector) -> ModelCard:
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
