"""Files that several runs may want: lines appended in one piece, one writer at a time."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zsad.errors import InUseError, OccupiedError
from zsad.files import output_errors
from zsad.outside import printable


class LineFile:
    """Appends lines, each in one piece: a full disk or Ctrl-C never leaves half a line.

    Args:
        path: the file; its folder is made.
        append: go on after what is there; otherwise the file begins anew.

    Raises:
        InUseError: another process writes lines to it, under whatever name.
        OutputError: it can't be written.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self._path, self._good = path, 0
        self._file: BinaryIO
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            if not _is_ours_alone(self._file):
                self._file.close()
                raise _in_use(path)
            if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):  # a device can be sought in, but not cut
                if not append:
                    self._file.truncate(0)
                self._good = self._file.seek(0, 2)

    def write(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OutputError: no space left; the lines before it are whole.
        """
        try:
            rest = memoryview(line)
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
def sole_writer(place: Path, lock: Path, *, keep: bool = False) -> Iterator[None]:
    """Hold a place for one run at a time; the system frees it when the process ends, however it ends.

    Args:
        place: what is held, for the message.
        lock: a file that says so, which is made.
        keep: whether it stays there afterwards.

    Raises:
        InUseError: another run holds it.
        OutputError: the lock can't be made.
    """
    with output_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        release = _locked(lock, keep)
    if release is None:
        raise _in_use(place)
    try:
        yield
    finally:
        release()


def _in_use(place: Path) -> InUseError:
    return InUseError(f"{printable(place)}: another run is writing here; wait for it, or choose another place")


def _is_ours_alone(file: BinaryIO) -> bool:
    """Lock an open file itself until it is closed; a device, and a system without such locks, lets everybody in."""
    try:
        import fcntl
    except ImportError:
        return True
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _locked(lock: Path, keep: bool) -> Callable[[], None] | None:
    """Lock a file, and return what frees it; None if another has it."""
    try:
        import fcntl
    except ImportError:  # Windows, which removes the file by itself
        return _locked_elsewhere(lock)
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        if os.fstat(handle).st_size:
            os.close(handle)
            raise OccupiedError(f"{printable(lock)}: was not written by zsad and is in the way; move it away")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                os.close(handle)
                return None
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # a file system without locks
                os.close(handle)
                raise
        with suppress(FileNotFoundError):  # whoever had it has just removed it: it is no lock any more
            if os.path.samestat(lock.stat(), os.fstat(handle)):
                return lambda: _free(lock, handle, keep)
        os.close(handle)


def _free(lock: Path, handle: int, keep: bool) -> None:
    if not keep:
        with suppress(OSError):  # before it is freed, so that nobody else's is removed
            lock.unlink()
    os.close(handle)


def _locked_elsewhere(lock: Path) -> Callable[[], None] | None:
    from filelock import FileLock, Timeout

    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout:
        return None
    return held.release
