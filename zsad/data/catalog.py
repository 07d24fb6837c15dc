"""The public datasets, the rows of ``catalog.yaml``: what is in them, how they lie on disk, where to get them.

Nothing is downloaded: licences differ, and most sets ask for a form or forbid redistribution.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from zsad.config import from_mapping
from zsad.data import forms, forms_surface
from zsad.data.files import Report
from zsad.data.layouts import Layout
from zsad.data.lists import meta_json
from zsad.documents import parse_yaml
from zsad.errors import ConfigError, DatasetError, UsageError
from zsad.types import Sample

_READERS: dict[str, Layout] = {
    reader.__name__: reader
    for reader in (
        *(forms.visa, forms.kolektor_sdd, forms.dagm, forms.isic, forms.endo),
        *(forms_surface.magnetic_tile, forms_surface.aws_cookie, forms_surface.hazelnut_toy, forms_surface.ucsd_ped2),
    )
}
_MAKERS: dict[str, Callable[..., Layout]] = {
    maker.__name__: maker
    for maker in (forms.mvtec_form, forms.image_mask_form, forms.labelled_form, forms_surface.elpv_form)
}


@dataclass(frozen=True)
class Counts:
    """Images of the test set.

    Attributes:
        normal: number of normal images.
        anomalous: number of anomalous images.
        source: where the numbers come from.
        verified: whether they were counted in the data itself; an unverified count never fails a check.
    """

    normal: int
    anomalous: int
    source: str
    verified: bool = False


@dataclass(frozen=True)
class Dataset:
    """One public dataset.

    Attributes:
        name: what commands call it; never the name of a layout.
        title: what papers call it.
        form: reads its original form on disk.
        classes: the classes that metrics are averaged over.
        split: which images are tested, in words.
        counts: size of the test set, or None if unknown.
        licence: of the data, with ``unverified`` where the terms themselves were not read.
        where: where to get it.
        metrics: which of ``"image"`` and ``"pixel"`` are defined.
        domain: ``"industrial"``, ``"medical"``, ``"surface"`` or ``"surveillance"``.
        form_note: what could not be verified about the form, or ``""``.
        suite: whether it is one of the 17 sets of the published zero-shot tables.
        package: the folder inside of a Python package that the set comes in, or ``""``.
    """

    name: str
    title: str
    form: Layout
    classes: tuple[str, ...]
    split: str
    licence: str
    where: str
    counts: Counts | None = None
    metrics: tuple[Literal["image", "pixel"], ...] = ("image", "pixel")
    domain: Literal["industrial", "medical", "surface", "surveillance"] = "industrial"
    form_note: str = "form as described by AnomalyCLIP's scripts; not checked against the archive"
    suite: bool = True
    package: str = ""

    def installed(self) -> Path:
        """Return the folder of the set inside of its installed package, which is not imported.

        Raises:
            UsageError: it comes in no package, or the package is not installed.
        """
        name, _, folder = self.package.partition("/")
        spec = importlib.util.find_spec(name) if name else None
        if spec is None or spec.origin is None:
            where = f"is not installed: {self.where}; or give" if name else "comes in no package: give"
            raise UsageError(f"--data {self.name}: {where} its folder, --data {self.name}:PATH")
        return Path(spec.origin).parent / folder

    def read(self, root: Path, report: Report) -> list[Sample]:
        """Read the test set; where the original form is absent, from AnomalyCLIP's ``meta.json``.

        Raises:
            DatasetError: neither is there.
        """
        if not root.is_dir():
            raise DatasetError(f"{root}: no such folder")
        try:
            samples = self.form(root, report)
        except DatasetError:
            if not (root / "meta.json").is_file():
                raise
            report.notes.append("read from meta.json, since the original form was not found")
            samples = meta_json(root, report)
        found = {sample.class_name for sample in samples}
        for name in self.classes:
            if name not in found:
                report.problem(root, f"class {name!r} is absent")
        for name in sorted(found - set(self.classes)):
            report.notes.append(f"class {name!r} is not one of the published classes")
        return [replace(sample, dataset=self.name) for sample in samples]


def _dataset(name: str, row: dict[str, Any]) -> Dataset:
    """Build a dataset from its row: ``form`` names a reader, or what makes one of ``form_of`` and ``form_with``."""
    form, of, options = (row.pop(key, default) for key, default in (("form", ""), ("form_of", ()), ("form_with", {})))
    where = f"catalog.yaml: {name}"
    if form not in _READERS and form not in _MAKERS:
        raise ConfigError(f"{where}: form is {form!r}, it must be one of {', '.join([*_READERS, *_MAKERS])}")
    reader = _READERS[form] if form in _READERS else _MAKERS[form](*of, **options)
    return from_mapping(Dataset, {"name": name, "form": reader, **row}, where)


_ROWS = parse_yaml((resources.files("zsad.data") / "catalog.yaml").read_bytes(), "catalog.yaml")

CATALOG: dict[str, Dataset] = {name: _dataset(name, row) for name, row in _ROWS.items()}
