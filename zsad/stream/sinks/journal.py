"""The JSONL file of a run: always valid up to its last line, and read back by ``--resume``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from zsad.errors import OutputError
from zsad.files import PART, output_errors, target_of
from zsad.outputs import check_output, is_rows
from zsad.outside import printable
from zsad.stream.item import Item
from zsad.stream.sinks.files import LineFile, sole_writer
from zsad.stream.sinks.rows import Row, check_same_run, from_line, read_places
from zsad.stream.sinks.sink import Earlier, Job, Sink


@dataclass
class EarlierRows:
    """What an earlier run has finished; the rows stay in its file, since 100,000 of them fill the memory.

    Attributes:
        path: the JSONL file.
        scores: input -> its score.
        places: input -> position of its line.
    """

    path: Path
    scores: dict[str, float] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def note(self, row: Row, place: int) -> None:
        """Take a row into account."""
        self.scores[row.file], self.places[row.file] = row.score, place

    def rows(self, ids: Iterable[str]) -> Iterator[Row]:
        """Read the rows of some inputs back.

        Raises:
            OutputError: the file is no longer what it was.
        """
        with output_errors(self.path), self.path.open("rb") as lines:
            for file in ids:
                lines.seek(self.places[file])
                row = from_line(lines.readline())
                if row is None or row.file != file:
                    raise OutputError(f"{printable(self.path)}: another program changed it while it was read")
                yield row

    def rewrite(self) -> None:
        """Leave only these rows in the file, in one step: an interruption loses nothing."""
        partial = self.path.with_name(f".{self.path.name}{PART}")
        with output_errors(self.path):
            with self.path.open("rb") as lines, partial.open("wb") as kept:
                for file, place in sorted(self.places.items(), key=lambda item: item[1]):
                    self.places[file] = kept.tell()
                    lines.seek(place)
                    kept.write(lines.readline().rstrip(b"\n") + b"\n")  # a cut file's last line may lack it
            partial.replace(self.path)


class Journal(Sink):
    """Appends rows to a JSONL file, which is held for one run at a time.

    Args:
        path: the file; its folder is made.
        remedy: what to do where it is no journal.
    """

    def __init__(self, path: Path, remedy: str = "choose another --json") -> None:
        self._remedy = remedy
        self.path = target_of(path)  # the lock and the lines belong to the file, whatever it is called
        self._held = ExitStack()
        self._earlier: EarlierRows | None = None
        self._lines: LineFile | None = None

    def check(self, items: Sequence[Item]) -> None:
        """Refuse a file that has no rows."""
        check_output(self.path, is_rows, self._remedy, (item.file for item in items if item.file))

    def open(self, job: Job) -> None:
        """Hold the file."""
        self._job = job
        if self.path.is_file() or not self.path.exists():  # a device has room for everybody
            self._held.enter_context(sole_writer(self.path, self.path.with_name(f".{self.path.name}.lock")))

    def earlier(self, holds: Callable[[Row], bool]) -> EarlierRows:
        """Read which rows of the file still hold; the others leave it."""
        job, found = self._job, EarlierRows(self.path)
        for place, row in read_places(self.path):
            check_same_run(row, job.run, job.detector.card.provenance.name, job.detector.thresholds, self.path)
            if holds(row):
                found.note(row, place)
        self._earlier = found
        return found

    def start(self, done: Sequence[Item], earlier: Earlier | None) -> None:
        """Go on after the rows that were read, or begin anew without any."""
        keep = bool(self._earlier and self._earlier.places)
        if self._earlier and keep:
            self._earlier.rewrite()
        self._lines = LineFile(self.path, append=keep)

    def take(self, item: Item, row: Row, prepared: object) -> None:
        """Append a row."""
        assert self._lines is not None, "start() comes first"
        self._lines.write(row.to_line())

    def close(self, finished: bool) -> None:
        """Close the file and let it go."""
        if self._lines:
            self._lines.close()
        self._held.close()
