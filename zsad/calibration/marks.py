"""Marks that a person has set in the report: which images are good, and which are bad."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zsad.data.text_files import read_csv
from zsad.errors import DatasetError, InputError
from zsad.outside import printable

_MARKS = {"good": True, "bad": False}


@dataclass(frozen=True)
class Marks:
    """Paths of marked images.

    Attributes:
        good: those that were marked good.
        bad: those that were marked bad.
    """

    good: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()


def read_marks(path: str | Path) -> Marks:
    """Read a CSV file with the columns ``path`` and ``mark``, which is ``good`` or ``bad``.

    Paths are as the report has them: relative to where ``zsad detect`` ran, or else to the file.

    Raises:
        InputError: it can't be read, has another form, no mark at all, or marks an image both ways or none that exists.
    """
    path = Path(path)
    try:
        rows = read_csv(path, needed=("path", "mark"))
    except DatasetError as error:
        raise InputError(f"{error}; give the CSV of marks that the report exports") from None
    found: dict[str, bool] = {}
    for line, row in rows:
        where, mark = f"{printable(path)}:{line}", row["mark"].lower()
        if mark not in _MARKS:
            raise InputError(f"{where}: mark {printable(mark)!r:.40} is neither good nor bad")
        image = _found(row["path"], path.parent)
        if image is None:
            raise InputError(f"{where}: {printable(row['path'])}: no such file; run where `zsad detect` ran")
        if found.setdefault(image, _MARKS[mark]) != _MARKS[mark]:
            raise InputError(f"{where}: {printable(row['path'])}: is marked good and bad; leave one of the marks")
    if not found:
        raise InputError(f"{printable(path)}: has no mark in it; mark images in the report, then export")
    return Marks(
        tuple(image for image, good in found.items() if good), tuple(image for image, good in found.items() if not good)
    )


def same_file(path: str | Path) -> str:
    """Return what is equal for two paths of one file."""
    return os.path.normcase(os.path.realpath(path))


def _found(name: str, beside: Path) -> str | None:
    # A name that a spreadsheet would take for a formula has a quote before it.
    names = [name, name[1:]] if name.startswith("'") else [name]
    places = (place for one in names if one for place in (Path(one), beside / one))
    try:
        return next((str(place) for place in places if place.is_file()), None)
    except (OSError, ValueError):  # a name that no system has
        return None
