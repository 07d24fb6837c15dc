"""Entries of a benchmark's files: JSON, lines of JSON, tables; bounded, and each refusal one line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from zsad.documents import Limits, parse_json, read_bytes
from zsad.errors import DatasetError, ZsadError
from zsad.outside import printable, shown

LIMITS = Limits(size=256 << 20, entries=5_000_000, depth=12, text=1 << 20)
LONGEST = 100_000
"""Characters of one text of an entry."""
_LISTED = 4


def read_rows(path: Path, refuse: type[ZsadError] = DatasetError) -> list[dict[str, Any]]:
    """Read a list of mappings: a JSON list, or a mapping on each line.

    Raises:
        ZsadError: ``refuse``, where it can't be read or is none.
    """
    data = read_bytes(path, refuse, LIMITS)
    where = printable(path)
    if data.lstrip()[:1] != b"{" or path.suffix.lower() == ".json":
        rows = parse_json(data, where, refuse, LIMITS)
        if not isinstance(rows, list):
            raise refuse(f"{where}: is {shown(rows)}, it must be a list of entries; give another file")
    else:
        lines = [(i, line) for i, line in enumerate(data.split(b"\n"), 1) if line.strip()]
        rows = [parse_json(line, f"{where}, line {i}", refuse, LIMITS) for i, line in lines]
    for i, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise refuse(f"{where}, entry {i}: is {shown(row)}, it must be a mapping")
    return rows


def read_csv(path: Path, refuse: type[ZsadError] = DatasetError) -> list[dict[str, str]]:
    """Read a table with a header as mappings of its columns.

    Raises:
        ZsadError: ``refuse``, where it can't be read.
    """
    data = read_bytes(path, refuse, LIMITS)
    try:
        rows = list(csv.reader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise refuse(f"{printable(path)}: can't be read as CSV ({printable(error)}); save it as UTF-8") from None
    head = [name.strip() for name in rows[0]] if rows else []
    return [dict(zip(head, row, strict=False)) for row in rows[1:] if any(cell.strip() for cell in row)]


def text_of(row: dict[str, Any], where: str, *names: str, refuse: type[ZsadError] = DatasetError) -> str:
    """Return the text of the first of several keys that an entry has; a number counts as its digits.

    Raises:
        ZsadError: ``refuse``, where it has none of them, or another kind of value.
    """
    for name in names:
        if name in row:
            value = row[name]
            if isinstance(value, int) and not isinstance(value, bool):
                return str(value)
            if isinstance(value, str) and len(value) <= LONGEST:
                return value
            raise refuse(f"{where}: {name} is {shown(value)}, it must be text of at most {LONGEST:,} characters")
    raise refuse(f"{where}: {' or '.join(names)} is missing; add it")


def one_file(data: Path, patterns: Iterable[str], form: str) -> Path:
    """Return the file that holds a benchmark's questions: the one given, or the only one of a folder.

    Args:
        data: a file, or a folder.
        patterns: of its path below the folder; the first pattern that finds anything counts.
        form: what it should be, for the message.

    Raises:
        DatasetError: none there, or several.
    """
    where = printable(data)
    if data.is_file():
        return data
    if not data.is_dir():
        raise DatasetError(f"{where}: no such file or folder")
    for pattern in patterns:
        found = sorted(path for path in data.glob(pattern) if path.is_file())
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(printable(path.relative_to(data)) for path in found[:_LISTED])
            raise DatasetError(f"{where}: {len(found)} files of questions ({names}); give the one that is meant")
    raise DatasetError(f"{where}: unknown layout; {form} is expected there")


def once(ids: Sequence[str], where: Path) -> None:
    """Refuse an id that stands twice.

    Raises:
        DatasetError: which.
    """
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DatasetError(f"{printable(where)}: question {shown(name)} is there twice; leave one out")
        seen.add(name)
