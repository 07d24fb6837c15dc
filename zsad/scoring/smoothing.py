"""Patch grid -> S x S map: bilinear up-sampling and a Gaussian as one matrix, applied from both sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

TRUNCATE = 4.0
"""Standard deviations after which the Gaussian is cut off, as in scipy."""


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


def top_count(size: int) -> int:
    """Return how many of the S x S map values are the highest 1 %, at least one.

    >>> top_count(518), top_count(8)
    (2683, 1)
    """
    return max(1, size * size // 100)


def highest(values: npt.NDArray[np.float32], count: int) -> float:
    """Return the mean of the ``count`` highest values, at least one, of an array of any shape.

    >>> round(highest(np.array([[0.1, 0.5], [0.9, 0.7]], np.float32), 2), 6)
    0.8
    """
    flat = values.ravel()
    return float(np.partition(flat, -count)[-count:].mean(dtype=np.float64))
