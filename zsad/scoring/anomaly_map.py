"""Stage 4, features x vectors -> map and score: exactly what goes into the ONNX graph.

With u a unit feature and t the two unit text vectors, ``softmax(u·t / τ)`` of two classes is
``sigmoid(u·(t_anomalous − t_normal) / τ)``: one dot product with one fixed vector. Bilinear up-sampling
and Gaussian smoothing are separable and linear, so that both together are ``A P Aᵀ`` with one fixed matrix.

Source: AnomalyCLIP (ICLR 2024), section 3.3; order of operations as in its released code.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.card import ModelCard
from zsad.errors import PromptError
from zsad.types import PromptVectors

TRUNCATE = 4.0
"""Standard deviations after which the Gaussian is cut off, as in scipy."""


class AnomalyHead(nn.Module):
    """Features -> map and score, with fixed text vectors.

    Buffers: ``image_direction`` ``(D,)`` and ``pixel_direction`` ``(L, D)``, the difference of the two text
    vectors divided by the temperature; the exporter makes them replaceable. ``smoothing`` ``(S, G)`` and
    ``layer_weights`` ``(L, 1)``.

    Args:
        card: temperature, sigma, layer weights, score rule and sizes.
        vectors: the two text directions, one pair for the score and one per layer for the map.

    Raises:
        PromptError: vectors of another width or number of layers than the card's.
    """

    image_direction: Tensor
    pixel_direction: Tensor
    smoothing: Tensor
    layer_weights: Tensor

    def __init__(self, card: ModelCard, vectors: PromptVectors) -> None:
        super().__init__()
        want = (len(card.reading.layers), 2, card.reading.embed_dim)
        if vectors.pixel.shape != want:
            raise PromptError(
                f"prompt vectors of shape {vectors.pixel.shape} do not fit the backbone {card.label}, "
                f"which needs {want}; use a prompt made for it"
            )
        self.card = card
        image, pixel = directions(vectors, card.scoring.temperature)
        self.register_buffer("image_direction", torch.from_numpy(image))
        self.register_buffer("pixel_direction", torch.from_numpy(pixel))
        matrix = smoothing_matrix(card.input.image_size, card.grid, card.scoring.sigma).astype(np.float32)
        self.register_buffer("smoothing", torch.from_numpy(matrix))
        self.register_buffer(
            "layer_weights",
            torch.tensor(card.scoring.map_weights(len(card.reading.layers)), dtype=torch.float32)[:, None],
        )

    def forward(self, cls: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Score features.

        Args:
            cls: class features ``(B, D)``, not normalised.
            patches: patch features ``(B, L, N, D)``, not normalised.

        Returns:
            ``(map, score)``: float32 ``(B, S, S)`` and ``(B,)``, both in [0, 1].
        """
        prob = anomaly_probability(patches, self.pixel_direction)  # (B, L, N)
        prob = (prob * self.layer_weights).sum(dim=1)  # (B, N)
        grid = prob.reshape(-1, self.card.grid, self.card.grid)  # (B, G, G)
        smooth = (self.smoothing @ grid @ self.smoothing.T).clamp(0.0, 1.0)  # (B, S, S)
        return smooth, self.score(cls, smooth)

    def score(self, cls: Tensor, smooth: Tensor) -> Tensor:
        """Combine class feature ``(B, D)`` and smoothed map ``(B, S, S)`` to scores ``(B,)`` by the card's rule."""
        weight = self.card.scoring.fusion
        if weight == 0.0:
            return class_probability(cls, self.image_direction)
        top = smooth.flatten(1).topk(top_count(self.card.input.image_size), dim=1).values.mean(dim=1)  # (B,)
        if weight == 1.0:
            return top
        return weight * top + (1.0 - weight) * class_probability(cls, self.image_direction)


def anomaly_probability(patches: Tensor, direction: Tensor) -> Tensor:
    """Return ``p_anomalous`` of every patch, ``softmax`` of two written as a sigmoid of the difference.

    Args:
        patches: ``(B, L, N, D)``, not normalised, any float dtype; computed in float32.
        direction: float32 ``(L, D)``, ``(t_anomalous − t_normal) / τ``.

    Returns:
        float32 ``(B, L, N)`` in [0, 1].
    """
    return torch.sigmoid(_logit(patches, direction))


