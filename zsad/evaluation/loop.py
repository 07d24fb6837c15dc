"""The loop of an evaluation: one class after another, each image by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.evaluation.looks import Look, key_of, looks
from zsad.evaluation.maps import MapFolder
from zsad.evaluation.provenance import card_hash, versions
from zsad.evaluation.table import IMAGE_METRICS, PIXEL_METRICS, ClassTable, DatasetTable, ImageRecord, Table, Verdicts
from zsad.evaluation.view import Resolution, View, parse_resolution, upright
from zsad.metrics import Metric
from zsad.metrics.aupro import gather, pro_curve
from zsad.metrics.bootstrap import bootstrap_images, bootstrap_pixels
from zsad.metrics.curves import ap, auroc, best_f1, rank_labels, roc_curve
from zsad.metrics.metric import checked_scores, undefined
from zsad.metrics.pixels import from_regions
from zsad.metrics.streaming import EXACT_PIXELS, TARGET, PixelAccumulator, largest_bound
from zsad.types import Sample

NO_MASKS = "the dataset has no masks for this class"


@dataclass(frozen=True)
class Options:
    """How an evaluation measures.

    Attributes:
        resolution: ``"model"``, ``"original"``, or a side in pixels.
        bootstrap: resamples for intervals; 0 for none.
        seed: of the resamples.
        save_maps: folder for the maps as float32 ``.npy``, or None.
        exact_pixels: pixels of a class up to which pixel metrics are exact; past it they have a bound.
    """

    resolution: Resolution = "model"
    bootstrap: int = 0
    seed: int = 0
    save_maps: Path | None = None
    exact_pixels: int = EXACT_PIXELS

    def __post_init__(self) -> None:
        parse_resolution(self.resolution)
        if self.bootstrap < 0:
            raise UsageError(f"bootstrap must be at least 0, got {self.bootstrap}")


def evaluate(
    detector: Detector,
    samples: Iterable[Sample],
    *,
    resolution: Resolution = "model",
    bootstrap: int = 0,
    seed: int = 0,
    save_maps: str | Path | None = None,
    exact_pixels: int = EXACT_PIXELS,
    progress: Callable[[Sample], None] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Table:
    """Evaluate a detector on labelled samples.

    Args:
        detector: any detector.
        samples: of any number of datasets and classes.
        resolution: ``"model"`` (maps and masks at S x S, as published), ``"original"``, or a side in pixels.
        bootstrap: resamples for 95 % intervals; 0 for none.
        seed: of the resamples.
        save_maps: folder for the maps as float32 ``.npy``.
        exact_pixels: pixels of a class up to which pixel metrics are exact.
        progress: called after each image, in order.
        data: what is known of the datasets, by key, for the record.

    Returns:
        Metrics per class, their unweighted means per dataset, what was left out, and how the figures came about.

    Raises:
        UsageError: an unknown resolution.
        MetricError: the detector gave NaN or infinite values.
        OccupiedError: a file is in the way of the maps that zsad did not write.
        OutputError: maps can't be written.
    """
    options = Options(
        parse_resolution(resolution), bootstrap, seed, Path(save_maps) if save_maps else None, exact_pixels
    )
    groups = grouped(samples)
    worker, lanes = upright(detector).side_by_side() if groups else (detector, 1)
    datasets: dict[str, DatasetTable] = {}
    with closing(_classes(worker, list(groups.values()), options, lanes, progress)) as tables:
        for (key, name), table in zip(groups, tables, strict=True):
            datasets.setdefault(key, DatasetTable(key, {})).classes[name] = table
    card = detector.card
    run = {
        "model": card.provenance.name,
        "backbone": card.provenance.backbone,
        "image_size": card.input.image_size,
        "resolution": options.resolution,
        "bootstrap": bootstrap,
        "seed": seed,
        "card_sha256": card_hash(card),
        "versions": versions(),
        "data": dict(data or {}),
    }
    if detector.thresholds.judges:
        run["thresholds"] = asdict(detector.thresholds) | {"rule": detector.thresholds.rule or "either"}
    return Table(datasets, run)


def grouped(samples: Iterable[Sample]) -> dict[tuple[str, str], list[Sample]]:
    """Sort samples into (dataset, class), in order of appearance."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.dataset or "data", sample.class_name or "all"), []).append(sample)
    return groups


def evaluate_class(
    detector: Detector,
    samples: Sequence[Sample],
    options: Options = Options(),
    *,
    lanes: int | None = None,
    progress: Callable[[Sample], None] | None = None,
) -> ClassTable:
    """Evaluate one class; arguments and errors as :func:`evaluate`.

    ``lanes`` is the number of threads that call the detector as it is; by default it is asked what is fastest.
    """
    detector = upright(detector)
    if lanes is None:
        detector, lanes = detector.side_by_side()
    with closing(_classes(detector, [samples], options, lanes, progress)) as tables:
        return next(tables)


