"""Folders -> image files and their masks, paired by name; and the report of everything that didn't fit."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zsad.errors import DatasetError
from zsad.images.files import SUFFIXES, is_clutter
from zsad.near import near_path
from zsad.types import Sample

MASK_ENDINGS = ("", "_mask", "_label", "_Segmentation", "_segmentation", "_gt")
"""What a mask's name may add to its image's name; exactly one of them must exist."""
SHOWN = 8
"""Problems that an error message spells out; a report has all of them."""


@dataclass
class Report:
    """What a layout found wrong, and what it left out; never a silently smaller number of images.

    Attributes:
        problems: what makes the dataset incomplete or contradictory; one line each, naming the file.
        left_out: files and folders that were not read, with the reason.
        notes: what a reader should know, such as how labels were derived.
    """

    problems: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def problem(self, path: Path | str, text: str) -> None:
        """Record something that is wrong."""
        self.problems.append(f"{path}: {text}")

    def leave_out(self, path: Path | str, why: str) -> None:
        """Record something that is not read."""
        self.left_out.append(f"{path}: {why}")

    def raise_problems(self, what: str) -> None:
        """Raise if anything is wrong.

        Raises:
            DatasetError: names the first problems and counts the rest.
        """
        if self.problems:
            raise DatasetError(f"{what}: {summary(self.problems)}")


def summary(lines: Sequence[str], shown: int = SHOWN) -> str:
    """Join the first lines and count the rest."""
    rest = len(lines) - shown
    return "; ".join(lines[:shown]) + (f"; and {rest} more" if rest > 0 else "")


def entries(folder: Path) -> list[Path]:
    """List a folder in name order, without hidden entries and those of file managers.

    Raises:
        DatasetError: absent, not a folder, or not readable.
    """
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if not is_clutter(entry.name)]
    except FileNotFoundError:
        raise DatasetError(f"{folder}: no such folder{near_path(folder)}") from None
    except NotADirectoryError:
        raise DatasetError(f"{folder}: is a file, not a folder") from None
    except OSError as error:
        raise DatasetError(f"{folder}: can't be read ({error.strerror})") from None
    return sorted(found)


def folders(folder: Path) -> list[Path]:
    """List the folders inside of a folder."""
    return [entry for entry in entries(folder) if entry.is_dir()]


def child(folder: Path, *names: str) -> Path | None:
    """Return the entry of one of these names, whatever its case and its Unicode form.

    Raises:
        DatasetError: several entries match.
    """
    wanted = {same_name(name).lower() for name in names}
    found = [entry for entry in entries(folder) if same_name(entry.name).lower() in wanted]
    if len(found) > 1:
        raise DatasetError(f"{folder}: has {' and '.join(entry.name for entry in found)}; keep one of them")
    return found[0] if found else None


def images_in(folder: Path, report: Report, *, deep: bool = False) -> list[Path]:
    """List the image files of a folder; everything else is reported as left out.

    Args:
        folder: where to look.
        report: takes what is not an image, and names that differ only in their ending.
        deep: look into folders below as well.
    """
    found: list[Path] = []
    for entry in entries(folder):
        if entry.is_dir():
            if deep:
                found += images_in(entry, report, deep=True)
            else:
                report.leave_out(entry, "a folder among images")
        elif entry.suffix.lower() in SUFFIXES:
            found.append(entry)
        else:
            report.leave_out(entry, "not an image file")
    if not deep:
        report_duplicates(found, report)
    return found


def report_duplicates(images: Iterable[Path], report: Report) -> None:
    """Report images that share folder and name and differ only in the file type."""
    seen: dict[str, Path] = {}
    for image in images:
        first = seen.setdefault(same_name(str(image.with_suffix(""))), image)
        if first is not image:
            _duplicate(image, first, report)


def by_stem(files: Iterable[Path], root: Path, report: Report) -> dict[str, Path]:
    """Index files by their path below ``root`` without the file type; two of one name are reported."""
    found: dict[str, Path] = {}
    for file in files:
        first = found.setdefault(same_name(file.relative_to(root).with_suffix("").as_posix()), file)
        if first is not file:
            _duplicate(file, first, report)
    return found


def same_name(text: str) -> str:
    r"""Return a name in the one Unicode form that names are compared in; macOS writes another than most.

    >>> same_name("pie\u0300ce") == "pi\u00e8ce"
    True
    """
    return unicodedata.normalize("NFC", text)


def _duplicate(file: Path, first: Path, report: Report) -> None:
    line = f"duplicate name, {first.name} exists too; a mask can't be told apart"
    if f"{file}: {line}" not in report.problems:
        report.problem(file, line)


def mask_of(stem: str, masks: dict[str, Path], report: Report, image: Path) -> Path | None:
    """Find the one mask whose name belongs to an image.

    Args:
        stem: the image's name as in :func:`by_stem`.
        masks: what :func:`by_stem` gave for the masks.
        report: takes an ambiguous name.
        image: named in the report.
    """
    name = same_name(stem)
    found = [masks[name + ending] for ending in MASK_ENDINGS if name + ending in masks]
    if len(found) > 1:
        report.problem(image, f"two masks fit its name: {found[0].name} and {found[1].name}")
    return found[0] if found else None


def need(root: Path, name: str) -> Path:
    """Return a folder that must be there, whatever its case.

    Raises:
        DatasetError: absent, or not a folder.
    """
    found = child(root, name)
    if found is None or not found.is_dir():
        raise DatasetError(f"{root}: no {name} folder in it")
    return found


def not_empty(samples: list[Sample], root: Path, report: Report) -> list[Sample]:
    """Report a dataset without a single image."""
    if not samples:
        report.problem(root, "no image in it")
    return samples
