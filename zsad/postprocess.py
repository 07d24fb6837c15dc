"""Stage 5, map -> what a person asks for: original size, regions."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from skimage.measure import label

from zsad.types import BoolArray, FloatArray, Region


def resize_map(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize a map bilinearly, without smoothing anything away when it shrinks.

    Args:
        values: float32 ``(S, S)`` in [0, 1].
        size: ``(H, W)`` in pixels.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    if values.shape == size:
        return np.ascontiguousarray(values, dtype=np.float32)
    H, W = size
    resized = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32), mode="F").resize(
        (W, H), Image.Resampling.BILINEAR
    )
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)


def find_regions(values: FloatArray, mask: BoolArray, min_area: float = 0.0) -> tuple[Region, ...]:
    """Find the 8-connected regions of a mask, highest score first.

    Args:
        values: float32 ``(H, W)``, the map.
        mask: bool ``(H, W)``.
        min_area: smallest region that counts, as a fraction of all pixels, in [0, 1].

    Returns:
        The regions of at least ``max(1, min_area * H * W)`` pixels.
    """
    if not mask.any():
        return ()
    smallest = max(1, math.ceil(min_area * mask.size))
    ys, xs = np.nonzero(mask)  # all work below is on defect pixels only
    labels = label(mask, connectivity=2)[ys, xs]
    order = np.argsort(labels, kind="stable")
    ys, xs, labels = ys[order], xs[order], labels[order]
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    areas = np.diff(np.r_[starts, labels.size])
    keep = areas >= smallest
    columns = (
        np.minimum.reduceat(xs, starts),
        np.minimum.reduceat(ys, starts),
        np.maximum.reduceat(xs, starts) + 1,
        np.maximum.reduceat(ys, starts) + 1,
        np.add.reduceat(xs, starts, dtype=np.float64) / areas,
        np.add.reduceat(ys, starts, dtype=np.float64) / areas,
        np.maximum.reduceat(values[ys, xs], starts),
        areas,
    )
    found = [
        Region(
            box=(int(x0), int(y0), int(x1), int(y1)), area=int(area), score=float(score), centroid=(float(x), float(y))
        )
        for x0, y0, x1, y1, x, y, score, area in zip(*(column[keep] for column in columns), strict=True)
    ]
    return tuple(sorted(found, key=lambda region: (-region.score, -region.area, region.box)))
