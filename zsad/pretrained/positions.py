"""The position table at another grid: bicubic as in torch and ONNX, as one matrix from both sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsad.types import FloatArray

A = -0.75
"""Keys' parameter, as torch and ONNX's ``cubic_coeff_a`` have it."""


def resize_positions(table: FloatArray, grid: int) -> FloatArray:
    """Resize a position table with a class token from its own grid to another.

    Args:
        table: float32 ``(1, 1 + N, W)``, N = G².
        grid: side of the new grid.

    Returns:
        float32 ``(1, 1 + grid², W)``; the class token's row is unchanged.

    Source: Keys, 1981; ``F.interpolate(mode="bicubic", align_corners=False)`` without anti-aliasing.
    """
    own = round((table.shape[1] - 1) ** 0.5)
    if own == grid:
        return table
    matrix = cubic_matrix(own, grid)  # (grid, G)
    squares = table[0, 1:].reshape(own, own, -1).astype(np.float64)  # (G, G, W)
    resized = np.einsum("yi,xj,ijw->yxw", matrix, matrix, squares, optimize=True)
    patches = resized.reshape(1, grid * grid, -1).astype(np.float32)
    return np.concatenate([table[:, :1], patches], axis=1)


def cubic_matrix(source: int, target: int) -> npt.NDArray[np.float64]:
    """Return the bicubic interpolation along one axis, ``(target, source)``; rows sum to 1.

    >>> bool(np.allclose(cubic_matrix(5, 5), np.eye(5)))
    True
    """
    rows = np.arange(target)
    centre = (rows + 0.5) * source / target - 0.5
    low = np.floor(centre).astype(np.int64)
    matrix = np.zeros((target, source))
    for offset in range(-1, 3):
        places = np.clip(low + offset, 0, source - 1)
        np.add.at(matrix, (rows, places), _keys(np.abs(centre - (low + offset))))
    return matrix


def _keys(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    near = ((A + 2) * x - (A + 3)) * x * x + 1
    far = ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
    return np.asarray(np.where(x <= 1, near, far))
