"""Tables as people have them: in whatever encoding, with whatever separator, naming files in their way."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

from zsad.data.files import entries, same_name
from zsad.errors import DatasetError
from zsad.files import is_there
from zsad.near import near_path
from zsad.outside import shown, terminal

_NOTHING = frozenset({"", "nan", "none", "null", "na", "n/a", "nat", "-", "<na>"})
_SEPARATORS = (",", ";", "\t", "|")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_text(path: Path) -> str:
    """Read a text file: UTF-8, or UTF-16 that says so.

    Raises:
        DatasetError: no such file, or in another encoding.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file{near_path(path)}") from None
    except OSError as error:
        raise DatasetError(f"{path}: can't be read ({error.strerror})") from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise DatasetError(f"{path}: not UTF-8 text; save it as UTF-8 (in Excel: CSV UTF-8)") from None


def read_csv(path: Path, needed: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Read a table with a header into rows without surrounding blanks.

    The separator is the one of comma, semicolon, tab and bar under which the header has the needed columns. Names of
    columns are compared without blanks and case. A column without a name, as pandas writes its index, is left out.

    Args:
        path: the file.
        needed: columns that must be there.

    Returns:
        ``(line, {lower-case column: text})`` of each row that is not empty.

    Raises:
        DatasetError: no such file, not text, a needed column absent or double, or a row that is longer than the header.
    """
    text = read_text(path)
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep="):  # Excel's own line
        text = rest
    tables = [_table(path, text, separator) for separator in _SEPARATORS]
    whole = [table for table in tables if set(needed) <= set(table[0])]
    if not whole:
        best = max(tables, key=lambda table: len(table[0]))[0]
        absent = next(name for name in needed if name not in best)
        there = terminal(", ".join(filter(None, best)), 200) or "none"
        raise DatasetError(f"{path}: no column {absent!r}; found {there}")
    header, rows = whole[0]
    double = [name for name in header if name and header.count(name) > 1]
    if double:
        raise DatasetError(f"{path}: two columns {shown(double[0])}; keep one of them")
    found = []
    for line, cells in rows:
        if any(cells[len(header) :]):
            raise DatasetError(
                f"{path}:{line}: {len(cells)} cells, but the header has {len(header)}; quote what holds a separator"
            )
        values = dict.fromkeys(header, "") | dict(zip(header, cells, strict=False))
        found.append((line, {name: value for name, value in values.items() if name}))
    return found


def text_or_nothing(value: object) -> str:
    """Return a cell's text, or ``""`` for null and for what programs write into an empty cell.

    >>> [text_or_nothing(value) for value in ("a.png", None, "NaN", float("nan"))]
    ['a.png', '', '', '']
    """
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in _NOTHING else text


def listed(base: Path, text: str) -> Path:
    """Return the file that a list names, as it is called on this disk.

    Backslashes are taken for the separators of another system, and a name in another Unicode form is the same name,
    where what the list says as it stands is not there.

    Args:
        base: the folder that the list's paths are relative to.
        text: what the list says.
    """
    plain = base / text
    if is_there(plain):
        return plain
    path = base / text.replace("\\", "/")
    if is_there(path):
        return path
    return _other_form(path) or (path if "\\" in text else plain)


def _other_form(path: Path) -> Path | None:
    """Find an absent path whose parts differ in their Unicode form only."""
    if path.name.isascii() and str(path).isascii():
        return None
    found = Path(path.anchor or ".")
    for part in path.parts[1:] if path.anchor else path.parts:
        if is_there(found / part):
            found = found / part
            continue
        try:
            found = next(entry for entry in entries(found) if same_name(entry.name) == same_name(part))
        except (StopIteration, DatasetError):
            return None
    return found


def _table(path: Path, text: str, separator: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Split a text into its header and ``(line, cells)`` of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise DatasetError(f"{path}: can't be read as CSV ({error})") from None
    rows = [(line, row) for line, row in rows if any(row)]
    if not rows:
        return [], []
    header = [name.lower() for name in rows[0][1]]
    return ["" if name.startswith("unnamed:") else name for name in header], rows[1:]
