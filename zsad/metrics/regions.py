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


def split_pixels(mask: npt.NDArray[Any], scores: npt.NDArray[Any], where: str = "map") -> ImagePixels:
    """Split one map by its mask and number the mask's 8-connected regions.

    Args:
        mask: ``(H, W)`` of 0 and 1.
        scores: ``(H, W)`` finite.
        where: what errors call this map.

    Raises:
        MetricError: NaN or infinite scores, other mask values, or shapes that differ.
    """
    truth, values = checked_truth(mask, f"mask of {where}"), checked_scores(scores, where)
    if truth.shape != values.shape or truth.ndim != 2:
        raise MetricError(f"{where}: mask {truth.shape} and map {values.shape} must be (H, W) of the same size")
    rows = np.flatnonzero(truth.any(axis=1))
    if not rows.size:
        none = np.zeros(0, np.int64)
        return ImagePixels(values.ravel(), values[:0, 0], none, none)
    columns = np.flatnonzero(truth.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    # Regions can't leave the box around the mask, so only the box is labelled.
    numbered = label(truth[box], connectivity=2)
    region = numbered[truth[box]].astype(np.int64) - 1
    return ImagePixels(values[~truth], values[truth], region, np.bincount(region).astype(np.int64))


def split_all(masks: Maps, maps: Maps) -> Iterator[ImagePixels]:
    """Split several maps; see :func:`split_pixels`."""
    missing = object()
    for i, (mask, scores) in enumerate(zip_longest(iter_images(masks), iter_images(maps), fillvalue=missing)):
        if mask is missing or scores is missing:
            raise MetricError(f"there are more {'maps' if mask is missing else 'masks'} than {i}, the other's number")
        yield split_pixels(np.asarray(mask), np.asarray(scores), f"map {i}")


def iter_images(images: Maps) -> Iterator[npt.NDArray[Any]]:
    """Yield ``(H, W)`` arrays from a stack, a single image or an iterable."""
    if isinstance(images, np.ndarray):
        if images.ndim not in (2, 3):
            raise MetricError(f"maps and masks must be (n, H, W) or (H, W), got {images.shape}")
        yield from images[None] if images.ndim == 2 else images
    else:
        yield from (np.asarray(image) for image in images)
