"""Features against directions, with numpy alone; ``direction_head`` is its torch twin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zsad.card import CardScoring, ModelCard
from zsad.scoring.directions import any_probability, check_vectors, directions
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import Features, FloatArray, PromptVectors

if TYPE_CHECKING:
    from zsad.scoring.direction_head import DirectionHead


class DirectionScorer:
    """Scores features by their directions, as the card's temperature, reduction, smoothing and score rule say.

    Args:
        vectors: the directions, for the score and for each feature layer.
        card: of the model whose features are scored; its ``scoring`` group becomes this scorer's.

    Raises:
        PromptError: vectors of another width, number of layers or number of classes than the card's.
    """

    def __init__(self, vectors: PromptVectors, card: ModelCard) -> None:
        check_vectors(vectors, card)
        self.vectors = vectors
        self._model = card
        self._image, self._pixel = directions(vectors, card.scoring.temperature)
        self._smoothing = smoothing_matrix(card.input.image_size, card.grid, card.scoring.sigma).astype(np.float32)
        weights = card.scoring.map_weights(len(card.reading.layers))
        self._weights = np.asarray(weights, dtype=np.float32)[:, None]  # (L, 1)

    def card(self) -> CardScoring:
        """Return the scoring group of the card."""
        return self._model.scoring

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Score each image by itself.

        Args:
            features: of B images, of the model that the card describes.

        Returns:
            ``(maps, scores)``: float32 ``(B, S, S)`` and ``(B,)``, in [0, 1].
        """
        G = self._model.grid
        prob = self._probability(features.patches, self._pixel)  # (B, L, N)
        grid = (prob * self._weights).sum(axis=1).reshape(-1, G, G)  # (B, G, G)
        maps = np.clip(self._smoothing @ grid @ self._smoothing.T, 0.0, 1.0)  # (B, S, S)
        return maps, self._scores(features.cls, maps)

    def module(self) -> DirectionHead:
        """Return the torch twin, which goes into the ONNX graph."""
        from zsad.scoring.direction_head import DirectionHead

        return DirectionHead(self._model, self.vectors)

    def _scores(self, cls: FloatArray, maps: FloatArray) -> FloatArray:
        weight = self._model.scoring.fusion
        by_class = np.zeros(len(cls), np.float32) if weight == 1.0 else self._probability(cls, self._image)  # (B,)
        if weight == 0.0:
            return by_class
        count = top_count(self._model.input.image_size)
        highest = np.partition(maps.reshape(len(maps), -1), -count, axis=1)[:, -count:].mean(axis=1)  # (B,)
        return np.asarray(weight * highest + (1.0 - weight) * by_class, dtype=np.float32)

    def _probability(self, x: FloatArray, direction: FloatArray) -> FloatArray:
        """Return p_anomalous of ``(B, D)`` with directions ``(K, D)``, or of ``(B, L, N, D)`` with ``(L, K, D)``."""
        length = np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
        logits = (x @ np.swapaxes(direction, -1, -2)) / length  # (..., K)
        return any_probability(logits, self._model.scoring.reduction)
