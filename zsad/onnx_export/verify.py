"""How far an ONNX file is from a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from zsad.detector.base import Detector
from zsad.types import ImageLike


@dataclass(frozen=True)
class Difference:
    """Largest absolute differences over images, batch sizes and pixels.

    Attributes:
        map: of the maps, in [0, 1].
        score: of the image scores, in [0, 1].
        flipped: share of pixels that lie on the other side of the pixel threshold (of the outline where none is given).
    """

    map: float
    score: float
    flipped: float = 0.0


def compare(one: Detector, other: Detector, images: Sequence[ImageLike]) -> Difference:
    """Run two detectors on the same images, singly and in pairs.

    Args:
        one: the original; its pixel threshold, or its outline, counts flipped pixels.
        other: such as the exported file.
        images: what :meth:`~zsad.detector.base.Detector.__call__` takes.
    """
    batches = [[image] for image in images] + [list(pair) for pair in pairwise(images)]
    largest = score = 0.0
    flipped: list[float] = []
    for batch in batches:
        for a, b in zip(one.batch(batch), other.batch(batch), strict=True):
            largest = max(largest, float(np.abs(a.map - b.map).max()))
            score = max(score, abs(a.score - b.score))
            flipped.append(float(np.mean(a.mask != replace(b, thresholds=a.thresholds, outline=a.outline).mask)))
    return Difference(largest, score, float(np.mean(flipped)) if flipped else 0.0)


def check_images(side: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Return two contents that the export is checked on, uint8 ``(S, S, 3)``: noise, and shapes on a gradient."""
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    ramp = np.linspace(30, 220, side)
    shapes = np.stack([np.add.outer(ramp, ramp) / 2, np.tile(ramp, (side, 1)), np.full((side, side), 128)], axis=-1)
    shapes[side // 4 : side // 3, side // 5 : side // 2] = (200, 20, 60)
    return [noise, shapes.astype(np.uint8)]
