"""Thresholds of a trained prompt, measured on drawn scenes: where its regions are outlined, not what is rejected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zsad.detector.base import Detector
from zsad.metrics.curves import best_f1, rank_labels
from zsad.synthetic import scene_at


@dataclass(frozen=True)
class DrawnThresholds:
    """What was measured.

    Attributes:
        image: image score with the highest F1, in [0, 1].
        pixel: map value with the highest F1 over all pixels, in [0, 1].
        told: how, in words.
    """

    image: float
    pixel: float
    told: str


def drawn_thresholds(detector: Detector, count: int, seed: int) -> DrawnThresholds | None:
    """Measure thresholds on drawn scenes of families that no training sees, every second one with a defect.

    Good parts of a line score otherwise, so that a card with these is not calibrated, and gives no verdicts.

    Args:
        detector: with the prompt.
        count: scenes; 0 for none.
        seed: of the scenes.

    Returns:
        The thresholds, or None if there is no scene with a defect or none without.
    """
    S = detector.card.input.image_size
    side = max(32, S)
    scores, labels, values, truth = [], [], [], []
    for index in range(count):
        scene = scene_at(index, side, seed=seed, split="valid", anomalous=bool(index % 2))
        result = detector(scene.image)
        scores.append(result.score)
        labels.append(int(np.any(scene.mask)))
        values.append(result.map.ravel())
        truth.append((np.asarray(scene.mask) > 0).ravel())
    if len(set(labels)) < 2:
        return None
    image = best_f1(rank_labels(np.array(labels, np.uint8), np.array(scores, np.float64)))
    pixel = best_f1(rank_labels(np.concatenate(truth).astype(np.uint8), np.concatenate(values).astype(np.float64)))
    assert image.threshold is not None
    assert pixel.threshold is not None
    told = (
        f"highest F1 on {count} drawn scenes, every second one with a defect: {image.value:.3f} of images, "
        f"{pixel.value:.3f} of pixels"
    )
    return DrawnThresholds(round(image.threshold, 6), round(pixel.threshold, 6), told)
