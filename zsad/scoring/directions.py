"""Directions as numbers: what text pairs, trained prompts, language-free weights and K kinds of anomaly have in common.

With u a unit feature, ``t_0`` the normal and ``t_k`` the anomalous unit vectors, the softmax of ``u·t / τ`` depends on
``l_k = u·(t_k − t_0) / τ`` alone: one dot product for each anomalous direction.

Source: AnomalyCLIP (ICLR 2024), section 3.3, for one anomalous direction; CLIP's softmax over texts for several.
"""

from __future__ import annotations

import numpy as np

from zsad.card import ModelCard
from zsad.errors import PromptError
from zsad.types import FloatArray, PromptVectors


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
