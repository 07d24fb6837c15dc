"""Masks and maps -> what pixel metrics need: normal scores, and defect scores with the region each belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from skimage.measure import label

from zsad.errors import MetricError
from zsad.metrics.metric import Scores, checked_scores, checked_truth

Maps: TypeAlias = "npt.NDArray[Any] | Iterable[npt.NDArray[Any]]"
"""``(n, H, W)``, or any iterable of ``(H, W)`` whose sizes may differ."""


@dataclass(frozen=True)
class ImagePixels:
    """The pixels of one image, split by its mask.

    Attributes:
        normal: ``(M,)`` scores of pixels outside of the mask, in any order.
        defect: ``(P,)`` scores of pixels inside.
        region: int64 ``(P,)``, which region each defect pixel belongs to, from 0.
        areas: int64 ``(R,)``, pixels of each region.
    """

    normal: Scores
    defect: Scores
    region: npt.NDArray[np.int64]
    areas: npt.NDArray[np.int64]


def split_pixels(
    mask: npt.NDArray[Any], scores: npt.NDArray[Any], where: str = "map", out: Scores | None = None
) -> ImagePixels:
    """Split one map by its mask and number the mask's 8-connected regions.

    Args:
        mask: ``(H, W)`` of 0 and 1.
        scores: ``(H, W)`` finite.
        where: what errors call this map.
        out: ``(at least M,)`` of the scores' type; the normal scores are then written to its beginning.

    Raises:
        MetricError: NaN or infinite scores, other mask values, or shapes that differ.
    """
    truth, values = checked_truth(mask, f"mask of {where}"), checked_scores(scores, where)
    if truth.shape != values.shape or truth.ndim != 2:
        raise MetricError(f"{where}: mask {truth.shape} and map {values.shape} must be (H, W) of the same size")
    rows = np.flatnonzero(truth.any(axis=1))
    if not rows.size:
        none = np.zeros(0, np.int64)
        return ImagePixels(_joined([values], out), values[:0, 0], none, none)
    # Nothing outside of the mask's rows and columns is a defect, so only this box is labelled and sifted.
    first, last = rows[0], rows[-1] + 1
    columns = np.flatnonzero(truth[first:last].any(axis=0))
    box = (slice(first, last), slice(columns[0], columns[-1] + 1))
    inside = truth[box]
    region = label(inside, connectivity=2)[inside].astype(np.int64) - 1
    normal = _joined([values[:first], values[first:last][~truth[first:last]], values[last:]], out)
    return ImagePixels(normal, values[box][inside], region, np.bincount(region).astype(np.int64))


def _joined(parts: list[Scores], out: Scores | None) -> Scores:
    """Scores of all parts in one array, in ``out`` if given; a single part isn't copied otherwise."""
    flat = [part.ravel() for part in parts]
    if out is None:
        return flat[0] if len(flat) == 1 else np.concatenate(flat)
    return np.concatenate(flat, out=out[: sum(part.size for part in flat)])


def split_all(masks: Maps, maps: Maps, out: Scores | None = None) -> Iterator[ImagePixels]:
    """Split several maps; see :func:`split_pixels`. Normal scores follow each other in ``out``, if given."""
    missing, filled = object(), 0
    for i, (mask, scores) in enumerate(zip_longest(iter_images(masks), iter_images(maps), fillvalue=missing)):
        if mask is missing or scores is missing:
            raise MetricError(f"there are more {'maps' if mask is missing else 'masks'} than {i}, the other's number")
        rest = None if out is None else out[filled:]
        pixels = split_pixels(np.asarray(mask), np.asarray(scores), f"map {i}", rest)
        filled += pixels.normal.size
        yield pixels


def iter_images(images: Maps) -> Iterator[npt.NDArray[Any]]:
    """Yield ``(H, W)`` arrays from a stack, a single image or an iterable."""
    if isinstance(images, np.ndarray):
        if images.ndim not in (2, 3):
            raise MetricError(f"maps and masks must be (n, H, W) or (H, W), got {images.shape}")
        yield from images[None] if images.ndim == 2 else images
    else:
        yield from (np.asarray(image) for image in images)
