"""What an evaluation gives: metrics per class, unweighted means per dataset, and everything left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from zsad.metrics import Metric
from zsad.types import Verdict

IMAGE_METRICS = ("image_auroc", "image_ap", "image_f1_max")
PIXEL_METRICS = ("pixel_auroc", "pixel_ap", "pixel_f1_max", "pixel_aupro", "pixel_aupro_200step")
METRICS = (*IMAGE_METRICS, *PIXEL_METRICS)
"""Names of all metrics, in the order of tables."""


@dataclass(frozen=True)
class ImageRecord:
    """One evaluated image.

    Attributes:
        key: its name within the dataset.
        label: 0 normal, 1 anomalous.
        score: the detector's score, in [0, 1].
        pixel_auroc: how well its own map finds its own mask; None without a defect pixel.
        verdict: the detector's; None if it has no thresholds.
    """

    key: str
    label: int
    score: float
    pixel_auroc: float | None = None
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the image as JSON data; a verdict only where there is one."""
        return {name: value for name, value in asdict(self).items() if name != "verdict" or value is not None}


@dataclass(frozen=True)
class Verdicts:
    """What a detector's thresholds made of labelled images.

    Attributes:
        rejected: normal images that were called anomalous.
        missed: anomalous images that were called normal.
    """

    rejected: int
    missed: int

    @classmethod
    def of(cls, images: Sequence[ImageRecord]) -> Verdicts | None:
        """Count; None if the detector has no thresholds."""
        if not images or images[0].verdict is None:
            return None
        rejected = sum(image.label == 0 and image.verdict == "anomalous" for image in images)
        return cls(rejected, sum(image.label == 1 and image.verdict == "normal" for image in images))


@dataclass(frozen=True)
class ClassTable:
    """One class of one dataset.

    Attributes:
        name: the class.
        n_normal: normal images that were evaluated.
        n_anomalous: anomalous images that were evaluated.
        metrics: every metric of :data:`METRICS`; undefined ones are ``nan`` with their reason.
        intervals: bootstrap intervals by metric.
        curves: points of the ROC (``[fpr, tpr]``) and per-region-overlap curve (``[fpr, overlap]``).
        left_out: images that were not evaluated, each with its reason.
        seconds: time in the detector, of all lanes together.
        images: the score of each image.
        verdicts: what the detector's thresholds made of them; None if it has none.
        notes: how masks were read that are not plain, and how many.
    """

    name: str
    n_normal: int
    n_anomalous: int
    metrics: dict[str, Metric]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    curves: dict[str, list[list[float]]] = field(default_factory=dict, repr=False)
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0
    images: tuple[ImageRecord, ...] = field(default=(), repr=False)
    verdicts: Verdicts | None = None
    notes: tuple[str, ...] = ()

    @property
    def n_images(self) -> int:
        """Images that were evaluated."""
        return self.n_normal + self.n_anomalous

    def to_json(self, *, full: bool = False) -> dict[str, Any]:
        """Return the class as JSON data; ``full`` adds curves and the score of each image."""
        data: dict[str, Any] = {"n_images": self.n_images, "n_normal": self.n_normal, "n_anomalous": self.n_anomalous}
        data |= metrics_to_json(self.metrics)
        thresholds = {name: m.threshold for name, m in self.metrics.items() if m.threshold is not None}
        data |= {"thresholds": thresholds} if thresholds else {}
        data |= {"intervals": {name: list(pair) for name, pair in self.intervals.items()}} if self.intervals else {}
        data |= {"verdicts": asdict(self.verdicts)} if self.verdicts else {}
        data |= {"left_out": list(self.left_out), "seconds": self.seconds}
        data |= {"notes": list(self.notes)} if self.notes else {}
        if full:
            data["curves"] = self.curves
            data["images"] = [image.to_json() for image in self.images]
        return data

    @classmethod
    def from_json(cls, name: str, data: dict[str, Any]) -> ClassTable:
        """Undo :meth:`to_json`."""
        return cls(
            name=name,
            n_normal=data["n_normal"],
            n_anomalous=data["n_anomalous"],
            metrics=metrics_from_json(data),
            intervals={key: (pair[0], pair[1]) for key, pair in data.get("intervals", {}).items()},
            curves=data.get("curves", {}),
            left_out=tuple(data["left_out"]),
            seconds=data["seconds"],
            images=tuple(ImageRecord(**image) for image in data.get("images", ())),
            verdicts=Verdicts(**data["verdicts"]) if "verdicts" in data else None,
            notes=tuple(data.get("notes", ())),
        )


