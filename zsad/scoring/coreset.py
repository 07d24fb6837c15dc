"""Coreset: few patches that cover many, by greedy k-centre selection on a random projection.

Source: Gonzalez (1985), farthest-first traversal, whose covering radius is at most twice the smallest possible one;
PatchCore (Roth et al., CVPR 2022) for its use on patches and the random projection (Johnson and Lindenstrauss).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zsad.scoring.memory import nearest
from zsad.types import FloatArray

WIDTH = 64
"""Width of the random projection on which patches are compared."""
MOST = 100_000
"""Patches of a layer that a selection is made from; of more, as many are drawn."""


@dataclass(frozen=True)
class Coreset:
    """What was kept of many vectors.

    Attributes:
        indices: rows that were kept, in the order of their choice.
        radius: largest distance ``(1 - cosine) / 2`` of a row to the nearest one that was kept, in [0, 1].
    """

    indices: npt.NDArray[np.int64] = field(repr=False)
    radius: float


def coreset(units: FloatArray, size: int, seed: int = 0) -> Coreset:
    """Keep few of many unit vectors so that none is far from those that are kept.

    Args:
        units: float32 unit vectors ``(M, D)``.
        size: how many are kept; all, if there are no more.
        seed: of the projection and of the first choice.

    Returns:
        The rows, and the covering radius among all M.
    """
    if len(units) <= size:
        return Coreset(np.arange(len(units)), 0.0)
    indices = farthest_first(projected(units, seed), size, seed)
    return Coreset(indices, covering_radius(units, units[indices]))


def projected(units: FloatArray, seed: int = 0, width: int = WIDTH) -> FloatArray:
    """Project ``(M, D)`` to ``(M, width)`` at random, which keeps distances on average; as it is if D is no larger."""
    if units.shape[1] <= width:
        return units
    matrix = np.random.default_rng([seed, 1]).standard_normal((units.shape[1], width)).astype(np.float32)
    return units @ (matrix / np.float32(np.sqrt(width)))


def farthest_first(x: FloatArray, size: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Choose rows one by one, each the farthest from those chosen before, up to the rounding of float32 squares.

    Bounds by the triangle inequality were tried: at this width distances are too much alike for them to save anything.

    Args:
        x: float32 ``(M, d)``.
        size: number of rows, at most M.
        seed: of the first choice.

    Returns:
        int64 ``(size,)``; of equally far rows the first is chosen.
    """
    x = x - x.mean(axis=0)  # shorter vectors, smaller squares
    squares = np.einsum("md,md->m", x, x)
    chosen = np.empty(size, np.int64)
    chosen[0] = np.random.default_rng([seed, 2]).integers(len(x))
    distance = np.full(len(x), np.inf, np.float32)  # (M,), square of each row's distance to its nearest centre
    product = np.empty(len(x), np.float32)
    for k in range(size):
        if k:
            chosen[k] = int(distance.argmax())
        centre = chosen[k]
        np.matmul(x, np.float32(-2) * x[centre], out=product)  # one pass over x
        product += squares
        product += squares[centre]
        np.minimum(distance, product, out=distance)
        distance[centre] = -np.inf  # never chosen again
    return chosen


def covering_radius(units: FloatArray, kept: FloatArray, block: int = 2048) -> float:
    """Return the largest distance ``(1 - cosine) / 2`` of rows ``(M, D)`` to the nearest of ``(K, D)``, in [0, 1]."""
    worst = min(float(nearest(units[i : i + block], kept).min()) for i in range(0, len(units), block))
    return min(1.0, max(0.0, (1 - worst) / 2))
