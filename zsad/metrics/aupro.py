"""AUPRO, the area under the per-region-overlap curve: exact, and in the published 200-threshold form.

Exact form. A defect pixel with score ``v`` in a region of area ``A`` adds ``1 / (A R)`` to the overlap from the
threshold ``v`` on. If ``a`` normal pixels score above ``v`` and ``b`` at least ``v``, it is counted from the false
positive rate ``a / M`` (rising linearly until ``b / M``, the straight line through a tie). So the area is a sum over
defect pixels alone, in closed form, and needs nothing but the sorted normal scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zsad.metrics.curves import NO_NEGATIVES, NO_SCORES, RankedScores, rank
from zsad.metrics.metric import Metric, Scores, undefined
from zsad.metrics.regions import ImagePixels, Maps, split_all

FPR_LIMIT = 0.3
"""False positive rate up to which the curve is integrated."""
NO_REGIONS = "no annotated region"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RegionScores:
    """Defect pixels of a whole class, ready for overlap curves.

    Attributes:
        normal: ``(M,)`` scores of normal pixels, ascending.
        defect: ``(P,)`` scores of defect pixels, ascending.
        weight: float64 ``(P,)``, ``1 / (area of its region * number of regions)``; sums to 1.
    """

    normal: Scores
    defect: Scores
    weight: Floats


def gather(images: list[ImagePixels]) -> RegionScores:
    """Sort the pixels of all images together; regions are counted over all of them.

    Args:
        images: what :func:`zsad.metrics.regions.split_pixels` gave.
    """
    if not images:
        return _together(np.zeros(0, np.float32), [])
    return _together(np.concatenate([image.normal for image in images]), images)


def gather_maps(masks: Maps, maps: Maps) -> RegionScores:
    """Split and sort masks and maps; of a stack, normal pixels are copied once, into one array."""
    if not isinstance(maps, np.ndarray) or maps.dtype not in (np.float32, np.float64):
        return gather(list(split_all(masks, maps)))
    normal = np.empty(maps.size, maps.dtype)
    images = list(split_all(masks, maps, normal))
    return _together(normal[: sum(image.normal.size for image in images)], images)


def _together(normal: Scores, images: list[ImagePixels]) -> RegionScores:
    """Sort all pixels; ``normal`` in place."""
    if not images:
        return RegionScores(normal, normal, np.zeros(0))
    offsets = np.cumsum([0, *(image.areas.size for image in images)])
    areas = np.concatenate([image.areas for image in images])
    region = np.concatenate([image.region + offset for image, offset in zip(images, offsets, strict=False)])
    defect, region = sort_with(np.concatenate([image.defect for image in images]), region)
    normal.sort()
    return RegionScores(normal, defect, (1.0 / (areas * areas.size))[region])


def ranked_pixels(scores: RegionScores) -> RankedScores:
    """Count normal pixels beside each distinct score of a defect pixel."""
    return rank(scores.normal, scores.defect, ordered=True)


def sort_with(scores: Scores, region: npt.NDArray[np.int64]) -> tuple[Scores, npt.NDArray[np.int64]]:
    """Sort scores and carry the region numbers along.

    float32 scores are packed above the region number into 64-bit keys and sorted as integers, which is several
    times faster than argsort.
    """
    if scores.dtype != np.float32:
        order = np.argsort(scores, kind="stable")
        return scores[order], region[order]
    keys = (ordered_bits(scores).astype(np.uint64) << np.uint64(32)) | region.astype(np.uint64)
    keys.sort()
    return from_ordered_bits((keys >> np.uint64(32)).astype(np.uint32)), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def ordered_bits(scores: Scores) -> npt.NDArray[np.uint32]:
    """Map float32 to uint32 so that the order is kept and equal values (0 and -0 too) share one number."""
    bits = (scores.astype(np.float32, copy=False) + np.float32(0.0)).view(np.int32)  # -0 + 0 is +0
    flip = bits >> 31  # every bit of a negative number
    flip |= np.int32(-(2**31))  # and the sign of any
    flip ^= bits
    return flip.view(np.uint32)


def from_ordered_bits(bits: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """Undo :func:`ordered_bits`."""
    return np.where(bits >> 31, bits & np.uint32(0x7FFFFFFF), ~bits).view(np.float32)


def exact_aupro(scores: RegionScores, ranked: RankedScores, limit: float = FPR_LIMIT) -> Metric:
    """Integrate the exact curve up to ``limit`` and divide by ``limit``; see :func:`aupro`.

    Args:
        scores: the sorted pixels.
        ranked: what :func:`ranked_pixels` gave for them.
        limit: end of the integral.
    """
    if reason := _no_curve(scores):
        return undefined(reason)
    weight = np.add.reduceat(scores.weight, scores.defect.size - ranked.hits[::-1])[::-1]
    found = counted(ranked.above / ranked.negatives, ranked.reach / ranked.negatives, limit)
    return Metric(float(min(1.0, (weight * found).sum() / limit)))


def counted(above: Floats, reach: Floats, limit: float) -> Floats:
    """How much of the false positive rates [0, limit] a defect pixel is found at.

    Args:
        above: rate of normal pixels that score higher, where it begins to be found.
        reach: rate of normal pixels that score at least as high, from where it is found for certain.
        limit: end of the integral.

    Returns:
        In [0, limit]: the integral of a ramp from 0 at ``above`` to 1 at ``reach``.
    """
    whole = limit - (above + reach) / 2
    part = np.maximum(limit - above, 0.0) ** 2 / (2 * np.maximum(reach - above, 1e-300))
    return np.asarray(np.where(reach <= limit, whole, part))


def pro_curve(scores: RegionScores, limit: float = FPR_LIMIT, points: int = 61) -> list[list[float]]:
    """Return points of the per-region-overlap curve for a figure: ``[false positive rate, overlap]``, or nothing."""
    if _no_curve(scores):
        return []
    M = scores.normal.size
    wanted = np.unique(np.linspace(0, limit, points) * (M - 1)).astype(np.int64)
    thresholds = scores.normal[M - 1 - wanted]
    fpr = (M - np.searchsorted(scores.normal, thresholds, side="left")) / M
    behind = np.append(np.cumsum(scores.weight[::-1])[::-1], 0.0)
    pro = behind[np.searchsorted(scores.defect, thresholds, side="left")]
    return [[0.0, 0.0], *([round(float(x), 5), round(float(y), 5)] for x, y in zip(fpr, pro, strict=True))]


def aupro(masks: Maps, maps: Maps, limit: float = FPR_LIMIT) -> Metric:
    """Area under the per-region-overlap curve, exact.

    Every distinct score is a threshold, points are joined by straight lines, the curve is cut at ``limit`` by linear
    interpolation, and the area divided by ``limit``. Regions are 8-connected. Each region weighs the same, whatever
    its size and image.

    Args:
        masks: ``(n, H, W)`` or an iterable of ``(H, W)``, of 0 and 1.
        maps: the same, finite scores.
        limit: false positive rate at which the integral ends, in (0, 1].

    Returns:
        In [0, 1]; ``nan`` with its reason if no region or no normal pixel exists.

    Raises:
        MetricError: NaN or infinite scores, other mask values, or sizes that differ.

    Source: Bergmann et al., The MVTec Anomaly Detection Dataset (IJCV 2021), section 5.

    >>> import numpy as np
    >>> aupro(np.eye(4, dtype=np.uint8)[None], np.eye(4, dtype=np.float32)[None]).value
    1.0
    """
    scores = gather_maps(masks, maps)
    return exact_aupro(scores, ranked_pixels(scores), limit)


def aupro_200step(masks: Maps, maps: Maps) -> Metric:
    """AUPRO as the tables of AnomalyCLIP and its successors have it; for comparison with them only.

    200 even thresholds between the lowest and highest score, a pixel counts if strictly above; points with a false
    positive rate below 0.3 are kept, their rates stretched to [0, 1], and joined by trapezoids: no point at (0, 0), no
    interpolation at 0.3. It is up to a point below :func:`aupro`. Arguments and errors as there.

    Source: ``cal_pro_score`` of zqhang/AnomalyCLIP, ``metrics.py``, from its description; counted from sorted scores
    instead of 200 thresholded stacks.
    """
    return aupro_200(gather_maps(masks, maps))


def aupro_200(scores: RegionScores) -> Metric:
    """Compute the 200-threshold form from sorted scores; see :func:`aupro_200step`."""
    if reason := _no_curve(scores):
        return undefined(reason)
    lowest = min(scores.normal[0], scores.defect[0])
    highest = max(scores.normal[-1], scores.defect[-1])
    if lowest == highest:
        return undefined("all scores are equal")
    thresholds = published_thresholds(lowest, highest)
    M = scores.normal.size
    fpr = (M - np.searchsorted(scores.normal, _floor(thresholds, scores.normal), side="right")) / M
    # Overlap strictly above a threshold = total weight of what is sorted behind it.
    behind = np.append(np.cumsum(scores.weight[::-1])[::-1], 0.0)
    pro = behind[np.searchsorted(scores.defect, _floor(thresholds, scores.defect), side="right")]
    return published_area(fpr, pro)


def published_thresholds(lowest: np.floating[Any], highest: np.floating[Any]) -> Floats:
    """Return the thresholds of the published form; the arithmetic stays in the scores' own type."""
    return np.arange(lowest, highest, (highest - lowest) / 200).astype(np.float64)


def published_area(fpr: Floats, pro: Floats) -> Metric:
    """Keep the points below 0.3, stretch their rates to [0, 1] and add up trapezoids."""
    kept = fpr < FPR_LIMIT
    fpr, pro = fpr[kept], pro[kept]
    if fpr.size < 2 or fpr.max() == fpr.min():
        return undefined("fewer than two thresholds with different false positive rates below 0.3")
    fpr = (fpr - fpr.min()) / (fpr.max() - fpr.min())
    return Metric(float((-np.diff(fpr) * (pro[1:] + pro[:-1]) / 2).sum()))


def _floor(thresholds: Floats, like: Scores) -> Scores:
    """Largest values of ``like``'s type that don't exceed the thresholds, so that no scores need converting."""
    rounded = thresholds.astype(like.dtype)
    return np.where(rounded > thresholds, np.nextafter(rounded, like.dtype.type(-np.inf)), rounded)


def _no_curve(scores: RegionScores) -> str:
    if not scores.defect.size:
        return NO_REGIONS if scores.normal.size else NO_SCORES
    return "" if scores.normal.size else NO_NEGATIVES
