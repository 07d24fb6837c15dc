"""The first sheet of an Excel file as mappings of its columns; bounded, nothing in it is worked out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from zsad.errors import DatasetError
from zsad.outside import printable

LARGEST = 64 << 20
"""Bytes of each part of the file, unpacked."""
_MOST_COLUMNS = 300
_SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")


def read_sheet(path: Path) -> list[dict[str, str]]:
    """Read the first sheet, whose first row names the columns; blank rows are left out.

    Raises:
        DatasetError: it can't be read, is no such file, or is too large.
    """
    where = printable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            sheets = [match for name in archive.namelist() if (match := _SHEET.fullmatch(name))]
            if not sheets:
                raise DatasetError(f"{where}: has no sheet; save it as .xlsx or .csv")
            shared = "xl/sharedStrings.xml"
            texts = _texts(_part(archive, shared, where)) if shared in archive.namelist() else []
            first = min(sheets, key=lambda match: int(match[1]))[0]
            rows = [row for row in _rows(_part(archive, first, where), texts, where) if any(row.values())]
    except FileNotFoundError:
        raise DatasetError(f"{where}: no such file") from None
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise DatasetError(f"{where}: can't be read as .xlsx ({printable(error)}); save it as .xlsx or .csv") from None
    if not rows:
        return []
    head = {column: " ".join(name.split()) for column, name in rows[0].items() if name.strip()}
    return [{name: row.get(column, "") for column, name in head.items()} for row in rows[1:]]


def _part(archive: zipfile.ZipFile, name: str, where: str) -> ElementTree.Element:
    """Return a part of the file as a tree; what declares entities of its own is refused."""
    with archive.open(name) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise DatasetError(f"{where}: {name} is longer than {LARGEST:,} bytes; save the rows that matter as .csv")
    try:
        text = data.decode("utf-8-sig")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise DatasetError(f"{where}: {name} declares entities, which no such file does; save it as .csv")
        return ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as error:
        raise DatasetError(f"{where}: {name} is broken ({printable(error)}); save it again as .xlsx or .csv") from None


def _texts(tree: ElementTree.Element) -> list[str]:
    """Return the texts that cells point to, without their phonetic guides."""
    return [
        "".join(part.text or "" for part in entry.iter(f"{_SPACE}t")) if entry.find(f"{_SPACE}rPh") is None
        else "".join(part.text or "" for part in entry.findall(f"{_SPACE}t") + entry.findall(f"{_SPACE}r/{_SPACE}t"))
        for entry in tree.findall(f"{_SPACE}si")
    ]  # fmt: skip


def _rows(tree: ElementTree.Element, texts: list[str], where: str) -> Iterator[dict[int, str]]:
    for row in tree.iter(f"{_SPACE}row"):
        found: dict[int, str] = {}
        for following, cell in enumerate(row.findall(f"{_SPACE}c")):
            column = _column(cell.get("r", ""), following)
            if column < _MOST_COLUMNS:
                found[column] = _value(cell, texts, where)
        yield found


def _column(reference: str, following: int) -> int:
    """Return the number of a cell's column, from 0, of its reference such as ``AB3``."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        return following
    number = 0
    for letter in letters[0]:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _value(cell: ElementTree.Element, texts: list[str], where: str) -> str:
    if cell.get("t") == "inlineStr":
        return "".join(part.text or "" for part in cell.iter(f"{_SPACE}t"))
    value = cell.findtext(f"{_SPACE}v") or ""
    if cell.get("t") != "s":
        return value
    if not value.isascii() or not value.isdigit() or int(value[:9]) >= len(texts):
        raise DatasetError(f"{where}: a cell points to a text that is not there; save it again as .xlsx or .csv")
    return texts[int(value[:9])]