def class_probability(cls: Tensor, direction: Tensor) -> Tensor:
    """Return ``p_anomalous`` ``(B,)`` of class features ``(B, D)``, with direction ``(D,)`` as above."""
    cls = cls.float()
    return torch.sigmoid((cls @ direction) / _length(cls))


def similarity_maps(patches: Tensor, direction: Tensor, size: int) -> Tensor:
    """Return the up-sampled probabilities that training compares with masks; differentiable in both arguments.

    Args:
        patches: ``(B, L, N, D)``, not normalised.
        direction: ``(L, D)``, ``(t_anomalous − t_normal) / τ``.
        size: side S in pixels.

    Returns:
        float32 ``(B, L, 2, S, S)``: normal and anomalous, each from its own sigmoid, since one minus a
        probability near 1 loses the digits that a logarithm needs. Not smoothed. The published map is the sum
        of the anomalous ones over L, smoothed; this project's is the mean.
    """
    logit = _logit(patches, direction)  # (B, L, N)
    side = math.isqrt(logit.shape[-1])
    pair = torch.sigmoid(torch.stack([-logit, logit], dim=2)).flatten(0, 1)  # (B L, 2, N)
    grid = pair.reshape(-1, 2, side, side)  # (B L, 2, G, G)
    large = F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)  # (B L, 2, S, S)
    return large.reshape(*logit.shape[:2], 2, size, size)


def directions(vectors: PromptVectors, temperature: float) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return ``(t_anomalous − t_normal) / τ`` for the score ``(D,)`` and for the map ``(L, D)``, float32."""
    image, pixel = vectors.image.astype(np.float64), vectors.pixel.astype(np.float64)
    return (
        ((image[1] - image[0]) / temperature).astype(np.float32),
        ((pixel[:, 1] - pixel[:, 0]) / temperature).astype(np.float32),
    )


def top_count(size: int) -> int:
    """Return how many of the S x S map values are the highest 1 %, at least one.

    >>> top_count(518), top_count(8)
    (2683, 1)
    """
    return max(1, size * size // 100)


def smoothing_matrix(size: int, grid: int, sigma: float) -> npt.NDArray[np.float64]:
    """Build A ``(S, G)`` with ``A P Aᵀ`` = bilinear up-sampling of P ``(G, G)``, then a Gaussian at S x S.

    Every row sums to 1, so that probabilities stay probabilities. Bilinear as in
    ``interpolate(align_corners=False)``; the Gaussian as in ``scipy.ndimage.gaussian_filter`` with its default
    border, which mirrors about the edge of the outermost pixel.

    Args:
        size: side S of the map in pixels.
        grid: side G of the patch grid.
        sigma: standard deviation in pixels; 0 for none.
    """
    rows = np.arange(size)
    source = np.maximum((rows + 0.5) * grid / size - 0.5, 0.0)  # (S,)
    low = np.minimum(source.astype(np.int64), grid - 1)
    high = np.minimum(low + 1, grid - 1)
    bilinear = np.zeros((size, grid))  # (S, G)
    np.add.at(bilinear, (rows, low), 1.0 - (source - low))
    np.add.at(bilinear, (rows, high), source - low)
    radius = int(TRUNCATE * sigma + 0.5)
    if radius == 0:
        return bilinear
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    mirrored = (rows[:, None] + offsets[None, :]) % (2 * size)  # (S, 2 radius + 1)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    gaussian = np.zeros((size, size))  # (S, S)
    np.add.at(gaussian, (np.broadcast_to(rows[:, None], mirrored.shape), mirrored), kernel)
    return np.asarray(gaussian @ bilinear)


def _logit(patches: Tensor, direction: Tensor) -> Tensor:
    """Return ``u·direction`` ``(B, L, N)`` of patches ``(B, L, N, D)`` with u their unit vectors."""
    patches = patches.float()
    # Normalising the product instead of the features saves a copy of them.
    return (patches @ direction[:, :, None]).squeeze(-1) / _length(patches)


def _length(x: Tensor) -> Tensor:
    """Euclidean length over the last axis, kept away from zero."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1)
    return length.clamp_min(1e-12)
