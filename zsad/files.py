"""Writing for keeps: whole files or none, and the system's refusals as one line that says what to do."""

from __future__ import annotations

import errno
import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from zsad.errors import OutputError, ZsadError
from zsad.outside import printable, terminal

PART = ".part"
"""How the name of a file ends that is not whole yet; it begins with a dot."""
_LEFT = re.compile(r"\.[0-9a-f]{32}" + re.escape(PART))


LONGEST_NAME = 255
"""Bytes of one part of a path, at most, on every usual file system."""


class output_errors:  # noqa: N801 - used as a function
    """Turn the system's refusal to write into one line that names the place.

    Args:
        path: the place.
        other: the remedy where the place itself is wrong.
        again: the remedy once there is space.
    """

    def __init__(self, path: Path, other: str = "choose another --out", again: str = "go on with --resume") -> None:
        self._path, self._other, self._again = path, other, again

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, OSError):
            raise OutputError(f"{printable(self._path)}: {self._why(error)}") from None

    def _why(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
            return f"no space left to write; free some, then {self._again}"
        if error.errno == errno.EFBIG:
            return f"larger than a file may be here (ulimit -f, or the file system); raise that, then {self._again}"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return f"not allowed to write here; {self._other}"
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            return f"a file of that name is in the way; {self._other}"
        return f"can't write ({error.strerror or error}); {self._other}"


def target_of(path: Path) -> Path:
    """Return the file that a path leads to, through links; a device or a pipe is what it is called."""
    return path if path.exists() and not path.is_file() else Path(os.path.realpath(path))


def sweep(folder: Path) -> None:
    """Remove what a kill has left of files that :func:`write_whole` was at; only while nobody else writes there."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _LEFT.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)


def write_whole(
    path: Path, data: bytes | memoryview, refused: output_errors | None = None, *, synced: bool = False
) -> None:
    """Write a file beside its place, then rename it: a reader never sees half of it, nor does a kill leave half.

    Args:
        path: the file; its folder is made.
        data: all of it.
        refused: words for the system's refusals; by default those of a run with ``--out`` and ``--resume``.
        synced: whether it is on the disk when this returns, so that it survives a loss of power too.

    Raises:
        OutputError: no space, or not allowed to write.
    """
    with refused or output_errors(path):
        if path.exists() and not path.is_file():  # a device or a pipe is written to, not replaced
            path.write_bytes(data)
            return
        path = target_of(path)  # what a link leads to is replaced, not the link
        part = path.with_name(f".{uuid.uuid4().hex}{PART}")  # short, whatever the length of the name; nobody else's
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(data)
                if synced:
                    file.flush()
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def check_name(name: str, refuse: type[ZsadError]) -> None:
    """Refuse a name that no file can have.

    Raises:
        ZsadError: ``refuse``, where a part has more than 255 bytes, or a NUL.
    """
    if "\0" in name or any(len(part.encode(errors="surrogatepass")) > LONGEST_NAME for part in name.split("/")):
        raise refuse(
            f"{terminal(name, 60)}: no file can have this name, of at most {LONGEST_NAME} bytes a part; give another"
        )


def is_file(path: str | Path) -> bool:
    """Whether there is such a file; a name that the system can't take (too long, with NUL) names none."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for such names


def is_folder(path: str | Path) -> bool:
    """Whether there is such a folder; a name that the system can't take names none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for such names


def is_there(path: str | Path) -> bool:
    """Whether there is anything of that name; a name that the system can't take names nothing."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises for such names
