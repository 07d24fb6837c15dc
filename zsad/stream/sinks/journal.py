"""The JSONL file of a run: always valid up to its last line, and read back by ``--resume``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from zsad.errors import OutputError, printable
from zsad.stream.sinks.pictures import output_errors
from zsad.stream.sinks.rows import Row, from_line


@dataclass
class Earlier:
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

    def rows(self, files: Iterable[str]) -> Iterator[Row]:
        """Read the rows of some inputs back.

        Raises:
            OutputError: the file is no longer what it was.
        """
        with output_errors(self.path), self.path.open("rb") as lines:
            for file in files:
                lines.seek(self.places[file])
                row = from_line(lines.readline())
                if row is None or row.file != file:
                    raise OutputError(f"{printable(self.path)}: another program changed it while it was read")
                yield row

    def rewrite(self) -> None:
        """Leave only these rows in the file, in one step: an interruption loses nothing."""
        partial = self.path.with_name(self.path.name + ".part")
        with output_errors(self.path):
            with self.path.open("rb") as lines, partial.open("wb") as kept:
                for file, place in sorted(self.places.items(), key=lambda item: item[1]):
                    self.places[file] = kept.tell()
                    lines.seek(place)
                    kept.write(lines.readline().rstrip(b"\n") + b"\n")  # a cut file's last line may lack it
            partial.replace(self.path)


class Journal:
    """Appends rows, each in one piece: a full disk or Ctrl-C never leaves half a line.

    Args:
        path: the JSONL file; its folder is made.
        earlier: rows to go on after; without any, the file begins anew.

    Raises:
        OutputError: it can't be written.
    """

    def __init__(self, path: Path, earlier: Earlier | None = None) -> None:
        self._path = path
        self._good = 0
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        keep = bool(earlier and earlier.places)
        if earlier and keep:
            earlier.rewrite()
        self._file: BinaryIO
        with output_errors(path):
            self._file = path.open("ab" if keep else "wb", buffering=0)
            self._good = self._file.seek(0, 2) if self._file.seekable() else 0

    def write(self, row: Row) -> None:
        """Append a row.

        Raises:
            OutputError: no space left; the rows before it are whole.
        """
        line = memoryview(row.to_line())
        try:
            rest = line
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with suppress(OSError):  # a device has no end to cut off
                self._file.truncate(self._good)
            with output_errors(self._path):
                raise
        self._good += len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a folder for one run at a time; the system frees it when the process ends, however it ends.

    Raises:
        OutputError: another run holds it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".zsad.lock", timeout=0)
    with output_errors(folder):
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"{printable(folder)}: another run is writing here; wait for it, or choose another --out"
            ) from None
        except NotImplementedError:  # a file system without locks
            pass
    try:
        yield
    finally:
        lock.release()
