"""The torch twin of :class:`~zsad.scoring.direction_scorer.DirectionScorer`: exactly what goes into the ONNX graph.

With one anomalous direction ``softmax(u·t / τ)`` of two classes is ``sigmoid(u·(t_anomalous − t_normal) / τ)``: one dot
product with one fixed vector. Bilinear up-sampling and Gaussian smoothing are separable and linear, so that both
together are ``A P Aᵀ`` with one fixed matrix.

Source: AnomalyCLIP (ICLR 2024), section 3.3; order of operations as in its released code.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.card import ModelCard
from zsad.scoring.directions import check_vectors, graph_directions
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import PromptVectors


class DirectionHead(nn.Module):
    """Features -> map and score, with fixed directions.

    Buffers: ``image_direction`` ``(D,)`` and ``pixel_direction`` ``(L, D)``, the difference of the two text vectors
    divided by the temperature (``(K, D)`` and ``(L, K, D)`` for K > 1 anomalous directions); the exporter makes them
    replaceable. ``smoothing`` ``(S, G)`` and ``layer_weights`` ``(L, 1)``.

    Args:
        card: temperature, reduction, sigma, layer weights, score rule and sizes.
        vectors: the directions, one set for the score and one per layer for the map.

    Raises:
        PromptError: vectors of another width, number of layers or number of classes than the card's.
    """

    exchangeable = ("image_direction", "pixel_direction")
    image_direction: Tensor
    pixel_direction: Tensor
    smoothing: Tensor
    layer_weights: Tensor

    def __init__(self, card: ModelCard, vectors: PromptVectors) -> None:
        super().__init__()
        check_vectors(vectors, card)
        self.card = card
        image, pixel = graph_directions(vectors, card.scoring.temperature)
        self.register_buffer("image_direction", torch.from_numpy(image))
        self.register_buffer("pixel_direction", torch.from_numpy(pixel))
        matrix = smoothing_matrix(card.input.image_size, card.grid, card.scoring.sigma).astype(np.float32)
        self.register_buffer("smoothing", torch.from_numpy(matrix))
        weights = card.scoring.map_weights(len(card.reading.layers))
        self.register_buffer("layer_weights", torch.tensor(weights, dtype=torch.float32)[:, None])

    def forward(self, cls: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Score features.

        Args:
            cls: class features ``(B, D)``, not normalised.
            patches: patch features ``(B, L, N, D)``, not normalised.

        Returns:
            ``(map, score)``: float32 ``(B, S, S)`` and ``(B,)``, both in [0, 1].
        """
        prob = anomaly_probability(patches, self.pixel_direction, self.card.scoring.reduction)  # (B, L, N)
        prob = (prob * self.layer_weights).sum(dim=1)  # (B, N)
        grid = prob.reshape(-1, self.card.grid, self.card.grid)  # (B, G, G)
        smooth = (self.smoothing @ grid @ self.smoothing.T).clamp(0.0, 1.0)  # (B, S, S)
        return smooth, self.score(cls, smooth)

    def score(self, cls: Tensor, smooth: Tensor) -> Tensor:
        """Combine class feature ``(B, D)`` and smoothed map ``(B, S, S)`` to scores ``(B,)`` by the card's rule."""
        weight = self.card.scoring.fusion
        if weight == 0.0:
            return class_probability(cls, self.image_direction, self.card.scoring.reduction)
        top = smooth.flatten(1).topk(top_count(self.card.input.image_size), dim=1).values.mean(dim=1)  # (B,)
        if weight == 1.0:
            return top
        return weight * top + (1.0 - weight) * class_probability(cls, self.image_direction, self.card.scoring.reduction)


def anomaly_probability(patches: Tensor, direction: Tensor, reduction: str = "sum") -> Tensor:
    """Return ``p_anomalous`` of every patch, ``softmax`` of two written as a sigmoid of the difference.

    Args:
        patches: ``(B, L, N, D)``, not normalised, any float dtype; computed in float32.
        direction: float32 ``(L, D)``, ``(t_anomalous − t_normal) / τ``, or ``(L, K, D)`` for K > 1.
        reduction: of K > 1 directions, as in :func:`~zsad.scoring.directions.any_probability`.

    Returns:
        float32 ``(B, L, N)`` in [0, 1].
    """
    if direction.ndim == 2:
        return torch.sigmoid(_logit(patches, direction))
    patches = patches.float()
    return _any((patches @ direction.mT) / _length(patches)[..., None], reduction)


def class_probability(cls: Tensor, direction: Tensor, reduction: str = "sum") -> Tensor:
    """Return ``p_anomalous`` ``(B,)`` of class features ``(B, D)``, with direction ``(D,)`` or ``(K, D)`` as above."""
    cls = cls.float()
    if direction.ndim == 1:
        return torch.sigmoid((cls @ direction) / _length(cls))
    return _any((cls @ direction.mT) / _length(cls)[..., None], reduction)


def _any(logits: Tensor, reduction: str) -> Tensor:
    """Reduce logits ``(..., K)`` against normal to a probability ``(...)``."""
    prob = torch.softmax(F.pad(logits, (1, 0)), dim=-1)[..., 1:]  # normal's logit is 0
    return prob.sum(dim=-1) if reduction == "sum" else prob.amax(dim=-1)


def _logit(patches: Tensor, direction: Tensor) -> Tensor:
    """Return ``u·direction`` ``(B, L, N)`` of patches ``(B, L, N, D)`` with u their unit vectors."""
    patches = patches.float()
    # Normalising the product instead of the features saves a copy of them.
    return (patches @ direction[:, :, None]).squeeze(-1) / _length(patches)


def _length(x: Tensor) -> Tensor:
    """Euclidean length over the last axis, kept away from zero."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1)
    return length.clamp_min(1e-12)
