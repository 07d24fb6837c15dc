"""What ``zsad detect`` does: files in; pictures, rows, table and report out, as a composition of sinks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.outside import printable
from zsad.stream.flow import READERS
from zsad.stream.item import Item
from zsad.stream.run import OnRow, Progress, run
from zsad.stream.sinks.journal import Journal
from zsad.stream.sinks.pictures import Pictures
from zsad.stream.sinks.report import PAGE, ReportPage
from zsad.stream.sinks.sink import Sink
from zsad.stream.sinks.table import CsvTable

ROWS, TABLE = "results.jsonl", "results.csv"
"""Names of the JSON lines and of the table in the output folder."""


@dataclass(frozen=True)
class Options:
    """What a detection writes, and how it is done.

    Attributes:
        out: folder for pictures, ``results.jsonl``, ``results.csv`` and ``report.html``; None writes no pictures.
        rows: the JSONL file, if not in ``out``.
        csv: the CSV table, if not in ``out``.
        maps: ``"npy"`` or ``"png16"`` to write maps as well.
        report: whether ``report.html`` is written.
        resume: go on with the rows of an earlier run.
        batch_size: images that go through the network together; by default what is fastest.
        readers: decoding threads.
        title: heading of the report.
        settings: whatever else tells this run from another, such as the model's file and the prompt.
    """

    out: Path | None = None
    rows: Path | None = None
    csv: Path | None = None
    maps: str | None = None
    report: bool = True
    resume: bool = False
    batch_size: int | None = None
    readers: int = READERS
    title: str = "Inspection"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def journal(self) -> Path | None:
        """Where rows are written."""
        return self.rows or (self.out / ROWS if self.out else None)

    @property
    def table(self) -> Path | None:
        """Where the CSV table is written, when the run ends."""
        return self.csv or (self.out / TABLE if self.out else None)


def check_apart(options: Options) -> None:
    """Refuse two outputs in one file.

    Raises:
        UsageError: they are.
    """
    page = options.out / PAGE if options.out and options.report else None
    files = [os.path.realpath(path) for path in (options.journal, options.table, page) if path is not None]
    for file in files:
        if files.count(file) > 1:
            raise UsageError(f"{printable(file)}: two outputs would go into it; give each a file of its own")


def sinks_of(options: Options) -> list[Sink]:
    """Return the sinks of a detection; the pictures come first, since they add their names to the rows."""
    sinks: list[Sink] = [Pictures(options.out, options.maps)] if options.out else []
    remedy = "choose another --json" if options.rows else "choose another --out"
    sinks += [Journal(options.journal, remedy)] if options.journal else []
    sinks += (
        [CsvTable(options.table, "choose another --csv" if options.csv else "choose another --out")]
        if options.table
        else []
    )
    sinks += [ReportPage(options.out, options.title)] if options.out and options.report else []
    return sinks


def detect(
    detector: Detector, items: Sequence[Item], options: Options, on_row: OnRow = lambda row, progress: None
) -> Progress:
    """Inspect images and write what was asked for; errors as :func:`zsad.stream.run.run`.

    Args:
        detector: any detector.
        items: what to inspect, see :func:`zsad.stream.sources.find_images`.
        options: what to write, and how.
        on_row: called in order for each input, failed and skipped ones included.

    Returns:
        The final counts.
    """
    check_apart(options)
    return run(
        detector,
        items,
        sinks_of(options),
        settings={"maps": options.maps, **options.settings},
        resume=options.resume,
        batch_size=options.batch_size,
        readers=options.readers,
        on_row=on_row,
    )
