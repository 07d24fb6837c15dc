"""Class by class, each with a detector of its own, once for each seed: evaluations with shots, and mutual ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import DatasetError, InputError
from zsad.evaluation.loop import Options, evaluate_class, grouped
from zsad.evaluation.provenance import card_hash, versions
from zsad.evaluation.table import METRICS, ClassTable, DatasetTable, Table
from zsad.metrics import Metric
from zsad.metrics.metric import undefined
from zsad.types import Sample


class Prepared(Protocol):
    """What one class is measured with: a detector, the samples, and how it came about."""

    @property
    def detector(self) -> Detector: ...  # noqa: D102
    @property
    def samples(self) -> list[Sample]: ...  # noqa: D102
    @property
    def note(self) -> str: ...  # noqa: D102


def evaluate_each(
    base: Detector,
    samples: Iterable[Sample],
    prepare: Callable[[str, str, Sequence[Sample], int], Prepared],
    options: Options,
    *,
    seeds: Sequence[int] = (0,),
    how: Mapping[str, Any] | None = None,
    progress: Callable[[Sample], None] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Table:
    """Evaluate each class with what ``prepare`` makes for it.

    With several seeds a metric is their mean, and its interval reaches from the lowest to the highest of them.

    Args:
        base: the detector that all have in common, for the record.
        samples: of any number of datasets and classes.
        prepare: ``(dataset, class, samples, seed)`` -> what the class is measured with.
        options: how it is measured.
        seeds: of what ``prepare`` draws.
        how: what the record says of it, such as the number of shots.
        progress: called after each image, in order.
        data: what is known of the datasets, by key, for the record.

    Returns:
        A table as :func:`zsad.evaluate` gives; a class that can't be prepared is undefined, with its reason.
    """
    datasets: dict[str, DatasetTable] = {}
    notes: list[str] = []
    for (key, name), group in grouped(samples).items():
        tables = []
        for seed in seeds:
            try:
                made = prepare(key, name, group, seed)
            except (DatasetError, InputError) as error:
                tables = [undefined_class(name, str(error))]
                break
            notes.append(f"seed {seed}: {made.note}" if len(seeds) > 1 else made.note)
            tables.append(evaluate_class(made.detector, made.samples, options, progress=progress))
        datasets.setdefault(key, DatasetTable(key, {})).classes[name] = joined(tables)
    card = base.card
    run = {
        "model": card.provenance.name, "backbone": card.provenance.backbone, "image_size": card.input.image_size,
        "resolution": options.resolution, "bootstrap": options.bootstrap, "seed": seeds[0], "seeds": list(seeds),
        "card_sha256": card_hash(card), "versions": versions(), "data": dict(data or {}), **(how or {}), "notes": notes,
    }  # fmt: skip
    return Table(datasets, run)


def joined(tables: Sequence[ClassTable]) -> ClassTable:
    """Put the tables of one class under several seeds together: means, and ranges as intervals."""
    first = tables[0]
    if len(tables) == 1:
        return first
    metrics: dict[str, Metric] = {}
    ranges: dict[str, tuple[float, float]] = {}
    for name in METRICS:
        found = [table.metrics[name] for table in tables]
        values = [metric.value for metric in found]
        if any(map(math.isnan, values)):
            metrics[name] = next(metric for metric in found if math.isnan(metric.value))
            continue
        metrics[name] = Metric(float(np.mean(values)), found[0].reason, bound=max(m.bound for m in found))
        ranges[name] = (min(values), max(values))
    left_out = tuple(dict.fromkeys(line for table in tables for line in table.left_out))
    return ClassTable(first.name, first.n_normal, first.n_anomalous, metrics, ranges, first.curves, left_out,
                      sum(table.seconds for table in tables), first.images)  # fmt: skip


def undefined_class(name: str, why: str) -> ClassTable:
    """Return the table of a class that can't be prepared."""
    return ClassTable(name, 0, 0, {metric: undefined(why) for metric in METRICS}, left_out=(why,))
