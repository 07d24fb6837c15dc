"""Datasets that a file lists: a CSV table, or the ``meta.json`` of AnomalyCLIP's scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from zsad.data.files import Report, entries
from zsad.data.text_files import listed, read_csv, text_or_nothing
from zsad.documents import LARGE, read_json
from zsad.errors import DatasetError
from zsad.files import is_file, is_folder, is_there
from zsad.outside import shown
from zsad.types import Sample

_NORMAL = ("0", "good", "normal", "ok", "false", "0.0")
_ANOMALOUS = ("1", "bad", "anomaly", "anomalous", "abnormal", "defect", "defective", "nok", "ng", "true", "1.0")
_LABELS = dict.fromkeys(_NORMAL, 0) | dict.fromkeys(_ANOMALOUS, 1)
_LONGEST_PATH = 4096
_COLUMNS = ("image", "label", "mask", "class", "defect", "split")


def table(path: Path, report: Report, *, split: str = "test") -> list[Sample]:
    """Read a CSV file with the columns ``image``, ``label`` and optionally ``mask``, ``class``, ``defect``, ``split``.

    Paths are relative to the file. A row without a split is one of ``test``; rows of another split are left out.

    Args:
        path: the file, or a folder with exactly one.
        report: takes what is wrong or left out.
        split: which part to read, ``"test"`` or ``"train"``.

    Raises:
        DatasetError: no such file, or no ``image`` and ``label`` column.
    """
    if path.is_dir():
        found = [entry for entry in entries(path) if entry.suffix.lower() == ".csv"]
        if len(found) != 1:
            raise DatasetError(f"{path}: has {len(found)} CSV files; give the path of one")
        path = found[0]
    rows = read_csv(path, needed=("image", "label"))
    unknown = sorted(set(rows[0][1]) - set(_COLUMNS)) if rows else []
    if unknown:
        raise DatasetError(f"{path}: unknown column {shown(unknown[0])}; known are {', '.join(_COLUMNS)}")
    samples: list[Sample] = []
    for line, row in rows:
        label = label_of(row["label"])
        if (text_or_nothing(row.get("split")).lower() or "test") != split:
            report.leave_out(f"{path}:{line}", f"split {shown(row['split'])}")
        elif label is None:
            report.problem(f"{path}:{line}", not_a_label(row["label"]))
        elif not row["image"]:
            report.problem(f"{path}:{line}", "no image named")
        else:
            samples.append(_row_sample(path.parent, row, label))
    if not samples:
        report.problem(path, "no row to evaluate")
    return checked_files(with_mask_rule(samples, report), report)


def label_of(value: object) -> int | None:
    """Return 0 for normal and 1 for anomalous, however a list says it; None if it says neither.

    >>> [label_of(value) for value in (0, "Good", 1.0, True, "NG", "maybe", None)]
    [0, 0, 1, 1, 1, None, None]
    """
    return _LABELS.get(str(value).strip().lower())


def not_a_label(value: object) -> str:
    """Say which labels there are."""
    return f"label {shown(value)} is not one of {', '.join(_NORMAL[:4])} and {', '.join(_ANOMALOUS[:4])}"


def meta_json(root: Path, report: Report, *, split: str = "test") -> list[Sample]:
    """Read the ``meta.json`` that AnomalyCLIP's scripts write.

    Args:
        root: the folder that holds it; paths inside are relative to it.
        report: takes what is wrong or left out.
        split: which part to read; a capital first letter (DAGM's script) is accepted.

    Raises:
        DatasetError: absent, not JSON, or not of that form.
    """
    path = root if root.is_file() else root / "meta.json"
    data = read_json(path, DatasetError, LARGE)
    parts = [data[key] for key in data if key.lower() == split] if isinstance(data, dict) else []
    if len(parts) != 1 or not isinstance(parts[0], dict):
        raise DatasetError(f"{path}: needs one {shown(split)} entry that maps classes to records")
    samples: list[Sample] = []
    for class_name, records in parts[0].items():
        if not records:
            report.problem(path, f"class {shown(class_name)} is empty")
        for record in records if isinstance(records, list) else ():
            try:
                samples.append(_meta_sample(path.parent, class_name, record))
            except DatasetError as error:
                report.problem(path, f"class {shown(class_name)}: {error}")
        if not isinstance(records, list):
            report.problem(path, f"class {shown(class_name)} is not a list of records")
    return checked_files(with_mask_rule(samples, report), report)


def with_mask_rule(samples: list[Sample], report: Report) -> list[Sample]:
    """State per class whether it has masks, and report anomalous images that lack theirs."""
    masked = {sample.class_name for sample in samples if sample.mask is not None}
    for sample in samples:
        if sample.label == 1 and sample.mask is None and sample.class_name in masked:
            report.problem(sample.image, f"no mask, though others of class {sample.class_name!r} have one")
    return [replace(sample, has_masks=sample.class_name in masked) for sample in samples]


def checked_files(samples: list[Sample], report: Report) -> list[Sample]:
    """Report files that a list names but that don't exist, and images that it names twice."""
    seen: set[Path] = set()
    for sample in samples:
        if not is_file(sample.image):
            report.problem(sample.image, "no such file")
        if sample.mask is not None and not is_there(sample.mask):
            report.problem(sample.mask, f"no such mask (of {sample.image.name})")
        if sample.image in seen:
            report.problem(sample.image, "listed twice")
        seen.add(sample.image)
    return samples


def _row_sample(base: Path, row: dict[str, str], label: int) -> Sample:
    mask = text_or_nothing(row.get("mask"))
    return Sample(
        image=listed(base, row["image"]),
        label=label,
        mask=listed(base, mask) if mask else None,
        class_name=row.get("class", "") or base.resolve().name,
        defect=row.get("defect", "") or ("good" if label == 0 else ""),
        key=row["image"],
    )


def _meta_sample(base: Path, class_name: str, record: Any) -> Sample:
    """Make a sample of a record.

    Raises:
        DatasetError: what it lacks, or what of it is of another kind.
    """
    if not isinstance(record, dict):
        raise DatasetError(f"a record is {shown(record)}, it must be a mapping")
    image, named = _text(record, "img_path"), _text(record, "mask_path")
    if not image or "anomaly" not in record:
        raise DatasetError(f"{'anomaly' if 'anomaly' not in record else 'img_path'} is missing; add it")
    label = label_of(record["anomaly"])
    if label is None:
        raise DatasetError(f"{image}: {not_a_label(record['anomaly'])}")
    mask = listed(base, named)
    # The reference takes a folder (what "" becomes) for "no mask"; so does this.
    has_mask = bool(named) and not is_folder(mask)
    return Sample(
        image=listed(base, image),
        label=label,
        mask=mask if has_mask else None,
        class_name=_text(record, "cls_name") or class_name,
        defect=_text(record, "specie_name") or ("good" if label == 0 else ""),
        key=image,
    )


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if isinstance(value, dict | list) or len(str(value)) > _LONGEST_PATH:
        raise DatasetError(f"{key} is {shown(value)}, it must be a text of at most {_LONGEST_PATH} characters")
    return text_or_nothing(value)
