"""How far a metric would move with other images: percentile intervals over resampled images.

Normal and anomalous images are drawn separately, with replacement, so that every resample has both classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsad.metrics.aupro import RegionScores
from zsad.metrics.curves import ap, auroc, best_f1, rank
from zsad.metrics.histogram import Binned, ap_binned, aupro_binned, auroc_binned, f1_binned
from zsad.metrics.metric import Scores, checked_scores, checked_truth
from zsad.metrics.regions import ImagePixels

EDGES = 1024
"""Bins of the pixel histograms; the exact value is the centre, so that bins only colour the spread."""

Interval = tuple[float, float]


def draw(labels: npt.ArrayLike, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw how often each image is used.

    Args:
        labels: ``(n,)`` of 0 and 1.
        resamples: number R of draws.
        seed: the same seed gives the same draws.

    Returns:
        int64 ``(R, n)``; each row sums to n, and to the same number in each class.
    """
    truth = checked_truth(labels)
    rng = np.random.default_rng(seed)
    counts = np.zeros((resamples, truth.size), np.int64)
    for group in (np.flatnonzero(truth), np.flatnonzero(~truth)):
        if group.size:
            counts[:, group] = rng.multinomial(group.size, np.full(group.size, 1 / group.size), size=resamples)
    return counts


def bootstrap_images(
    labels: npt.ArrayLike, scores: npt.ArrayLike, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, Interval]:
    """Intervals of image AUROC, AP and F1-max.

    Args:
        labels: ``(n,)`` of 0 and 1.
        scores: ``(n,)`` finite.
        resamples: number of draws.
        seed: the same seed gives the same interval.
        level: share of draws inside of the interval, in (0, 1).

    Returns:
        ``(low, high)`` by name; empty if only one class is present.
    """
    truth, values = checked_truth(labels), checked_scores(scores)
    if truth.all() or not truth.any():
        return {}
    found: dict[str, list[float]] = {"image_auroc": [], "image_ap": [], "image_f1_max": []}
    for counts in draw(truth, resamples, seed):
        drawn = np.repeat(values, counts)
        drawn_truth = np.repeat(truth, counts)
        ranked = rank(drawn[~drawn_truth], drawn[drawn_truth])
        for name, metric in (("image_auroc", auroc), ("image_ap", ap), ("image_f1_max", best_f1)):
            found[name].append(metric(ranked).value)
    return {name: _percentiles(np.array(draws), level) for name, draws in found.items()}


def bootstrap_pixels(
    images: list[ImagePixels],
    scores: RegionScores,
    exact: dict[str, float],
    resamples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Intervals of the pixel metrics, from one histogram per image.

    Args:
        images: the pixels of each image; an image with regions counts as anomalous.
        scores: all of them sorted, what :func:`zsad.metrics.aupro.gather` gave.
        exact: the exact values by name, around which the spread is laid.
        resamples: number of draws.
        seed: the same seed gives the same interval.
        level: share of draws inside of the interval, in (0, 1).

    Returns:
        ``(low, high)`` by name; empty if a class of pixels is missing.
    """
    if not scores.defect.size or not scores.normal.size:
        return {}
    edges = _edges(scores)
    normal = np.stack([np.histogram(image.normal, edges)[0][::-1] for image in images]).astype(np.float64)  # (n, K)
    defect = np.stack([np.histogram(image.defect, edges)[0][::-1] for image in images]).astype(np.float64)
    weights = [1.0 / image.areas[image.region] for image in images]
    weight = np.stack(
        [np.histogram(i.defect, edges, weights=w)[0][::-1] for i, w in zip(images, weights, strict=True)]
    ).astype(np.float64)
    regions = np.array([image.areas.size for image in images])
    counts = draw(regions > 0, resamples, seed)
    counts = np.concatenate([np.ones((1, len(images)), np.int64), counts])  # the first row is the sample itself
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    for rows in np.array_split(counts, max(1, counts.shape[0] // 64)):  # bounds the memory
        bins = Binned(
            rows @ normal, rows @ defect, (rows @ weight) / (rows @ regions)[:, None], np.ones(edges.size - 1, np.bool_)
        )
        for name, values in (
            ("pixel_auroc", auroc_binned(bins)[0]),
            ("pixel_ap", ap_binned(bins)[0]),
            ("pixel_f1_max", f1_binned(bins)[0]),
            ("pixel_aupro", aupro_binned(bins)[0]),
        ):
            found.setdefault(name, []).append(values)
    out: dict[str, Interval] = {}
    for name, parts in found.items():
        values = np.concatenate(parts)
        out[name] = _percentiles(np.clip(values[1:] - values[0] + exact[name], 0.0, 1.0), level)
    return out


def _edges(scores: RegionScores) -> npt.NDArray[np.float64]:
    """Bin edges at even ranks of the defect pixels and of the highest and all normal pixels."""
    each = EDGES // 4
    ranks = np.linspace(0, 1, 2 * each)
    tail = 1.0 - np.geomspace(1e-5, 1.0, each)
    inner = np.concatenate([_at(scores.defect, ranks), _at(scores.normal, tail), _at(scores.normal, ranks[::2])])
    lowest, highest = min(scores.normal[0], scores.defect[0]), max(scores.normal[-1], scores.defect[-1])
    return np.unique(np.concatenate([[lowest], inner, [np.nextafter(np.float64(highest), np.inf)]]))


def _at(ordered: Scores, ranks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return ordered[np.rint(ranks * (ordered.size - 1)).astype(np.int64)].astype(np.float64)


def _percentiles(draws: npt.NDArray[np.float64], level: float) -> Interval:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
