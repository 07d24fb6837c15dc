"""Large image -> overlapping tiles and back to one map: blended without seams, then added to what the whole says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from zsad.errors import UsageError
from zsad.images.preprocess import MAX_ASPECT
from zsad.types import FloatArray

OVERLAP = 0.25
"""Fraction of a tile's side that neighbouring tiles share at least."""
CONTEXT = 1 / 16
"""Fraction of a tile's side, at each border inside of the image, that the network sees and that does not count: what
lies there is judged by the neighbour, which sees what is around it."""
LARGE = 4.0
"""Times the network's side from which an image is large: a patch of 16 pixels then covers 64 of the image."""
AUTO = 2
"""Times the network's side that ``auto`` makes tiles: 4 pixels of the image on one of the network's."""
LEAST = 32
"""Smallest side of a tile in pixels."""
ORDINARY = 0.75
"""Quantile of an image's tile maps that counts as ordinary in it."""
_EVENLY = 1_000_000
"""Pixels, evenly spread, that the quantile is taken of at most."""
_NOTHING = 1e-6
_DIGITS = 9

TileSide: TypeAlias = int | Literal["auto"] | None
"""Side of tiles in pixels; ``"auto"`` chooses it, and whether to tile at all, by the network's side; None for none."""


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

    def share(self, size: tuple[int, int]) -> float:
        """Return how much of an image of ``size`` (H, W) the tile covers, in (0, 1]."""
        return self.height * self.width / (size[0] * size[1])


def check_tile(tile: TileSide) -> None:
    """Refuse a side of tiles that is none.

    Raises:
        UsageError: neither None, ``"auto"`` nor a whole number of at least 32.
    """
    if tile is None or tile == "auto":
        return
    if isinstance(tile, bool) or not isinstance(tile, int):
        raise UsageError(f"tile is auto or a side in pixels, got {tile!r:.40}")
    if tile < LEAST:
        raise UsageError(f"tile of {tile} px is too small: use at least {LEAST} px, or auto")


def parse_tile(text: str | None) -> TileSide:
    """Read ``auto`` or a side in pixels.

    Raises:
        UsageError: anything else.

    >>> parse_tile("auto"), parse_tile("512")
    ('auto', 512)
    """
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdecimal() or len(text) > _DIGITS:
        raise UsageError(f"tile is auto or a side in pixels, such as 512, got {text[:40]!r}")
    check_tile(int(text))
    return int(text)


def tile_side(tile: TileSide, size: tuple[int, int], network: int) -> int | None:
    """Return the side of the tiles that an image is cut into.

    Args:
        tile: what was asked for.
        size: ``(H, W)`` in pixels.
        network: side S of the network's input in pixels.

    Returns:
        The side in pixels; None where the image is looked at whole.

    >>> [tile_side("auto", (side, side), 288) for side in (1152, 1153)], tile_side(512, (512, 500), 288)
    ([None, 576], None)
    """
    if tile is None:
        return None
    if tile == "auto":
        return AUTO * network if is_large(size, network) or is_long(size) else None
    return tile if max(size) > tile or is_long(size) else None


def is_large(size: tuple[int, int], network: int) -> bool:
    """Whether small defects of an image of ``size`` (H, W) vanish when it is squeezed into a network's S x S."""
    return max(size) > LARGE * network


def is_long(size: tuple[int, int]) -> bool:
    """Whether an image of ``size`` (H, W) is too long to be squeezed into a square."""
    return max(size) > MAX_ASPECT * min(size)


def split(size: tuple[int, int], side: int, overlap: float = OVERLAP) -> list[Tile]:
    """Cover an image with tiles of equal size, evenly spaced, first and last flush with the border.

    Args:
        size: ``(H, W)`` in pixels.
        side: side of a tile in pixels; a shorter image side is covered by one tile of that length, and no tile is
            longer than 8:1.
        overlap: fraction of a tile that neighbours share at least, in [0, 1).

    Returns:
        Tiles in row order.

    Raises:
        UsageError: a side below 32 px or an overlap outside of [0, 1).

    >>> [tile.left for tile in split((100, 250), 100)]
    [0, 75, 150]
    """
    if side < LEAST or not 0 <= overlap < 1:
        raise UsageError(f"tiles of {side} px with overlap {overlap:g}: use at least 32 px and an overlap in [0, 1)")
    H, W = size
    side = min(side, int(MAX_ASPECT * min(size)))
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


def blend(size: tuple[int, int], tiles: Sequence[Tile], maps: Iterable[FloatArray]) -> FloatArray:
    """Average overlapping tile maps, each fading out towards its borders inside of the image, so that no seam shows.

    Weights sum to 1 at every pixel: tiles that agree on a value give that value.

    Args:
        size: ``(H, W)`` of the whole image.
        tiles: what :func:`split` gave.
        maps: their float32 ``(height, width)`` maps in [0, 1], in the same order; read one at a time.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    rows = _weights(size[0], tiles[0].height, [tile.top for tile in tiles])
    columns = _weights(size[1], tiles[0].width, [tile.left for tile in tiles])
    total = np.zeros(size, np.float32)
    for tile, values in zip(tiles, maps, strict=True):
        place = slice(tile.top, tile.top + tile.height), slice(tile.left, tile.left + tile.width)
        total[place] += np.outer(rows[tile.top], columns[tile.left]) * values
    return np.clip(total, 0.0, 1.0, out=total)


def _weights(length: int, side: int, starts: Iterable[int]) -> dict[int, FloatArray]:
    """Return float32 ``(side,)`` weights along one axis by where a tile starts; they sum to 1 at every pixel."""
    raw = {start: _window(side, start == 0, start + side == length) for start in starts}
    total = np.zeros(length)
    for start, window in raw.items():
        total[start : start + side] += window
    return {start: (window / total[start : start + side]).astype(np.float32) for start, window in raw.items()}


def _window(side: int, first: bool, last: bool) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Rise from the context to the middle and fall again, but not towards the image's own borders."""
    place = (np.arange(side) + 0.5) / side
    rising, falling = (
        np.sin(np.pi / 2 * np.clip((x - CONTEXT) / (0.5 - CONTEXT), 0.0, 1.0)) ** 2 for x in (place, 1.0 - place)
    )
    window = np.where(place < 0.5, 1.0 if first else rising, 1.0 if last else falling)
    return np.maximum(window, _NOTHING)


def together(whole: FloatArray, closer: FloatArray, share: float) -> FloatArray:
    """Join what is seen in the whole image with what is only seen from close by.

    From close by, everything looks a little unusual to a network that was made for whole images. So what counts is by
    how much a place stands out from what is ordinary in the image, the upper quartile of its tiles, and it counts the
    more, the less of the image a tile covers: ``1 - (1 - whole)(1 - (1 - share) max(0, closer - ordinary))``, a
    noisy-or, which never lowers the whole.

    Args:
        whole: float32 ``(H, W)`` map of the whole image in [0, 1]; used up.
        closer: float32 ``(H, W)`` blended maps of its tiles in [0, 1]; used up.
        share: part of the image's area that a tile covers, in (0, 1]; 1 leaves nothing but the whole.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    every = max(1, math.ceil(math.sqrt(closer.size / _EVENLY)))
    # In place: these arrays are as large as the image.
    closer -= np.quantile(closer[::every, ::every], ORDINARY)
    np.clip(closer, 0.0, 1.0, out=closer)
    closer *= np.float32(1.0 - share)
    # whole + (1 - whole) * closer, which keeps the whole as it is where nothing stands out.
    closer *= 1.0 - whole
    whole += closer
    return np.clip(whole, 0.0, 1.0, out=whole)
