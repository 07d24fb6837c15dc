"""Pixel metrics of any number of maps in fixed memory, with a computed bound on their error.

Up to a stated size everything is kept and exact. Past it, pixels are counted in bins over the ordered bit patterns of
float32: 65,536 cells (sign, exponent and 7 bits of mantissa) cover every finite score, and each is split into 2^0 to
2^16 bins, more where normal and defect pixels meet. A cell split 2^16 times holds one float32 value per bin, so a
narrow range of scores stays exact. Where the bound of :mod:`zsad.metrics.histogram` is too large, a second pass
splits the cells that the first pass observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from zsad.metrics.aupro import FPR_LIMIT, from_ordered_bits, gather, ordered_bits, published_area, published_thresholds
from zsad.metrics.curves import NO_NEGATIVES, NO_POSITIVES, NO_SCORES
from zsad.metrics.histogram import Binned, ap_binned, aupro_binned, auroc_binned, f1_binned
from zsad.metrics.metric import Metric, undefined
from zsad.metrics.pixels import PIXEL_METRICS, from_regions
from zsad.metrics.regions import ImagePixels, split_pixels

EXACT_PIXELS = 2**27
"""Pixels of one class up to which all of them are kept (500 maps at 518 px, 0.5 GB)."""
BINS = 2**20
"""Bins past that size (25 MB)."""
TARGET = 1e-4
"""Bound above which a second pass is made."""
CELLS = 2**16
PART = 2**15
"""Pixels that are counted at a time, so that what lies between a score and its bin stays in the cache."""
SAMPLE = 13
"""Of the normal pixels, each which one is looked at to lay out the bins; divides no usual width."""

Pairs: TypeAlias = Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""``(mask, map)`` of each image."""


