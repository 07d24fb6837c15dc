"""A detector without a network, for tests: anomalous is what differs from the image's median grey."""

from __future__ import annotations

import numpy as np

from zsad.card import ModelCard
from zsad.detector.base import Detector

CARD = ModelCard.of(
    name="contrast",
    backbone="none",
    image_size=64,
    patch_size=8,
    embed_dim=4,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    layers=(1,),
    sigma=0.0,
    score_rule="map_top1",
    description="Distance from the median grey; a stand-in for tests.",
)


class Contrast(Detector):
    """Map = twice the distance of each pixel from the image's median grey; score = mean of its highest 1 %."""

    def __init__(self, card: ModelCard = CARD, **options) -> None:
        super().__init__(card, **options)

    def _network(self, x):
        grey = x.mean(axis=1)  # (B, S, S)
        middle = np.median(grey, axis=(1, 2), keepdims=True)
        maps = np.clip(2 * np.abs(grey - middle), 0, 1).astype(np.float32)
        highest = max(1, maps[0].size // 100)
        scores = np.sort(maps.reshape(len(maps), -1), axis=1)[:, -highest:].mean(axis=1)
        return maps, scores.astype(np.float32)
