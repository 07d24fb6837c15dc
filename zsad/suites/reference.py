"""Published numbers as data, so that every run prints its gap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from zsad.data.catalog import CATALOG
from zsad.documents import parse_yaml
from zsad.evaluation import METRICS

BASELINE = "AnomalyCLIP (paper)"
"""The method that gaps are stated against."""


@dataclass(frozen=True)
class Published:
    """One method's published results.

    Attributes:
        method: its name.
        venue: where it appeared.
        trained_on: auxiliary data.
        source: where the numbers were read.
        verified: read in the official repository, not in another author's table.
        leakage: what its scoring takes from the test set, or ``"none known"``.
        means: ``{dataset: {metric: value}}``, values in [0, 1].
        classes: ``{dataset: {class: {metric: value}}}``.
    """

    method: str
    venue: str
    trained_on: str
    source: str
    verified: bool
    leakage: str
    means: dict[str, dict[str, float]]
    classes: dict[str, dict[str, dict[str, float]]]

    @property
    def strict(self) -> bool:
        """Whether nothing of the test set is known to enter its scores."""
        return self.leakage.startswith("none known")


@cache
def published() -> tuple[Published, ...]:
    """Read all published rows that come with zsad."""
    folder = resources.files("zsad.suites") / "reference"
    rows: list[Published] = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            rows += [_row(data) for data in parse_yaml(file.read_bytes(), file.name)]
    return tuple(rows)


def baseline(dataset: str) -> dict[str, float]:
    """Return the baseline's means on a dataset of the catalog, or nothing."""
    return next((row.means.get(dataset, {}) for row in published() if row.method == BASELINE), {})


def baseline_class(dataset: str, name: str) -> dict[str, float]:
    """Return the released checkpoint's values on one class, or nothing."""
    for row in published():
        if name in row.classes.get(dataset, {}):
            return row.classes[dataset][name]
    return {}


def subset_note(dataset: str, images: int) -> str:
    """Say that the published numbers are of another number of images than these, or nothing."""
    row = CATALOG.get(dataset)
    if row is None or row.counts is None or images == row.counts.normal + row.counts.anomalous:
        return ""
    return f"{images} of {row.counts.normal + row.counts.anomalous} images"


def best_strict(dataset: str, metric: str) -> tuple[float, str] | None:
    """Return the highest published value without known leakage, and whose it is."""
    found = [(row.means[dataset][metric], row.method) for row in published()
             if row.strict and metric in row.means.get(dataset, {})]  # fmt: skip
    return max(found, default=None)


def _row(data: dict[str, Any]) -> Published:
    datasets: dict[str, Any] = data["datasets"]
    return Published(
        method=data["method"],
        venue=data["venue"],
        trained_on=data["trained_on"],
        source=data["source"],
        verified=data["verified"],
        leakage=data["leakage"],
        means={key: _shares(one["mean"]) for key, one in datasets.items()},
        classes={
            key: {name: _shares(v) for name, v in one.get("classes", {}).items()} for key, one in datasets.items()
        },
    )


def _shares(values: dict[str, float]) -> dict[str, float]:
    unknown = set(values) - set(METRICS)
    if unknown:
        raise ValueError(f"unknown metric {sorted(unknown)[0]} in reference data")
    return {name: value / 100 for name, value in values.items()}