class PixelHistogram:
    """Counts of pixels in a fixed number of bins.

    Args:
        bits: uint8 ``(65536,)``, each cell is split into ``2**bits`` bins; in 0..16.
    """

    def __init__(self, bits: npt.NDArray[np.uint8] | None = None) -> None:
        self.bits = first_bits() if bits is None else bits
        sizes = np.left_shift(1, self.bits.astype(np.int64))
        self._start = np.concatenate([[0], np.cumsum(sizes)])  # (65537,)
        total = int(self._start[-1])
        # The bin of a key is (key >> shift of its cell) + offset of its cell, modulo 2^32.
        self._shift = np.uint32(16) - self.bits.astype(np.uint32)
        self._offset = (self._start[:-1] - (np.arange(CELLS, dtype=np.int64) << 16 >> self._shift)).astype(np.uint32)
        self._normal = np.zeros(total, np.int64)
        self._defect = np.zeros(total, np.int64)
        self._weight = np.zeros(total, np.float64)
        self._regions = 0
        self._lowest, self._highest = np.float32(np.inf), np.float32(-np.inf)

    def add(self, pixels: ImagePixels) -> None:
        """Count one image's pixels; float64 scores are rounded to float32."""
        for first in range(0, pixels.normal.size, PART):
            part = pixels.normal[first : first + PART]
            np.add.at(self._normal, self._bin(ordered_bits(part)), 1)
        if pixels.defect.size:
            index = self._bin(ordered_bits(pixels.defect))
            np.add.at(self._defect, index, 1)
            np.add.at(self._weight, index, (1.0 / pixels.areas)[pixels.region])
            self._regions += int(pixels.areas.size)
        for scores in (pixels.normal, pixels.defect):
            if scores.size:
                self._lowest = min(self._lowest, np.float32(scores.min()))
                self._highest = max(self._highest, np.float32(scores.max()))

    def metrics(self, limit: float = FPR_LIMIT) -> dict[str, Metric]:
        """Return every pixel metric with its bound; names as :func:`zsad.metrics.pixels.pixel_metrics`."""
        P, M = int(self._defect.sum()), int(self._normal.sum())
        if not P or not M:
            reason = (NO_POSITIVES if M else NO_SCORES) if not P else NO_NEGATIVES
            return {name: undefined(reason) for name in PIXEL_METRICS}
        used = np.flatnonzero(self._normal + self._defect)[::-1]  # highest first
        bins = Binned(self._normal[used], self._defect[used], self._weight[used] / self._regions, self._single()[used])
        f1, f1_bound, best = f1_binned(bins)
        return {
            "pixel_auroc": _metric(*auroc_binned(bins)),
            "pixel_ap": _metric(*ap_binned(bins)),
            "pixel_f1_max": Metric(float(f1), threshold=self._edge(int(used[best])), bound=float(f1_bound)),
            "pixel_aupro": _metric(*aupro_binned(bins, limit)),
            "pixel_aupro_200step": self._published(),
        }

    def refined(self, budget: int = BINS) -> PixelHistogram:
        """Return an empty histogram whose bins follow what this one has observed, for a second pass."""
        P, M = max(1, self._defect.sum()), max(1, self._normal.sum())
        tied = (self._defect / P + self._weight / max(1, self._regions)) * (self._normal / M)
        per_cell = np.add.reduceat(np.where(self._single(), 0.0, tied), self._start[:-1])
        observed = np.add.reduceat(self._normal + self._defect, self._start[:-1]) > 0
        # Each further bit halves what a cell hides; what it holds by itself is therefore bits doublings more.
        return PixelHistogram(allocate(per_cell * 2.0**self.bits + 1e-12 * observed, budget))

    def _bin(self, keys: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Return the bin of each key that :func:`zsad.metrics.aupro.ordered_bits` gave."""
        cell = (keys >> np.uint32(16)).astype(np.intp)
        index = keys >> self._shift.take(cell)
        index += self._offset.take(cell)
        return index

    def _single(self) -> npt.NDArray[np.bool_]:
        return np.repeat(self.bits == 16, np.diff(self._start))

    def _edge(self, index: int) -> float:
        """Lowest score of a bin."""
        cell = int(np.searchsorted(self._start, index, side="right")) - 1
        key = (cell << 16) | ((index - int(self._start[cell])) << (16 - int(self.bits[cell])))
        return float(from_ordered_bits(np.array([key], np.uint32))[0])

    def _published(self) -> Metric:
        """Compute the 200-threshold form; a threshold inside of a bin leaves that bin's pixels in doubt."""
        if self._lowest == self._highest:
            return undefined("all scores are equal")
        thresholds = published_thresholds(self._lowest, self._highest)
        rounded = thresholds.astype(np.float32)
        rounded = np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
        index = self._bin(ordered_bits(rounded))
        doubt = ~self._single()[index]
        M = self._normal.sum()
        fpr = (M - np.cumsum(self._normal)[index]) / M
        pro = 1.0 - np.cumsum(self._weight)[index] / self._regions
        d_fpr = np.where(doubt, self._normal[index], 0) / M / 2
        d_pro = np.where(doubt, self._weight[index], 0.0) / self._regions / 2
        return published_bounded(fpr + d_fpr, pro + d_pro, d_fpr, d_pro)


def published_bounded(
    fpr: npt.NDArray[np.float64],
    pro: npt.NDArray[np.float64],
    d_fpr: npt.NDArray[np.float64],
    d_pro: npt.NDArray[np.float64],
) -> Metric:
    """Return the 200-threshold form of points that are known up to ``d_fpr`` and ``d_pro``, with its bound.

    It is ``nan`` where the points leave open whether it is defined at all.
    """
    value = published_area(fpr, pro)
    sure = fpr + d_fpr < FPR_LIMIT
    # Defined for certain: two points that are surely kept have surely different rates.
    defined = sure.any() and (fpr - d_fpr)[sure].max() > (fpr + d_fpr)[sure].min()
    if not defined:
        in_doubt = d_fpr.any() or d_pro.any()
        return Metric(float("nan"), "the bins are too coarse for 200 thresholds", bound=1.0) if in_doubt else value
    kept = fpr < FPR_LIMIT
    if (np.abs(fpr - FPR_LIMIT) < d_fpr).any():
        return Metric(value.value, bound=1.0)  # whether a point is kept at all is open
    x, y, dx, dy = fpr[kept], pro[kept], d_fpr[kept], d_pro[kept]
    # Trapezoids are linear in y, with half the distance of the neighbours' x, and the other way round.
    across = np.abs(np.concatenate([x[:1], x[:-1]]) - np.concatenate([x[1:], x[-1:]])) / 2 + dx.max()
    along = np.abs(np.concatenate([y[:1], y[:-1]]) - np.concatenate([y[1:], y[-1:]])) / 2
    ends = float(dx[0] + dx[-1])
    shift = float((dy * across).sum() + (dx * along).sum()) + ends
    return Metric(value.value, bound=min(1.0, (shift + ends) / max(float(x.max() - x.min()) - ends, 1e-12)))


class PixelAccumulator:
    """Pixels of one class, image by image: exact up to a size, in bins past it.

    Args:
        exact_pixels: number of pixels that are kept.
    """

    def __init__(self, exact_pixels: int = EXACT_PIXELS) -> None:
        self.images: list[ImagePixels] = []
        self.histogram: PixelHistogram | None = None
        self._room = exact_pixels

    def add(self, mask: npt.NDArray[Any], scores: npt.NDArray[Any], where: str = "map") -> None:
        """Add one image; arguments and errors as :func:`zsad.metrics.regions.split_pixels`."""
        pixels = split_pixels(mask, scores, where)
        if self.histogram is None and scores.size > self._room:
            self.histogram = PixelHistogram(sampled_bits(self.images))
            while self.images:
                self.histogram.add(self.images.pop())
        if self.histogram is None:
            self._room -= scores.size
            self.images.append(pixels)
        else:
            self.histogram.add(pixels)

    def metrics(self, limit: float = FPR_LIMIT) -> dict[str, Metric]:
        """Return every pixel metric; names as :func:`zsad.metrics.pixels.pixel_metrics`."""
        if self.histogram is not None:
            return self.histogram.metrics(limit)
        return from_regions(gather(self.images), limit)


def stream(
    source: Callable[[], Pairs],
    *,
    exact_pixels: int = EXACT_PIXELS,
    target: float = TARGET,
    passes: int = 2,
    limit: float = FPR_LIMIT,
) -> dict[str, Metric]:
    """Measure masks and maps that don't fit in memory together.

    Args:
        source: gives the same pairs each time it is called.
        exact_pixels: number of pixels that are kept; below it the result is exact.
        target: largest bound that is accepted without another pass.
        passes: most passes over the source.
        limit: false positive rate at which AUPRO's integral ends.

    Returns:
        Every pixel metric; what remains uncertain is in its ``bound``.

    Raises:
        MetricError: NaN or infinite scores, other mask values, or sizes that differ.
    """
    accumulator = PixelAccumulator(exact_pixels)
    for _ in range(passes):
        for i, (mask, scores) in enumerate(source()):
            accumulator.add(mask, scores, f"map {i}")
        found = accumulator.metrics(limit)
        if accumulator.histogram is None or largest_bound(found) <= target:
            break
        accumulator.histogram = accumulator.histogram.refined()
    return found


def largest_bound(metrics: dict[str, Metric]) -> float:
    """Return the largest bound of several metrics."""
    return max((metric.bound for metric in metrics.values()), default=0.0)


def allocate(mass: npt.NDArray[np.float64], budget: int = BINS) -> npt.NDArray[np.uint8]:
    """Split cells so that what they hide together is smallest: bins in proportion to the square root of their mass.

    Args:
        mass: ``(65536,)`` of at least 0, pairs that share a cell before it is split.
        budget: most bins.

    Returns:
        uint8 ``(65536,)`` of 0..16.
    """
    if not mass.any():
        return first_bits()
    root = np.sqrt(mass / mass.max())
    low, high = -20.0, 60.0
    for _ in range(60):
        scale = (low + high) / 2
        bits = _power(root, scale)
        if np.left_shift(1, bits.astype(np.int64)).sum() > budget:
            high = scale
        else:
            low = scale
    return _power(root, low)


def first_bits() -> npt.NDArray[np.uint8]:
    """Return bins for scores in [0, 1] of which nothing else is known: 512 a cell from 1/4096 up, 8 below."""
    edges = ordered_bits(np.array([0.0, 2.0**-12, 1.0], np.float32)) >> np.uint32(16)
    bits = np.zeros(CELLS, np.uint8)
    bits[edges[0] : edges[1]] = 3
    bits[edges[1] : edges[2] + 1] = 9
    return bits


def sampled_bits(images: list[ImagePixels], budget: int = BINS) -> npt.NDArray[np.uint8]:
    """Return bins that fit the first images, with some left for what they don't show."""
    normal, defect = np.zeros(CELLS), np.zeros(CELLS)
    for image in images:
        normal += np.bincount(ordered_bits(image.normal[::SAMPLE]) >> np.uint32(16), minlength=CELLS)
        defect += np.bincount(ordered_bits(image.defect) >> np.uint32(16), minlength=CELLS)
    if not images:
        return first_bits()
    spare = 2.0 ** first_bits() / 2**16 / CELLS
    normal, defect = normal / max(1.0, normal.sum()), defect / max(1.0, defect.sum())
    return allocate((normal + spare) * (defect + normal / 10 + spare), budget)


def _power(root: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.uint8]:
    with np.errstate(divide="ignore"):
        return np.clip(np.floor(np.log2(root) + scale), 0, 16).astype(np.uint8)


def _metric(value: npt.NDArray[np.float64], bound: npt.NDArray[np.float64]) -> Metric:
    return Metric(float(value), bound=float(bound))
