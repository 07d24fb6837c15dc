"""The normal images that a dataset keeps for training, for what is fitted to good images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zsad.data.catalog import CATALOG
from zsad.data.files import Report
from zsad.data.forms import dagm, visa
from zsad.data.layouts import mvtec
from zsad.data.lists import meta_json, table
from zsad.data.spec import DataSpec
from zsad.errors import DatasetError
from zsad.types import Sample

_SPLIT: dict[str, Callable[..., list[Sample]]] = {"csv": table, "meta": meta_json, "visa": visa, "dagm": dagm}
"""What reads a training split, by the layout that has one of another form than MVTec's."""


def training_images(spec: DataSpec) -> dict[str, list[Path]]:
    """Return the good images of a dataset's training split by class; empty where it has none.

    It is read in the MVTec form, there or one folder below, else in the form of the layout itself, else from the
    ``meta.json`` of a dataset of the catalog. What is wrong with single rows is no matter here: an image that can't be
    read is named by whoever reads it.
    """
    below = sorted(path for path in spec.path.iterdir() if path.is_dir()) if spec.path.is_dir() else []
    for root in (spec.path, *below):
        found = _normal(mvtec, root)
        if found:
            return found
    found = _normal(_SPLIT[spec.layout], spec.path) if spec.layout in _SPLIT else {}
    return found or (_normal(meta_json, spec.path) if spec.layout in CATALOG else {})


def _normal(read: Callable[..., list[Sample]], root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    try:
        samples = read(root, Report(), split="train")
    except DatasetError:
        return {}
    for sample in samples:
        if sample.label == 0:
            found.setdefault(sample.class_name, []).append(sample.image)
    return found
