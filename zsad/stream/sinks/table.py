"""The CSV table of a run: one line per item, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from zsad.files import PART, output_errors, target_of
from zsad.outputs import check_output, is_table
from zsad.outside import printable
from zsad.stream.item import Item
from zsad.stream.sinks.files import LineFile, sole_writer
from zsad.stream.sinks.rows import Row
from zsad.stream.sinks.sink import Earlier, Job, Sink

COLUMNS = (
    *(
        "file",
        "error",
        "score",
        "verdict",
        "fired",
        "mutual",
        "peak",
        "width",
        "height",
        "regions",
        "area",
        "largest_region",
    ),
    *("image_threshold", "pixel_threshold", "rule", "notes", "latency_ms", "overlay", "heatmap", "map", "model", "run"),
)
"""Head of the table. ``regions`` is how many there are, ``area`` the fraction that they cover, ``largest_region`` the
pixels of the largest, ``latency_ms`` the milliseconds from file to result; ``verdict`` and thresholds that are not
given are empty; the rest is as in the JSON lines."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also full-width signs


def cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that begins like it gets a quote before it.

    >>> cell("=1+1"), cell("part.png")
    ("'=1+1", 'part.png')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


class CsvTable(Sink):
    """Writes a CSV file (UTF-8, commas) beside its place and renames it at the end, finished or stopped.

    Args:
        path: the file; its folder is made.
        remedy: what to do where the file must not be replaced.
    """

    def __init__(self, path: Path, remedy: str = "choose another --csv") -> None:
        self._remedy = remedy
        self.path = path = target_of(path)
        self._partial = path.with_name(f".{path.name}{PART}")
        self._held = ExitStack()
        self._lines: LineFile | None = None

    def check(self, items: Sequence[Item]) -> None:
        """Refuse a file that is no table of rows."""
        check_output(self.path, is_table, self._remedy, (item.file for item in items if item.file))

    def open(self, job: Job) -> None:
        """Hold the file."""
        if self._is_device():
            self._partial = self.path
        else:
            self._held.enter_context(sole_writer(self.path, self.path.with_name(f".{self.path.name}.lock")))

    def start(self, done: Sequence[Item], earlier: Earlier | None) -> None:
        """Begin with the head; rows of an earlier run come first."""
        self._lines = LineFile(self._partial)
        self._write(COLUMNS)

    def skip(self, item: Item, row: Row) -> None:
        """Append the row of an earlier run."""
        self._write(_cells(row))

    def take(self, item: Item, row: Row, prepared: object) -> None:
        """Append a row."""
        self._write(_cells(row))

    def close(self, finished: bool) -> None:
        """Put the table in its place, and let it go."""
        with self._held:
            if self._lines:
                self._lines.close()
                with output_errors(self.path):
                    if self._partial != self.path:
                        self._partial.replace(self.path)

    def _is_device(self) -> bool:
        return self.path.exists() and not self.path.is_file()

    def _write(self, cells: Sequence[object]) -> None:
        assert self._lines is not None, "start() comes first"
        line = io.StringIO()
        csv.writer(line).writerow([cell(value) if isinstance(value, str) else value for value in cells])
        self._lines.write(line.getvalue().encode("utf-8", errors="backslashreplace"))


def _cells(row: Row) -> list[object]:
    """Return the cells of a row, in the order of :data:`COLUMNS`; those of a failure are empty but for its reason."""
    if row.error:
        failed: list[object] = [printable(row.file), printable(row.error)]
        return [*failed, *[""] * (len(COLUMNS) - 4), printable(row.model), row.run]
    largest = max((region.area for region in row.regions), default=0)
    limits = row.thresholds
    return [
        printable(row.file), "", round(row.score, 6), row.verdict or "", " ".join(row.fired),
        "mutual" if row.mutual else "", round(row.peak, 6),
        row.width, row.height, row.region_count, round(row.area, 6), largest, limits.image, limits.pixel,
        limits.rule or "either", printable("; ".join(row.notes)), round(row.ms, 1),
        *(row.files.get(kind, "") for kind in _FILES), printable(row.model), row.run,
    ]  # fmt: skip


_FILES = ("overlay", "heatmap", "map")
