"""A dataset folder -> what is there, missing or different."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from zsad.data.catalog import CATALOG, Dataset
from zsad.data.files import Report
from zsad.data.lists import meta_json
from zsad.data.masks import image_size, mask_files, read_mask
from zsad.errors import DatasetError, UsageError
from zsad.types import Sample


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


def check_dataset(name: str, root: Path, *, decode: bool = False) -> Check:
    """Read a dataset in its original form and look at every file.

    Args:
        name: a name of the catalog.
        root: the dataset's folder.
        decode: decode every image and mask in full, not their headers only.

    Raises:
        UsageError: an unknown name.
        DatasetError: the folder has another form.
    """
    dataset = named(name)
    report = Report()
    samples = dataset.read(root, report)
    check_files(samples, report, decode=decode)
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
        raise UsageError(f"unknown dataset {name!r}; known are {', '.join(CATALOG)}")
    return CATALOG[name]


def check_files(samples: list[Sample], report: Report, *, decode: bool = False) -> None:
    """Report files that can't be read, masks of another size, and (when decoding) masks without a defect."""
    known = set(report.problems)
    for sample in samples:
        for line in _file_problems(sample, decode):
            if line not in known:
                report.problems.append(line)


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


def _file_problems(sample: Sample, decode: bool) -> list[str]:
    if not sample.image.is_file() or (sample.mask is not None and not sample.mask.exists()):
        return []  # the layout has named it
    try:
        size = image_size(sample.image)
        if decode:
            _decode(sample.image)
        if sample.mask is None:
            return []
        if decode:
            empty = not read_mask(sample, size).any()
            return [f"{sample.mask}: no defect pixel in it"] if empty and sample.label == 1 else []
        return [
            f"{file}: mask of {found[1]} x {found[0]} px, but {sample.image} has {size[1]} x {size[0]} px"
            for file in mask_files(sample.mask)
            if (found := image_size(file)) != size
        ]
    except DatasetError as error:
        return [str(error)]


def _decode(path: Path) -> None:
    try:
        with warnings.catch_warnings(), Image.open(path) as image:
            warnings.simplefilter("ignore")
            image.load()
    except Exception as error:  # decoders raise anything
        raise DatasetError(f"{path}: damaged image ({' '.join(str(error).split())})") from None


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
