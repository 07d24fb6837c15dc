"""Datasets that a file lists: a CSV table, or the ``meta.json`` of AnomalyCLIP's scripts."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from zsad.data.files import Report, entries
from zsad.documents import LARGE, Entries, read_json
from zsad.errors import DatasetError
from zsad.files import is_file, is_folder, is_there
from zsad.outside import shown
from zsad.types import Sample

_LABELS = {"0": 0, "good": 0, "normal": 0, "ok": 0, "1": 1, "bad": 1, "anomaly": 1, "anomalous": 1, "defect": 1}
_LONGEST_PATH = 4096
_COLUMNS = ("image", "label", "mask", "class", "defect", "split")


def table(path: Path, report: Report) -> list[Sample]:
    """Read a CSV file with the columns ``image``, ``label`` and optionally ``mask``, ``class``, ``defect``, ``split``.

    Paths are relative to the file. Rows whose split is given and not ``test`` are left out.

    Args:
        path: the file, or a folder with exactly one.
        report: takes what is wrong or left out.

    Raises:
        DatasetError: no such file, or no ``image`` and ``label`` column.
    """
    if path.is_dir():
        found = [entry for entry in entries(path) if entry.suffix.lower() == ".csv"]
        if len(found) != 1:
            raise DatasetError(f"{path}: has {len(found)} CSV files; give the path of one")
        path = found[0]
    rows = read_csv(path, needed=("image", "label"))
    unknown = sorted(set(rows[0]) - set(_COLUMNS)) if rows else []
    if unknown:
        raise DatasetError(f"{path}: unknown column {unknown[0]!r}; known are {', '.join(_COLUMNS)}")
    samples: list[Sample] = []
    for line, row in enumerate(rows, start=2):
        label = _LABELS.get(row["label"].lower())
        if row.get("split", "test").lower() not in ("test", ""):
            report.leave_out(f"{path}:{line}", f"split {row['split']!r}")
        elif label is None:
            report.problem(f"{path}:{line}", f"label {row['label']!r} is not one of {', '.join(_LABELS)}")
        else:
            samples.append(_row_sample(path.parent, row, label))
    if not samples:
        report.problem(path, "no row to evaluate")
    return checked_files(with_mask_rule(samples, report), report)


def read_csv(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file with a header into rows without surrounding blanks.

    Raises:
        DatasetError: no such file, not text, or a needed column is absent.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = [name for name in needed if name not in (reader.fieldnames or ())]
            if absent:
                raise DatasetError(
                    f"{path}: no column {absent[0]!r}; found {', '.join(reader.fieldnames or ()) or 'none'}"
                )
            return [{k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in reader]
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: can't be read as CSV ({error})") from None


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
        raise DatasetError(f"{path}: needs one {split!r} entry that maps classes to records")
    samples: list[Sample] = []
    for class_name, records in parts[0].items():
        if not records:
            report.problem(path, f"class {class_name!r} is empty")
        for record in records if isinstance(records, list) else [records]:
            try:
                samples.append(_meta_sample(path.parent, class_name, Entries.of(record, "record", DatasetError)))
            except DatasetError as error:
                report.problem(path, f"class {shown(class_name)}: {error}")
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
    mask = row.get("mask", "")
    return Sample(
        image=base / row["image"],
        label=label,
        mask=base / mask if mask else None,
        class_name=row.get("class", "") or base.resolve().name,
        defect=row.get("defect", "") or ("good" if label == 0 else ""),
        key=row["image"],
    )


def _meta_sample(base: Path, class_name: str, record: Entries) -> Sample:
    label, image = record.whole("anomaly", 0, 1), record.text("img_path", _LONGEST_PATH)
    stated = record.text("mask_path", _LONGEST_PATH, default="")
    # The reference takes a folder (what "" becomes) for "no mask"; so does this.
    has_mask = label == 1 and bool(stated) and not is_folder(base / stated)
    return Sample(
        image=base / image,
        label=label,
        mask=base / stated if has_mask else None,
        class_name=record.text("cls_name", default=class_name),
        defect=record.text("specie_name", default="") or ("good" if label == 0 else ""),
        key=image,
    )
