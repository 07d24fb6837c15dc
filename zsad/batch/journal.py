"""The JSONL file of a run: always valid up to its last line, and read back by ``--resume``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zsad.batch.outputs import output_errors
from zsad.batch.record import Row
from zsad.errors import OutputError, printable


class Journal:
    """Appends rows, each in one piece: a full disk or Ctrl-C never leaves half a line.

    Args:
        path: the JSONL file; its folder is made.
        keep: rows of an earlier run to begin with.

    Raises:
        OutputError: it can't be written.
    """

    def __init__(self, path: Path, keep: list[Row]) -> None:
        self._path = path
        self._good = 0
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        if keep:
            # A second file that replaces the first when it is complete: an interruption here loses nothing.
            partial = path.with_name(path.name + ".part")
            with output_errors(path), partial.open("wb") as file:
                file.writelines(row.to_line() for row in keep)
            with output_errors(path):
                partial.replace(path)
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
