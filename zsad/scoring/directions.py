"""Features against directions: text pairs, trained prompts, language-free weights, and K named kinds of anomaly.

With u a unit feature, ``t_0`` the normal and ``t_k`` the anomalous unit vectors, the softmax of ``u·t / τ`` depends on
``l_k = u·(t_k − t_0) / τ`` alone: one dot product for each anomalous direction.

Source: AnomalyCLIP (ICLR 2024), section 3.3, for one anomalous direction; CLIP's softmax over texts for several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zsad.card import CardScoring, ModelCard
from zsad.errors import PromptError
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


def check_vectors(vectors: PromptVectors, card: ModelCard) -> None:
    """Refuse vectors that were made for another backbone, or for another number of classes.

    Raises:
        PromptError: vectors of another shape than ``(L, 1 + K, D)`` of the card.
    """
    want = (len(card.reading.layers), 1 + len(card.scoring.classes), card.reading.embed_dim)
    if vectors.pixel.shape != want:
        raise PromptError(
            f"prompt vectors of shape {vectors.pixel.shape} do not fit the backbone {card.label}, "
            f"which needs {want}; use a prompt made for it"
        )


def directions(vectors: PromptVectors, temperature: float) -> tuple[FloatArray, FloatArray]:
    """Return ``(t_k − t_0) / τ``, float32: ``(K, D)`` for the score and ``(L, K, D)`` for the map."""
    image, pixel = vectors.image.astype(np.float64), vectors.pixel.astype(np.float64)
    return (
        ((image[1:] - image[:1]) / temperature).astype(np.float32),
        ((pixel[:, 1:] - pixel[:, :1]) / temperature).astype(np.float32),
    )


def graph_directions(vectors: PromptVectors, temperature: float) -> tuple[FloatArray, FloatArray]:
    """Return :func:`directions` in the shapes that the ONNX graph has them: without the axis K where K is 1."""
    image, pixel = directions(vectors, temperature)
    return (image[0], pixel[:, 0]) if len(image) == 1 else (image, pixel)


def any_probability(logits: FloatArray, reduction: str) -> FloatArray:
    """Return the probability of being anomalous from logits against normal.

    Args:
        logits: float32 ``(..., K)``, l_k; normal's own logit is 0.
        reduction: ``"sum"``: that it is any of the K; ``"max"``: that it is the likeliest of them.

    Returns:
        float32 ``(...)`` in [0, 1]; for K = 1 the sigmoid of the logit, whatever the reduction.
    """
    top = np.maximum(logits.max(axis=-1, keepdims=True), 0.0)  # (..., 1), so that no exponential overflows
    parts = np.exp(logits - top)
    total = np.exp(-top[..., 0]) + parts.sum(axis=-1)
    chosen = parts.sum(axis=-1) if reduction == "sum" else parts.max(axis=-1)
    return np.asarray(chosen / total, dtype=np.float32)
