"""The region level of a map: the highest pixel threshold at which an image still has a region that counts."""

from __future__ import annotations

import math

import numpy as np

from zsad.regions import find_regions
from zsad.types import FloatArray


def region_level(values: FloatArray, min_area: float) -> float:
    """Return the highest pixel threshold at which a map still has a region of at least the smallest area.

    A region at one threshold lies inside of a region at any lower one, so that an image has a region that counts at a
    pixel threshold t if and only if t is at most its level. The level is one of the map's values, and is found exactly:
    in the map's values from high to low, the first at which :func:`zsad.regions.find_regions` finds one, by doubling
    steps and then by halving them.

    Args:
        values: float32 ``(H, W)``, the map.
        min_area: smallest region that counts, as a fraction of all pixels, in [0, 1].

    >>> values = np.array([[0.9, 0.1, 0.7, 0.6]], np.float32)
    >>> round(region_level(values, 0.0), 3), round(region_level(values, 0.5), 3), round(region_level(values, 1.0), 3)
    (0.9, 0.6, 0.1)
    """
    smallest = max(1, math.ceil(min_area * values.size))
    if smallest == 1:
        return float(values.max())
    falling = np.sort(values, axis=None)[::-1]

    def counts(place: int) -> bool:
        return bool(find_regions(values, values >= falling[place], min_area))

    low, high = smallest - 2, smallest - 1  # fewer pixels than the smallest area make no region that counts
    while high < values.size - 1 and not counts(high):
        low, high = high, min(2 * high + 1, values.size - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if counts(middle) else (middle, high)
    return float(falling[high])
