"""Connected regions of a thresholded map, found in bands: below 32 bytes a pixel, whatever the mask."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, overload

import numpy as np
import numpy.typing as npt

BAND, _LINES = 1 << 20, 16
"""Pixels that are labelled together, and the fewest lines of them: each edge between two bands is looked at apart."""

_Bool: TypeAlias = npt.NDArray[np.bool_]
_Table: TypeAlias = npt.NDArray[Any]
_FACTS = np.dtype(
    [("x0", "i4"), ("y0", "i4"), ("x1", "i4"), ("y1", "i4"), ("area", "i8"), ("x", "f8"), ("y", "f8"), ("score", "f4")]
)
"""What is known of a piece of a region: its box, its pixels, the sums of their columns and lines, the highest value."""


@dataclass(frozen=True)
class Region:
    """One connected anomalous region of a map (8-connected).

    Attributes:
        box: ``(x0, y0, x1, y1)`` in pixels of the original image, ``x1`` and ``y1`` exclusive.
        area: number of pixels.
        score: highest map value inside, in [0, 1].
        centroid: ``(x, y)`` in pixels.
    """

    box: tuple[int, int, int, int]
    area: int
    score: float
    centroid: tuple[float, float]


class Regions(Sequence[Region]):
    """The regions of an image, highest score first; each one is made when it is asked for.

    A noisy mask has millions of them, which as objects would take ten times the memory of the image. Equal to a tuple
    of the same regions.
    """

    def __init__(self, table: _Table) -> None:
        self._table = table

    @property
    def area(self) -> int:
        """Pixels of all regions together."""
        return int(self._table["area"].sum())

    def __len__(self) -> int:
        return len(self._table)

    @overload
    def __getitem__(self, index: int) -> Region: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Region, ...]: ...

    def __getitem__(self, index: int | slice) -> Region | tuple[Region, ...]:
        if isinstance(index, slice):
            return tuple(_region(row) for row in self._table[index])
        return _region(self._table[index])

    def __iter__(self) -> Iterator[Region]:
        return (_region(row) for row in self._table)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Regions | tuple):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._table.tobytes())

    def __repr__(self) -> str:
        return f"Regions({', '.join(map(repr, self[:3]))}{f', and {len(self) - 3:,} more' if len(self) > 3 else ''})"


def find_regions(
    values: npt.NDArray[np.float32], mask: _Bool, min_area: float = 0.0, *, lines: int | None = None
) -> Regions:
    """Find the 8-connected regions of a mask, highest score first.

    Args:
        values: float32 ``(H, W)``, the map.
        mask: bool ``(H, W)``.
        min_area: smallest region that counts, as a fraction of all pixels, in [0, 1].
        lines: of the mask that are labelled together, for tests: the result is the same for any number from 1 on.

    Returns:
        The regions of at least ``max(1, min_area * H * W)`` pixels.
    """
    smallest = max(1, math.ceil(min_area * mask.size))
    parts: list[_Table] = []
    joins = _Joins()
    for piece in _bands(mask, lines):
        joins.add(piece)
        parts.append(_facts(values[piece.top : piece.top + len(piece.labels)], piece))
    if not parts:
        return Regions(np.zeros(0, _FACTS))
    table = np.concatenate(parts) if len(parts) > 1 else parts[0]
    del parts
    table = joins.joined(table)
    table = table[table["area"] >= smallest]
    # Of equal score and area, by box.
    order = np.lexsort((table["y1"], table["x1"], table["y0"], table["x0"], -table["area"], -table["score"]))
    return Regions(table[order])


def without_small(mask: _Bool, smallest: float, *, lines: int | None = None) -> _Bool:
    """Return a mask without the regions of fewer than ``smallest`` pixels.

    Args:
        mask: bool ``(H, W)``.
        smallest: pixels; with at most 1 the mask is returned as it is.
        lines: see :func:`find_regions`.

    Returns:
        bool ``(H, W)``.
    """
    if smallest <= 1 or not mask.any():
        return mask
    joins, areas = _Joins(), []
    for piece in _bands(mask, lines):
        joins.add(piece)
        areas.append(np.bincount(piece.labels.ravel(), minlength=piece.pieces + 1)[1:])
    enough = joins.totals(np.concatenate(areas)) >= smallest
    kept = np.zeros_like(mask)
    for piece in _bands(mask, lines):  # a second time, since all labels together take more than the image
        mine = np.r_[False, enough[piece.first : piece.first + piece.pieces]]
        kept[piece.top : piece.top + len(piece.labels)] = mine[piece.labels]
    return kept


class _Band(NamedTuple):
    """Some lines of a mask, labelled by themselves: pieces ``first`` to ``first + pieces`` of the image."""

    top: int
    labels: npt.NDArray[np.int32]  # (lines, W), 0 outside of the mask, 1 for the piece ``first``
    first: int
    pieces: int


def _bands(mask: _Bool, lines: int | None) -> Iterator[_Band]:
    """Yield the bands of a mask that are not empty."""
    lines, first = lines or max(_LINES, BAND // max(1, mask.shape[1])), 0
    for top in range(0, mask.shape[0], lines):
        part = mask[top : top + lines]
        if part.any():
            from scipy.ndimage import label  # which only a positive finding pays

            labels, count = label(part, structure=np.ones((3, 3), np.int8))
            yield _Band(top, labels, first, count)
            first += count


class _Joins:
    """Which pieces of neighbouring bands are one region."""

    def __init__(self) -> None:
        self._pairs: list[npt.NDArray[np.int64]] = []
        self._last: tuple[int, npt.NDArray[np.int64]] | None = None

    def add(self, piece: _Band) -> None:
        """Take note of a band; they come in order."""
        if self._last is not None and self._last[0] == piece.top:
            self._pairs.extend(_touching(self._last[1], _numbered(piece.labels[0], piece.first)))
        self._last = (piece.top + len(piece.labels), _numbered(piece.labels[-1], piece.first))

    def joined(self, table: _Table) -> _Table:
        """Unite the facts of pieces that are one region."""
        pieces, group = self._groups()
        if not pieces.size:
            return table
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
        found = table[pieces[order]]
        united = np.empty(len(starts), _FACTS)
        for name, unite in _UNITE.items():
            united[name] = unite.reduceat(found[name], starts)
        alone = np.ones(len(table), np.bool_)
        alone[pieces] = False
        return np.concatenate([table[alone], united])

    def totals(self, areas: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each piece the area of its whole region, from the pieces' own ``(pieces,)``."""
        pieces, group = self._groups()
        if pieces.size:
            areas[pieces] = np.bincount(group, areas[pieces]).astype(np.int64)[group]
        return areas

    def _groups(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the pieces that touch another, and for each of them the number of its region."""
        if not self._pairs:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        pieces, ends = np.unique(np.concatenate(self._pairs), return_inverse=True)
        pairs = ends.reshape(-1, 2).astype(np.int32)  # scipy 1.11 goes through graphs of 32-bit indices only
        graph = coo_array((np.ones(len(pairs), np.bool_), (pairs[:, 0], pairs[:, 1])), shape=(len(pieces),) * 2)
        _, group = connected_components(graph, directed=False)
        return pieces, group.astype(np.int64)


_UNITE: dict[str, np.ufunc] = {
    "x0": np.minimum, "y0": np.minimum, "x1": np.maximum, "y1": np.maximum,
    "area": np.add, "x": np.add, "y": np.add, "score": np.maximum,
}  # fmt: skip


def _numbered(line: npt.NDArray[np.int32], first: int) -> npt.NDArray[np.int64]:
    """Turn labels of a band into numbers of pieces; -1 outside of the mask."""
    return np.where(line > 0, line.astype(np.int64) + (first - 1), -1)


def _touching(above: npt.NDArray[np.int64], below: npt.NDArray[np.int64]) -> Iterable[npt.NDArray[np.int64]]:
    """Yield the pairs ``(n, 2)`` of pieces in two neighbouring lines that touch, at a side or at a corner."""
    for upper, lower in ((above, below), (above[1:], below[:-1]), (above[:-1], below[1:])):
        both = (upper >= 0) & (lower >= 0)
        if both.any():
            yield np.unique(np.stack([upper[both], lower[both]], axis=1), axis=0)


def _facts(values: npt.NDArray[np.float32], piece: _Band) -> _Table:
    """Describe each piece of a band from its runs: pixels side by side in a line, of which there are far fewer."""
    width = piece.labels.shape[1]
    inside = np.zeros((len(piece.labels), width + 2), np.bool_)
    inside[:, 1:-1] = piece.labels > 0
    lines, starts = np.nonzero(inside[:, 1:-1] & ~inside[:, :-2])  # in order of lines, then columns
    ends = np.nonzero(inside[:, 1:-1] & ~inside[:, 2:])[1] + 1
    del inside
    order = np.argsort(piece.labels[lines, starts], kind="stable")
    highest = _highest(values, lines, starts, ends)[order]
    lines, starts, ends = lines[order], starts[order], ends[order]
    first = np.flatnonzero(np.r_[True, np.diff(piece.labels[lines, starts]) > 0])
    lengths, lines = ends - starts, lines + piece.top
    table = np.empty(piece.pieces, _FACTS)
    table["x0"], table["x1"] = np.minimum.reduceat(starts, first), np.maximum.reduceat(ends, first)
    table["y0"], table["y1"] = np.minimum.reduceat(lines, first), np.maximum.reduceat(lines, first) + 1
    table["area"] = np.add.reduceat(lengths, first)
    # Whole numbers below 2**53, hence exact in whatever order they are added.
    table["x"] = np.add.reduceat(lengths * (starts + ends - 1), first) / 2
    table["y"] = np.add.reduceat(lengths * lines, first)
    table["score"] = np.maximum.reduceat(highest, first)
    return table


def _highest(
    values: npt.NDArray[np.float32], lines: npt.NDArray[np.int64], starts: npt.NDArray[np.int64], ends: npt.NDArray[Any]
) -> npt.NDArray[np.float32]:
    """Return the highest value of each run."""
    flat, width = values.reshape(-1), values.shape[1]
    edges = np.stack([lines * width + starts, lines * width + ends], axis=1).reshape(-1)
    if edges[-1] == flat.size:  # the end of the last run is no place to begin at
        edges = edges[:-1]
    highest: npt.NDArray[np.float32] = np.maximum.reduceat(flat, edges)[::2]
    return highest


def _region(row: Any) -> Region:
    x0, y0, x1, y1, area, x, y, score = row.item()
    return Region(box=(x0, y0, x1, y1), area=area, score=score, centroid=(x / area, y / area))