def _classes(
    detector: Detector,
    groups: Sequence[Sequence[Sample]],
    options: Options,
    lanes: int,
    progress: Callable[[Sample], None] | None,
) -> Generator[ClassTable, None, None]:
    """Evaluate one class after another; the next one's images are under way while a class is reckoned up."""
    left_out: list[list[str]] = [[] for _ in groups]
    usable = [[s for s in group if not _leave_out(s, lines)] for group, lines in zip(groups, left_out, strict=True)]
    every = [sample for group in usable for sample in group]
    with ExitStack() as ends:
        maps = None
        if options.save_maps is not None:
            maps = ends.enter_context(closing(MapFolder(options.save_maps, every)))
        seen = ends.enter_context(closing(looks(detector, every, options.resolution, lanes, progress)))
        for group, kept, lines in zip(groups, usable, left_out, strict=True):
            yield _class(detector, group, islice(seen, len(kept)), options, lanes, lines, maps)


def _class(
    detector: Detector,
    samples: Sequence[Sample],
    seen: Iterable[Look],
    options: Options,
    lanes: int,
    left_out: list[str],
    maps: MapFolder | None,
) -> ClassTable:
    pixels = PixelAccumulator(options.exact_pixels)
    records: list[ImageRecord] = []
    kept: list[Sample] = []
    notes: dict[str, list[str]] = {}
    seconds = 0.0
    for one in seen:
        if one.view is None:
            left_out.append(one.error)
            continue
        record = _record(one, one.view)
        records.append(record)
        for note in one.view.notes:
            notes.setdefault(note, []).append(record.key)
        if one.view.unmarked:
            left_out.append(f"{one.view.unmarked}; it has no part in pixel metrics")
        kept.append(one.sample)
        seconds += one.view.seconds
        _add(pixels, one.view, record.key)
        if maps is not None:
            maps.write(one.sample, one.view.map, record.score)
    metrics, intervals, curves = _image_metrics(records, options)
    if any(sample.has_masks for sample in kept):
        found, more_intervals, more_curves = _pixel_metrics(pixels, options)
        if largest_bound(found) > TARGET and pixels.histogram is not None:
            # Bins that fit the observed range; the maps are not kept, so the detector runs again.
            pixels.histogram = pixels.histogram.refined()
            with closing(looks(detector, kept, options.resolution, lanes)) as again:
                for one in again:
                    if one.view is not None:
                        _add(pixels, one.view, key_of(one.sample))
            found, more_intervals, more_curves = _pixel_metrics(pixels, options)
        metrics, intervals, curves = metrics | found, intervals | more_intervals, curves | more_curves
    else:
        metrics |= {name: undefined(NO_MASKS) for name in PIXEL_METRICS}
    anomalous = sum(record.label for record in records)
    return ClassTable(
        samples[0].class_name or "all" if samples else "all",
        len(records) - anomalous, anomalous, metrics, intervals, curves, tuple(left_out), seconds, tuple(records),
        Verdicts.of(records),
        tuple(f"{len(keys)} masks: {note} (such as {keys[0]})" for note, keys in notes.items()),
    )  # fmt: skip


def _record(one: Look, seen: View) -> ImageRecord:
    checked_scores(np.float64(seen.score), f"score of {key_of(one.sample)}")
    return ImageRecord(key_of(one.sample), int(one.sample.label or 0), float(seen.score), one.own_auroc, seen.verdict)


def _add(pixels: PixelAccumulator, seen: View, key: str) -> None:
    if seen.mask is not None:
        pixels.add(seen.mask, seen.map, f"map of {key}")


def _leave_out(sample: Sample, left_out: list[str]) -> bool:
    """Report samples whose truth is unknown."""
    why = ""
    if sample.label is None:
        why = "no label"
    elif sample.label == 1 and sample.has_masks and sample.mask is None:
        why = "anomalous, but its mask is absent"
    if why:
        left_out.append(f"{sample.image}: {why}")
    return bool(why)


Found = tuple[dict[str, Metric], dict[str, tuple[float, float]], dict[str, list[list[float]]]]


def _image_metrics(records: list[ImageRecord], options: Options) -> Found:
    labels, scores = [record.label for record in records], np.array([record.score for record in records])
    ranked = rank_labels(np.array(labels, np.uint8), scores)
    metrics = dict(zip(IMAGE_METRICS, (auroc(ranked), ap(ranked), best_f1(ranked)), strict=True))
    intervals = bootstrap_images(labels, scores, options.bootstrap, options.seed) if options.bootstrap else {}
    return metrics, intervals, {"roc": roc_curve(ranked)}


def _pixel_metrics(pixels: PixelAccumulator, options: Options) -> Found:
    if pixels.histogram is not None:
        return pixels.metrics(), {}, {}
    scores = gather(pixels.images)
    metrics = from_regions(scores)
    intervals = {}
    if options.bootstrap:
        exact = {name: metric.value for name, metric in metrics.items()}
        intervals = bootstrap_pixels(pixels.images, scores, exact, options.bootstrap, options.seed)
    return metrics, intervals, {"pro": pro_curve(scores)}
