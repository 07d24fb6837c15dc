"""Regions of interest: the parts of an image that count; what lies outside of them is never anomalous."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zsad.documents import read_json
from zsad.errors import UsageError
from zsad.outside import printable

MOST_SHAPES, MOST_POINTS = 100, 1000
Point = tuple[float, float]


@dataclass(frozen=True)
class Roi:
    """Polygons that count, together; in fractions of an image's width and height, so that they fit images of any size.

    Attributes:
        polygons: corners ``(x, y)`` of each, in [0, 1].

    Raises:
        UsageError: no polygon, one without an area, a corner outside of the image, or very many of them.
    """

    polygons: tuple[tuple[Point, ...], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.polygons) <= MOST_SHAPES:
            raise UsageError(f"regions of interest: give 1 to {MOST_SHAPES} of them, got {len(self.polygons)}")
        for polygon in self.polygons:
            if not 3 <= len(polygon) <= MOST_POINTS:
                raise UsageError(f"a region of interest has 3 to {MOST_POINTS} corners, got {len(polygon)}")
            if not all(0.0 <= x <= 1.0 for point in polygon for x in point):
                raise UsageError("a region of interest has a corner outside of the image")
            if _area(polygon) == 0.0:
                raise UsageError("a region of interest has no area: its corners lie on one line")

    @property
    def key(self) -> str:
        """16 hexadecimal digits that tell these regions from others; what rows say of them."""
        return hashlib.blake2b(repr(self.polygons).encode(), digest_size=8).hexdigest()

    def inside(self, height: int, width: int) -> npt.NDArray[np.bool_]:
        """Return bool ``(height, width)``: pixels whose centre lies in one of the polygons; not to be written to."""
        return _inside(self.polygons, height, width)


@lru_cache(maxsize=4)
def _inside(polygons: tuple[tuple[Point, ...], ...], height: int, width: int) -> npt.NDArray[np.bool_]:
    from skimage.draw import polygon as fill

    found = np.zeros((height, width), np.bool_)
    for polygon in polygons:
        x, y = np.array(polygon, np.float64).T
        found[fill(y * height - 0.5, x * width - 0.5, (height, width))] = True
    found.flags.writeable = False
    return found


def read_roi(path: str | Path) -> Roi:
    """Read regions of interest of a JSON file.

    It is an object with ``boxes``, a list of ``[x0, y0, x1, y1]``, or ``polygons``, a list of lists of ``[x, y]``, or
    both. With ``size``, ``[width, height]`` in pixels, they are pixels of an image of that size; without, fractions of
    width and height.

    Raises:
        UsageError: it can't be read, or is of another form.
    """
    where = printable(path)
    data = read_json(path, UsageError)
    if not isinstance(data, dict) or not set(data) <= {"size", "boxes", "polygons"}:
        raise UsageError(f'{where}: is no JSON object such as {{"size": [640, 480], "boxes": [[10, 10, 600, 400]]}}')
    try:
        return roi_of(data.get("boxes", []), data.get("polygons", []), data.get("size"))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def roi_of(boxes: Any = (), polygons: Any = (), size: Any = None) -> Roi:
    """Make regions of interest of boxes ``[x0, y0, x1, y1]`` and polygons of ``[x, y]``.

    Args:
        boxes: any number of boxes, each with x0 < x1 and y0 < y1.
        polygons: any number of polygons.
        size: ``[width, height]`` in pixels of the image that they were drawn on; None if they are fractions.

    Raises:
        UsageError: something else.

    >>> roi_of(boxes=[[0, 0, 320, 480]], size=[640, 480]).polygons
    (((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)),)
    """
    width, height = (1.0, 1.0) if size is None else _numbers(size, 2, "size", "[width, height]")
    if min(width, height) <= 0:
        raise UsageError("size must be [width, height] in pixels, above 0")
    found: list[tuple[Point, ...]] = []
    for box in _list(boxes, "boxes"):
        x0, y0, x1, y1 = _numbers(box, 4, "a box", "[x0, y0, x1, y1]")
        if not (x0 < x1 and y0 < y1):
            raise UsageError("a box is [x0, y0, x1, y1] with x0 below x1 and y0 below y1")
        found.append(((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    for polygon in _list(polygons, "polygons"):
        points = [_numbers(point, 2, "a corner", "[x, y]") for point in _list(polygon, "a polygon")]
        found.append(tuple((x, y) for x, y in points))
    return Roi(tuple(tuple((x / width, y / height) for x, y in polygon) for polygon in found))


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"{what} must be a list")
    return value


def _numbers(value: Any, count: int, what: str, form: str) -> tuple[float, ...]:
    good = isinstance(value, list | tuple) and len(value) == count
    if not good or not all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < 1e9 for x in value):
        raise UsageError(f"{what} must be {form} in numbers")
    return tuple(float(x) for x in value)


def _area(polygon: tuple[Point, ...]) -> float:
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return math.fsum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)