@dataclass(frozen=True)
class DatasetTable:
    """One dataset: its classes, and the unweighted mean over them."""

    key: str
    classes: dict[str, ClassTable]

    @property
    def mean(self) -> dict[str, Metric]:
        """Mean of each metric over the classes that define it; the reason names the classes that don't."""
        return {name: mean_metric(name, self.classes.values()) for name in METRICS}

    @property
    def left_out(self) -> tuple[str, ...]:
        """Everything that was not evaluated."""
        return tuple(line for table in self.classes.values() for line in table.left_out)

    def to_json(self, *, full: bool = False) -> dict[str, Any]:
        """Return the dataset as JSON data."""
        return {
            "mean": metrics_to_json(self.mean),
            "classes": {name: table.to_json(full=full) for name, table in self.classes.items()},
        }

    @classmethod
    def from_json(cls, key: str, data: dict[str, Any]) -> DatasetTable:
        """Undo :meth:`to_json`."""
        return cls(key, {name: ClassTable.from_json(name, one) for name, one in data["classes"].items()})


@dataclass(frozen=True)
class Table:
    """Several datasets under one detector.

    Attributes:
        datasets: by key.
        run: how it was measured: model, card, resolution, versions, where the data were.
    """

    datasets: dict[str, DatasetTable]
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Everything that was not evaluated."""
        return tuple(f"{key}: {line}" for key, table in self.datasets.items() for line in table.left_out)

    @property
    def notes(self) -> tuple[str, ...]:
        """How masks were read that are not plain."""
        return tuple(
            f"{key}, {name}: {line}"
            for key, data in self.datasets.items()
            for name, table in data.classes.items()
            for line in table.notes
        )

    def to_json(self, *, full: bool = False) -> dict[str, Any]:
        """Return ``{"datasets": {KEY: {"mean": ..., "classes": ...}}, "run": ...}``; undefined metrics are null."""
        return {"datasets": {key: table.to_json(full=full) for key, table in self.datasets.items()}, "run": self.run}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Table:
        """Undo :meth:`to_json`."""
        return cls({key: DatasetTable.from_json(key, one) for key, one in data["datasets"].items()}, data["run"])


def mean_metric(name: str, classes: Iterable[ClassTable]) -> Metric:
    """Average one metric over classes, each weighing the same."""
    found = {table.name: table.metrics[name] for table in classes}
    defined = [metric for metric in found.values() if not math.isnan(metric.value)]
    missing = {key: metric.reason for key, metric in found.items() if math.isnan(metric.value)}
    if not defined:
        reasons = list(dict.fromkeys(missing.values()))
        return Metric(float("nan"), "; ".join(reasons) or "no classes")
    note = "; ".join(f"without {key} ({reason})" for key, reason in missing.items())
    value = math.fsum(metric.value for metric in defined) / len(defined)
    return Metric(value, note, bound=max(metric.bound for metric in defined))


def metrics_to_json(metrics: dict[str, Metric]) -> dict[str, Any]:
    """Return values by name (null for undefined ones), their reasons, and bounds above 0."""
    data: dict[str, Any] = {name: None if math.isnan(m.value) else m.value for name, m in metrics.items()}
    data["reasons"] = {name: metric.reason for name, metric in metrics.items() if metric.reason}
    bounds = {name: metric.bound for name, metric in metrics.items() if metric.bound}
    return data | ({"bounds": bounds} if bounds else {})


def metrics_from_json(data: dict[str, Any]) -> dict[str, Metric]:
    """Undo :func:`metrics_to_json`."""
    return {
        name: Metric(
            float("nan") if data[name] is None else data[name],
            data["reasons"].get(name, ""),
            data.get("thresholds", {}).get(name),
            data.get("bounds", {}).get(name, 0.0),
        )
        for name in METRICS
    }
