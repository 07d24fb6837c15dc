"""A dataset folder -> what is there, missing or different."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zsad.data.catalog import CATALOG, Dataset
from zsad.data.files import Report
from zsad.data.lists import meta_json
from zsad.data.masks import contradiction, read_truth
from zsad.data.orientation import settled
from zsad.errors import DatasetError, InputError, UsageError
from zsad.images.headers import read_header
from zsad.images.preprocess import Decoded
from zsad.images.preprocess import decode as decode_image
from zsad.near import near
from zsad.types import Sample

_DARK = 64
"""Brightness of 255 that 14-bit samples in 16 bits never exceed."""


@dataclass(frozen=True)
class ClassCounts:
    """Images of one class."""

    name: str
    normal: int
    anomalous: int
    masks: int


@dataclass(frozen=True)
class Check:
    """What a check of one dataset found.

    Attributes:
        dataset: the dataset's row.
        samples: what would be evaluated.
        classes: counts per class, in order of appearance.
        report: problems, what was left out, notes.
    """

    dataset: Dataset
    samples: list[Sample] = field(repr=False)
    classes: tuple[ClassCounts, ...]
    report: Report

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        return not self.report.problems


def check_dataset(name: str, root: Path, *, decode: bool = False, bits: int = 16, masks: str = "auto") -> Check:
    """Read a dataset in its original form and look at every file.

    Args:
        name: a name of the catalog.
        root: the dataset's folder.
        decode: decode every image in full, as masks always are, not its header only.
        bits: significant bits of 16-bit images, in 8..16.
        masks: what masks are drawn on where images have an EXIF orientation, see :mod:`zsad.data.orientation`.

    Raises:
        UsageError: an unknown name.
        DatasetError: the folder has another form.
    """
    dataset = named(name)
    report = Report()
    samples = settled(dataset.read(root, report), masks)
    check_files(samples, report, decode=decode, bits=bits)
    counts = class_counts(samples)
    _compare_counts(dataset, counts, report)
    if (root / "meta.json").is_file():
        _compare_meta(root, samples, report)
    return Check(dataset, samples, counts, report)


def named(name: str) -> Dataset:
    """Return a row of the catalog.

    Raises:
        UsageError: an unknown name.
    """
    if name not in CATALOG:
        raise UsageError(f"unknown dataset {name!r}{near(name, CATALOG)}; known are {', '.join(CATALOG)}")
    return CATALOG[name]


def check_files(samples: list[Sample], report: Report, *, decode: bool = False, bits: int = 16) -> None:
    """Report files that can't be read, masks of another size or without a defect, and how masks were read."""
    known = set(report.problems)
    noted: dict[str, list[Path]] = {}
    brightest: list[int] = []
    for sample in samples:
        if not sample.image.is_file() or (sample.mask is not None and not sample.mask.exists()):
            continue  # the layout has named it
        try:
            read_header(sample.image)
            if decode:
                brightest += _brightest(decode_image(sample.image, bits=bits))
            truth = read_truth(sample)
        except (DatasetError, InputError) as error:
            report.problems += [str(error)] if str(error) not in known else []
            continue
        for note in truth.notes:
            noted.setdefault(note, []).append(sample.mask or sample.image)
        wrong = contradiction(sample, truth) if sample.mask is not None else ""
        report.problems += [wrong] if wrong else []
    report.notes += [f"{len(files)} masks: {note} (such as {files[0]})" for note, files in noted.items()]
    if brightest and max(brightest) <= _DARK:
        report.notes.append(
            f"{len(brightest)} 16-bit images are never brighter than {max(brightest)} of 255; if the camera gives "
            "fewer bits, say so: --bits 12, for example"
        )


def _brightest(image: Decoded) -> list[int]:
    """Return the highest of 255 of an image with 16 bits."""
    if not any(note.startswith("16-bit scaled") for note in image.notes):
        return []
    return [int(np.asarray(image.image).max())]


def class_counts(samples: list[Sample]) -> tuple[ClassCounts, ...]:
    """Count images per class."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.class_name, []).append(sample)
    return tuple(
        ClassCounts(
            name,
            normal=sum(sample.label == 0 for sample in group),
            anomalous=sum(sample.label == 1 for sample in group),
            masks=sum(sample.mask is not None for sample in group),
        )
        for name, group in found.items()
    )


def _compare_counts(dataset: Dataset, counts: tuple[ClassCounts, ...], report: Report) -> None:
    normal, anomalous = sum(c.normal for c in counts), sum(c.anomalous for c in counts)
    stated = dataset.counts
    if stated is None or (normal, anomalous) == (stated.normal, stated.anomalous):
        return
    line = f"has {normal} normal + {anomalous} anomalous images, not {stated.normal} + {stated.anomalous} as stated"
    if stated.verified:
        report.problem(dataset.name, f"{line} ({stated.source})")
    else:
        report.notes.append(f"{line} (source: {stated.source}; unverified, so this is no failure)")


def _compare_meta(root: Path, samples: list[Sample], report: Report) -> None:
    """Name images that meta.json has and the folder's own form has not, and the other way round."""
    inner = Report()
    try:
        listed = {sample.image.resolve(): sample for sample in meta_json(root, inner)}
    except DatasetError as error:
        report.problems.append(str(error))
        return
    found = {sample.image.resolve(): sample for sample in samples}
    only = [(path, "in meta.json, but not in the original form") for path in sorted(set(listed) - set(found))]
    only += [(path, "not in meta.json") for path in sorted(set(found) - set(listed))]
    for path, text in only:
        report.notes.append(f"{path}: {text}")
    for path in sorted(set(found) & set(listed)):
        if found[path].label != listed[path].label:
            report.problem(path, f"label {found[path].label} by folder, {listed[path].label} in meta.json")
