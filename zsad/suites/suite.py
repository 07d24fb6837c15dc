"""What to measure: a suite is YAML with runs, each a detector and the datasets it is tested on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from zsad.card import LARGEST_INPUT
from zsad.config import from_mapping, knob
from zsad.data.catalog import CATALOG
from zsad.data.layouts import LAYOUTS
from zsad.data.spec import DataSpec
from zsad.documents import read_yaml
from zsad.errors import ConfigError, UsageError
from zsad.evaluation import Resolution, parse_resolution
from zsad.outside import shown


@dataclass(frozen=True)
class Entry:
    """One dataset of a run that is not a name of the catalog, or lies elsewhere."""

    key: str = knob("", "what tables call it; the layout's name by default")
    layout: str = knob("", "a layout, or a name of the catalog")
    path: str = knob("", "where it lies below the data root; found by its name if empty")


@dataclass(frozen=True)
class Choice:
    """Arguments of :func:`zsad.load`; what is absent keeps its default there."""

    model: str | None = None
    prompt: str | None = None
    object: str | None = None
    normal: str | None = None
    anomalous: str | None = None
    device: str | None = None
    dtype: str | None = None
    image_size: int | None = knob(None, "side of the network's input", low=14, high=LARGEST_INPUT, unit="px")
    tile: int | Literal["auto"] | None = knob(None, "side of tiles", low=32, unit="px")

    def arguments(self) -> dict[str, Any]:
        """Return what was chosen."""
        return {key: value for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Run:
    """One detector on several datasets.

    Attributes:
        name: names the result file.
        detector: which; nothing for the bundled model.
        datasets: names of the catalog.
        entries: other datasets.
        note: what tables say about the run.
        shots: fit each class to so many of its good images, or ``"all"``; empty for the detector as it is.
        seeds: draws of the good images, from the suite's seed on; figures are their means.
        fused: with shots, whether zero-shot counts beside the memory.
        mutual: score the images of each class against each other; no strict protocol, and the record says so.
    """

    name: str = knob("", "names the result file")
    detector: Choice = Choice()
    datasets: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    note: str = knob("", "what tables say about the run")
    shots: str = knob("", "good images that each class is fitted to, or all")
    seeds: int = knob(1, "draws of the good images", low=1, high=100)
    fused: bool = False
    mutual: bool = False


@dataclass(frozen=True)
class Suite:
    """Runs that belong together, measured in one way.

    Attributes:
        name: names the suite.
        title: one line for tables and report.
        resolution: ``"model"``, ``"original"`` or a side in pixels.
        bootstrap: resamples for intervals; 0 for none.
        seed: of the resamples.
        runs: what is measured.
    """

    name: str = knob("", "names the suite")
    title: str = knob("", "one line for tables and report")
    resolution: str = "model"
    bootstrap: int = knob(0, "resamples for intervals", low=0)
    seed: int = knob(0, "of the resamples")
    runs: tuple[Run, ...] = ()

    @property
    def size(self) -> Resolution:
        """The resolution, checked."""
        return parse_resolution(self.resolution)


def load_suite(path: str | Path) -> Suite:
    """Read a suite.

    Raises:
        ConfigError: unreadable, an unknown key, a wrong type, or an unknown dataset or layout.
    """
    suite = from_mapping(Suite, _read(path), str(path))
    names = [run.name for run in suite.runs]
    if not suite.name or not names:
        raise ConfigError(f"{path}: a suite needs a name and at least one run")
    for run in suite.runs:
        if not re.fullmatch(r"[\w.-]{1,100}", run.name) or names.count(run.name) > 1:
            raise ConfigError(
                f"{path}: run name {shown(run.name)} must be unique, of letters, digits, dots and dashes, at most 100"
            )
        if run.shots and (run.mutual or not (run.shots == "all" or re.fullmatch(r"[1-9]\d{0,5}", run.shots))):
            raise ConfigError(f"{path}: run {run.name}: shots is a number or all, and not beside mutual")
        for layout in (*run.datasets, *(entry.layout for entry in run.entries)):
            if layout not in CATALOG and (layout in run.datasets or layout not in LAYOUTS):
                raise ConfigError(f"{path}: run {run.name}: unknown dataset or layout {shown(layout)}")
    try:
        parse_resolution(suite.resolution)
    except UsageError as error:
        raise ConfigError(f"{path}: {error}") from None
    return suite


def _read(path: str | Path) -> Any:
    data = read_yaml(path)
    if isinstance(data, dict) and isinstance(data.get("resolution"), int):
        data["resolution"] = str(data["resolution"])  # a side in pixels needs no quotes
    return data


@dataclass(frozen=True)
class Found:
    """The datasets of a run: where they are, and which are nowhere."""

    specs: tuple[DataSpec, ...]
    missing: tuple[str, ...]


def locate(run: Run, root: Path | None, given: Sequence[DataSpec] = ()) -> Found:
    """Find a run's datasets.

    Args:
        run: what is looked for.
        root: folder of datasets; each is found by its entry's path, or by its name or title in any spelling.
        given: places that a user stated; they win.

    Raises:
        UsageError: a stated place that the run does not have.
    """
    wanted = [Entry(name, name) for name in run.datasets]
    wanted += [Entry(entry.key or entry.layout, entry.layout, entry.path) for entry in run.entries]
    stated = {spec.key: spec for spec in given}
    specs: list[DataSpec] = []
    missing: list[str] = []
    for entry in wanted:
        spec = stated.get(entry.key)
        place = None if spec else _place(entry, root)
        if spec is not None:
            specs.append(DataSpec(entry.key, spec.layout, spec.path))
        elif place is not None:
            specs.append(DataSpec(entry.key, entry.layout, place))
        else:
            missing.append(entry.key)
    return Found(tuple(specs), tuple(missing))


def _place(entry: Entry, root: Path | None) -> Path | None:
    if root is None or not root.is_dir():
        return None
    if entry.path:
        place = root / entry.path
        return place if place.exists() else None
    names = {_plain(entry.key), _plain(entry.layout)}
    if entry.layout in CATALOG:
        names.add(_plain(CATALOG[entry.layout].title))
    found = sorted(folder for folder in root.iterdir() if folder.is_dir() and _plain(folder.name) in names)
    return found[0] if found else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
