"""The loop of an evaluation: one class after another, one image at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import DatasetError, InputError, OutputError, UsageError
from zsad.evaluation.table import IMAGE_METRICS, PIXEL_METRICS, ClassTable, DatasetTable, ImageRecord, Table
from zsad.evaluation.view import Resolution, View, parse_resolution, upright, view
from zsad.metrics import Metric
from zsad.metrics.aupro import gather, pro_curve
from zsad.metrics.bootstrap import bootstrap_images, bootstrap_pixels
from zsad.metrics.curves import ap, auroc, best_f1, rank, rank_labels, roc_curve
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
        progress: called before each image.

    Returns:
        Metrics per class, their unweighted means per dataset, and what was left out.

    Raises:
        UsageError: an unknown resolution.
        MetricError: the detector gave NaN or infinite values.
        OutputError: maps can't be written.
    """
    options = Options(
        parse_resolution(resolution), bootstrap, seed, Path(save_maps) if save_maps else None, exact_pixels
    )
    if options.save_maps is not None:
        (options.save_maps / "scores.jsonl").unlink(missing_ok=True)
    datasets: dict[str, DatasetTable] = {}
    for (key, name), group in grouped(samples).items():
        table = evaluate_class(detector, group, options, progress=progress)
        datasets.setdefault(key, DatasetTable(key, {})).classes[name] = table
    card = detector.card
    run = {
        "model": card.provenance.name,
        "backbone": card.provenance.backbone,
        "image_size": card.input.image_size,
        "resolution": options.resolution,
        "bootstrap": bootstrap,
        "seed": seed,
    }
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
    progress: Callable[[Sample], None] | None = None,
) -> ClassTable:
    """Evaluate one class; arguments and errors as :func:`evaluate`."""
    detector = upright(detector)
    left_out: list[str] = []
    usable = [sample for sample in samples if not _leave_out(sample, left_out)]
    pixels = PixelAccumulator(options.exact_pixels)
    records: list[ImageRecord] = []
    seconds = 0.0
    kept: list[Sample] = []
    for sample, seen in _views(detector, usable, options, left_out, progress):
        checked_scores(np.float64(seen.score), f"score of {sample.key or sample.image}")
        records.append(_record(sample, seen))
        seconds += seen.seconds
        kept.append(sample)
        if seen.mask is not None:
            pixels.add(seen.mask, seen.map, f"map of {records[-1].key}")
        if options.save_maps is not None:
            _save_map(options.save_maps, sample, seen, records[-1])
    metrics, intervals, curves = _image_metrics(records, options)
    if any(sample.has_masks for sample in kept):
        found, more_intervals, more_curves = _pixel_metrics(pixels, options)
        if largest_bound(found) > TARGET and pixels.histogram is not None:
            # Bins that fit the observed range; the maps are not kept, so the detector runs again.
            pixels.histogram = pixels.histogram.refined()
            for sample, seen in _views(detector, kept, options, [], progress):
                assert seen.mask is not None
                pixels.add(seen.mask, seen.map, f"map of {sample.key}")
            found, more_intervals, more_curves = _pixel_metrics(pixels, options)
        metrics, intervals, curves = metrics | found, intervals | more_intervals, curves | more_curves
    else:
        metrics |= {name: undefined(NO_MASKS) for name in PIXEL_METRICS}
    anomalous = sum(record.label for record in records)
    return ClassTable(
        samples[0].class_name or "all" if samples else "all",
        len(records) - anomalous, anomalous, metrics, intervals, curves, tuple(left_out), seconds, tuple(records),
    )  # fmt: skip


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


def _views(
    detector: Detector,
    samples: Sequence[Sample],
    options: Options,
    left_out: list[str],
    progress: Callable[[Sample], None] | None,
) -> Iterator[tuple[Sample, View]]:
    for sample in samples:
        if progress is not None:
            progress(sample)
        try:
            seen = view(detector, sample, options.resolution)
        except (InputError, DatasetError) as error:
            text = str(error)
            left_out.append(text if str(sample.image) in text else f"{sample.image}: {text}")
            continue
        yield sample, seen


def _record(sample: Sample, seen: View) -> ImageRecord:
    found = None
    if seen.mask is not None and np.isfinite(seen.map).all():
        own = auroc(rank(seen.map[seen.mask == 0], seen.map[seen.mask == 1]))
        found = None if own.reason else own.value
    return ImageRecord(sample.key or str(sample.image), int(sample.label or 0), float(seen.score), found)


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


def _save_map(folder: Path, sample: Sample, seen: View, record: ImageRecord) -> None:
    """Write the map below ``folder`` as ``dataset/class/key.npy``, and a line in ``scores.jsonl``."""
    parts = [part for part in PurePosixPath(record.key.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    path = folder.joinpath(_safe(sample.dataset or "data"), _safe(sample.class_name or "all"), *map(_safe, parts))
    path = path.with_name(path.name + ".npy")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, seen.map, allow_pickle=False)
        line = {"map": path.relative_to(folder).as_posix(), "image": str(sample.image), "label": record.label,
                "score": record.score}  # fmt: skip
        with (folder / "scores.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise OutputError(f"{path}: can't be written ({error.strerror or error})") from None


def _safe(name: str) -> str:
    return "".join("_" if char in '<>:"/\\|?*' or ord(char) < 32 else char for char in name) or "_"
