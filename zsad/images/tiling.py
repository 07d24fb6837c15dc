"""Large image -> overlapping tiles and back to one map, blended without seams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zsad.errors import UsageError
from zsad.types import FloatArray

OVERLAP = 0.25
"""Fraction of a tile's side that neighbouring tiles share at least."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of an image: rows ``top`` to ``top + height``, columns ``left`` to ``left + width``."""

    top: int
    left: int
    height: int
    width: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(left, upper, right, lower)`` as PIL's crop wants it."""
        return self.left, self.top, self.left + self.width, self.top + self.height


def split(size: tuple[int, int], side: int, overlap: float = OVERLAP) -> list[Tile]:
    """Cover an image with tiles of equal size, evenly spaced, first and last flush with the border.

    Args:
        size: ``(H, W)`` in pixels.
        side: side of a tile in pixels; a shorter image side is covered by one tile of that length.
        overlap: fraction of a tile that neighbours share at least, in [0, 1).

    Returns:
        Tiles in row order.

    Raises:
        UsageError: a side below 32 px or an overlap outside of [0, 1).

    >>> [tile.left for tile in split((100, 250), 100)]
    [0, 75, 150]
    """
    if side < 32 or not 0 <= overlap < 1:
        raise UsageError(f"tiles of {side} px with overlap {overlap:g}: use at least 32 px and an overlap in [0, 1)")
    H, W = size
    height, width = min(side, H), min(side, W)
    return [
        Tile(top, left, height, width) for top in _starts(H, height, overlap) for left in _starts(W, width, overlap)
    ]


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length == side:
        return [0]
    step = max(1.0, side * (1.0 - overlap))
    count = int(np.ceil((length - side) / step)) + 1
    return [int(start) for start in np.rint(np.linspace(0, length - side, count))]


def blend(size: tuple[int, int], tiles: Iterable[tuple[Tile, FloatArray]]) -> FloatArray:
    """Average overlapping tile maps, weighted by a Hann window, so that no seam shows.

    Args:
        size: ``(H, W)`` of the whole image.
        tiles: tiles that cover it with their float32 ``(height, width)`` maps in [0, 1]; read one at a time.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    total = np.zeros(size, np.float32)
    weight = np.zeros(size, np.float32)
    for tile, values in tiles:
        rows, columns = slice(tile.top, tile.top + tile.height), slice(tile.left, tile.left + tile.width)
        window = np.outer(_hann(tile.height), _hann(tile.width))
        total[rows, columns] += window * values
        weight[rows, columns] += window
    # In place: these arrays are as large as the image.
    np.divide(total, weight, out=total)
    return np.clip(total, 0.0, 1.0, out=total)


def _hann(n: int) -> FloatArray:
    # Sampled at pixel centres, hence above 0 at the border, where a single tile has the only say.
    window: FloatArray = (np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2).astype(np.float32)
    return window
