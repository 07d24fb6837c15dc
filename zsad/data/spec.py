"""``[KEY=]LAYOUT:PATH`` -> samples, for every command that reads labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zsad.data.catalog import CATALOG
from zsad.data.files import Report
from zsad.data.layouts import LAYOUTS
from zsad.data.orientation import settled
from zsad.errors import UsageError
from zsad.near import near
from zsad.types import Sample


@dataclass(frozen=True)
class DataSpec:
    """Where labelled data lie and how they are arranged.

    Attributes:
        key: what reports call the data; unique within one command.
        layout: a layout (``mvtec``, ``pairs``, ...) or a dataset of the catalog (``mvtec-ad``, ``visa``, ...).
        path: the folder or file.
    """

    key: str
    layout: str
    path: Path


@dataclass(frozen=True)
class Loaded:
    """Samples of one spec, with everything that its layout reported."""

    spec: DataSpec
    samples: list[Sample]
    report: Report


def parse_data_spec(text: str) -> DataSpec:
    """Read ``[KEY=]LAYOUT:PATH``; KEY defaults to the folder's name.

    A dataset that comes in a Python package needs no path, such as ``elpv``; KEY is then its name.

    Raises:
        UsageError: no layout, an unknown one, an empty key or path, or a package that is not installed.

    >>> parse_data_spec("screws=mvtec:/data/screw").key
    'screws'
    >>> parse_data_spec("visa:/data/VisA").key
    'VisA'
    """
    head, colon, path = text.partition(":")
    key, equals, layout = head.partition("=")
    if not equals:
        key, layout = "", head
    if not colon and layout in CATALOG and CATALOG[layout].package and (key or not equals):
        return DataSpec(key or layout, layout, CATALOG[layout].installed())
    known = ", ".join(f"{name}:" for name in LAYOUTS)
    if not colon or not path:
        raise UsageError(
            f"--data {text}: give [KEY=]LAYOUT:PATH, where LAYOUT is {known} or a name of `zsad data list`"
        )
    if layout not in LAYOUTS and layout not in CATALOG:
        close = near(layout, (*LAYOUTS, *CATALOG))
        raise UsageError(
            f"--data {text}: unknown layout {layout!r}{close}; known are {known} and the names of `zsad data list`"
        )
    folder = Path(path).expanduser()
    if equals and not key:
        raise UsageError(f"--data {text}: the key before = is empty")
    return DataSpec(key or _default_key(folder), layout, folder)


def parse_data_specs(texts: Sequence[str]) -> list[DataSpec]:
    """Read several specs.

    Raises:
        UsageError: a key is used twice.
    """
    specs = [parse_data_spec(text) for text in texts]
    keys = [spec.key for spec in specs]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(
                f"--data: the key {key!r} is used twice; write KEY={specs[0].layout}:PATH to tell them apart"
            )
    return specs


def load_samples(spec: DataSpec, *, partial: bool = False, masks: str = "auto") -> Loaded:
    """Read the samples of a spec.

    Args:
        spec: what :func:`parse_data_spec` gave.
        partial: go on with what is usable; problems stay in the report.
        masks: what masks are drawn on where images have an EXIF orientation, see :mod:`zsad.data.orientation`.

    Raises:
        DatasetError: the folder has another layout, or (unless ``partial``) anything in it is wrong.
    """
    report = Report()
    read = LAYOUTS.get(spec.layout) or CATALOG[spec.layout].read
    samples = [replace(sample, dataset=spec.key) for sample in settled(read(spec.path, report), masks)]
    if not partial:
        report.raise_problems(f"{spec.key} ({spec.layout}:{spec.path})")
    return Loaded(spec, samples, report)


def _default_key(path: Path) -> str:
    resolved = path.resolve()
    return resolved.stem if resolved.is_file() else resolved.name
