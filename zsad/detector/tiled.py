"""One large image, whole and tile by tile: one map, and a score by the card's rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from zsad.card import ModelCard
from zsad.detector.several import chunks
from zsad.images import tiling
from zsad.images.postprocess import resize_map
from zsad.images.preprocess import Decoded, network_input
from zsad.scoring.smoothing import highest, top_count
from zsad.types import FloatArray

TOGETHER = 8
"""Tiles that go through the network together."""

Forward = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""``(B, 3, S, S)`` -> maps ``(B, s, s)`` and scores ``(B,)``, as :meth:`zsad.detector.base.Detector.forward` does."""


def look_closer(decoded: Decoded, side: int, card: ModelCard, forward: Forward) -> tuple[FloatArray, float]:
    """Inspect a large image whole and in tiles.

    The map is :func:`zsad.images.tiling.together` of both. The score follows the card's rule: the highest values of
    that map, as many as 1 % of a tile, in place of the map's share; in place of the class token's share, between that
    of the whole image and that of the most anomalous tile, the nearer to the middle the smaller the tiles are. An image
    that is too long to be squeezed into a square has no whole, and its tiles alone count.

    Args:
        decoded: the image.
        side: of the tiles, in pixels.
        card: how the network is fed, and which rule scores it.
        forward: the network and its scorer.

    Returns:
        ``(map, score)``: float32 ``(H, W)`` and a number, in [0, 1].
    """
    size, weight = decoded.size, card.scoring.fusion
    tiles = tiling.split(size, side)
    classes: list[float] = []

    def maps() -> Iterator[FloatArray]:
        for chunk in chunks(tiles, TOGETHER):
            values, scores = forward(np.stack([network_input(decoded.image.crop(tile.box), card) for tile in chunk]))
            classes.extend(_class_part(map_, float(score), weight) for map_, score in zip(values, scores, strict=True))
            yield from (resize_map(map_, (chunk[0].height, chunk[0].width)) for map_ in values)

    closer = tiling.blend(size, tiles, maps())
    by_class, share = max(classes), tiles[0].share(size)
    if not tiling.is_long(size):
        values, scores = forward(network_input(decoded.image, card)[None])
        closer = tiling.together(resize_map(values[0], size), closer, share)
        whole = _class_part(values[0], float(scores[0]), weight)
        by_class = whole + (1.0 - share) / 2 * (by_class - whole)
    by_map = highest(closer, max(1, tiles[0].height * tiles[0].width // 100)) if weight else 0.0
    return closer, min(1.0, max(0.0, weight * by_map + (1.0 - weight) * by_class))


def _class_part(values: FloatArray, score: float, weight: float) -> float:
    """Return what the class token alone says of a view, by undoing ``weight * map + (1 - weight) * class``."""
    if weight in (0.0, 1.0):
        return score
    return (score - weight * highest(values, top_count(values.shape[-1]))) / (1.0 - weight)
