"""Independent, slow definitions that share no step with zsad.metrics."""

from itertools import pairwise

import numpy as np
from scipy import ndimage


def aupro_brute(masks, maps, limit=0.3):
    """Threshold at every distinct score, measure each region, integrate the polyline up to the limit."""
    masks, maps = np.asarray(masks), np.asarray(maps, dtype=np.float64)
    regions = []
    for i, mask in enumerate(masks):
        numbered, n = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [(i, numbered == k) for k in range(1, n + 1)]
    points = [(0.0, 0.0)]
    for t in np.unique(maps)[::-1]:
        found = maps >= t
        fpr = found[masks == 0].mean()
        points.append((fpr, np.mean([found[i][region].mean() for i, region in regions])))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 >= limit:
            break
        if x1 > limit:
            y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
            x1 = limit
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def random_case(seed, n=4, h=12, w=14, levels=None, shift=0.6):
    """Masks of a few blobs and maps that partly find them; `levels` quantises the scores into ties."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, h, w), np.uint8)
    for i in range(n):
        for _ in range(rng.integers(0, 4)):
            y, x = rng.integers(0, h), rng.integers(0, w)
            masks[i, y : y + rng.integers(1, 5), x : x + rng.integers(1, 5)] = 1
    masks[0, 2, 3] = 1
    masks[0, 3, 4] = 1  # a diagonal pair: one region only with 8 neighbours
    maps = rng.random((n, h, w)) + shift * masks * rng.random((n, h, w))
    if levels:
        maps = np.round(maps * levels) / levels
    return masks, maps.astype(np.float32)
