"""Files that grow by a line for each part; they follow the rows, and their own last line says how far they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from zsad.documents import Entries, parse_json
from zsad.errors import OutputError
from zsad.files import output_errors, target_of
from zsad.line.database import COLUMNS
from zsad.line.part import ROW, Record
from zsad.line.sinks.settings import Csv, Jsonl
from zsad.line.sinks.sink import Follower
from zsad.outputs import begins, check_output
from zsad.outside import printable
from zsad.stream.sinks.files import LineFile
from zsad.stream.sinks.table import cell

_HEAD = (",".join(COLUMNS) + "\r\n").encode()
_TAIL = 1 << 20


class _Lines(Follower):
    """Appends lines; what a kill has left of half a line is cut off.

    Args:
        path: the file; its folder is made.
    """

    head = b""
    begins = b""

    def __init__(self, path: Path) -> None:
        self.path = target_of(path)
        self._lines: LineFile | None = None

    def open(self) -> None:
        """Refuse a file of something else, and hold it."""
        check_output(self.path, begins(self.begins), "choose another path")
        with output_errors(self.path, "choose another path", "start again"):
            if self.path.is_file():
                _cut(self.path)
        self._lines = LineFile(self.path, append=True)
        if self.head and not self.path.stat().st_size:
            self._lines.write(self.head)

    def last(self) -> str | None:
        """Return the id of the last line."""
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, self.path.stat().st_size - _TAIL))
                lines = file.read().splitlines()
        except FileNotFoundError:
            return None
        return self._id(lines[-1]) if lines and lines[-1] != self.head.strip() else None

    def write(self, records: Sequence[Record]) -> None:
        """Append rows in one piece."""
        if self._lines is None:
            raise OutputError(f"{printable(self.path)}: is closed")
        self._lines.write(b"".join(self._line(record) for record in records))

    def close(self) -> None:
        """Close the file."""
        if self._lines is not None:
            self._lines.close()

    def _line(self, record: Record) -> bytes:
        raise NotImplementedError

    def _id(self, line: bytes) -> str | None:
        raise NotImplementedError


class JsonLines(_Lines):
    """One JSON object a line, with the columns of the table ``parts``."""

    name, begins = "jsonl", b'{"id": "'

    def _line(self, record: Record) -> bytes:
        return record.to_json().encode() + b"\n"

    def _id(self, line: bytes) -> str | None:
        try:
            found = Entries.of(parse_json(line, "line", OutputError, ROW), "line", OutputError)
            return found.text("id")
        except OutputError:
            return None


class CsvLines(_Lines):
    """A table with the columns of the table ``parts``; no cell is a formula."""

    name, head, begins = "csv", _HEAD, _HEAD.strip()

    def _line(self, record: Record) -> bytes:
        return csv_line(record)

    def _id(self, line: bytes) -> str | None:
        cells = next(csv.reader([line.decode(errors="replace")]), [])
        found = cells[0] if cells else None
        return found[1:] if found and found.startswith("'") and cell(found[1:]) == found else found


def csv_line(record: Record) -> bytes:
    """Return a row as a line of CSV."""
    text = io.StringIO()
    csv.writer(text).writerow(
        [cell(printable(value)) if isinstance(value, str) else value for value in record.to_row()]
    )
    return text.getvalue().encode()


def marks_csv(marked: Sequence[tuple[str, str]]) -> bytes:
    """Return what people have said of parts, as ``zsad calibrate`` reads it: path and mark."""
    text = io.StringIO()
    csv.writer(text).writerows([("path", "mark"), *((cell(path), mark) for path, mark in marked)])
    return text.getvalue().encode()


def lines_of(said: Csv | Jsonl) -> Follower:
    """Return the sink of a configuration."""
    return CsvLines(said.path) if isinstance(said, Csv) else JsonLines(said.path)


def _cut(path: Path) -> None:
    """Cut off a last line that has no end."""
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        start = max(0, size - _TAIL)
        file.seek(start)
        tail = file.read()
        if tail and not tail.endswith(b"\n"):
            file.truncate(start + tail.rfind(b"\n") + 1)
