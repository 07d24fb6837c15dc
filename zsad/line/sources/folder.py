"""A watched folder: each file is a part once it is whole, and again if it is replaced by another."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zsad.errors import UsageError
from zsad.images.files import is_clutter
from zsad.line.database import Database, RefusedError
from zsad.line.health import Health
from zsad.line.part import UNKNOWN, AgainError, Opened, Part, Record
from zsad.line.settings import Folder
from zsad.line.sources.source import Put
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.stream.left_out import is_image_name

LARGEST = 1 << 30
"""Bytes of a file that are read at most."""
PASSING = frozenset(
    getattr(errno, name)
    for name in ("EMFILE", "ENFILE", "ENOMEM", "EIO", "EACCES", "EBUSY", "EAGAIN", "ESTALE")
    if hasattr(errno, name)
)
"""Errors that say something of this moment rather than of the file: tried again for some seconds."""
_PASSING_S = 10.0
MANY = 10_000
"""Images that stay in the folder, of which more are too many to look through again and again."""
_SHARE = 0.2
"""Of the time that may go into looking: of a folder of many files, the pause between two looks grows."""


class WatchedFolder:
    """Gives the image files of a folder.

    A file is whole when size and times have stayed the same for ``settle_ms`` by a clock that nobody sets; those that
    are there at the start, and were last changed longer ago, are taken at once. A file that changes while it is read
    is looked at again. Only names of images count; hidden ones are left alone, so that ``.part`` files written beside
    their place are never seen.

    Args:
        settings: of the configuration.
        once: end when every file was given.
        database: where files that stay are noted, so that a restart need not read them again; None for nowhere.
    """

    overload = "files wait in the folder"

    def __init__(self, settings: Folder, *, once: bool = False, database: Database | None = None) -> None:
        self._said, self._once = settings, once
        self._notes = database if settings.after == "keep" else None
        self.place = str(settings.path)
        self._given: set[int] = set()
        self._settling: dict[int, float] = {}
        self._again: deque[int] = deque()
        self._failing: dict[int, float] = {}
        self._first = True
        self._taken = self._told = 0  # of which each is counted in one thread alone

    def check(self) -> list[str]:
        """Refuse a folder that is not there."""
        if not self._said.path.is_dir():
            raise UsageError(f"{printable(self.place)}: no such folder; make it, or give another path")
        names = [entry.name for entry in _listed(self._said.path, self._said.recursive)]
        images = sum(map(is_image_name, names))
        others = len(names) - images
        left_out = f"{printable(self.place)}: {others:,} files that are no images by their names are not read"
        return [left_out] * (others > 0) + [self._many(images)] * self._too_many(images)

    def _too_many(self, images: int) -> bool:
        return self._said.after == "keep" and images > MANY

    def _many(self, images: int) -> str:
        return (
            f"{printable(self.place)}: {images:,} images stay there, and each look at them takes longer; "
            "set after: delete, or move them away"
        )

    def run(self, put: Put, stop: threading.Event, health: Health) -> None:
        """Look, give what is whole, pause, and look again."""
        pause = self._said.poll_ms / 1e3
        while not stop.is_set():
            start = time.monotonic()
            found = 0
            try:
                for path, stamp, key in self._whole():
                    if stop.is_set() or not put(self._part(path, stamp, key)):
                        return
                    self._given.add(key)
                    found += 1
                health.alarms.end("source")
                if self._too_many(len(self._given)) and not self._once:
                    health.alarms.rise("folder", self._many(len(self._given)))
                else:
                    health.alarms.end("folder")
            except OSError as error:
                self._lost(error, health)
            if self._once and not found and not self._settling and self._told == self._taken and not self._again:
                return
            stop.wait(max(pause, (time.monotonic() - start) / _SHARE if not found else 0))

    def _lost(self, error: OSError, health: Health) -> None:
        where = f"{printable(self.place)}: {error.strerror or error}"
        if self._once:
            raise UsageError(f"{where}; give a folder that can be read") from None
        health.alarms.rise("source", f"{where}; waiting for it")

    def _whole(self) -> Iterator[tuple[Path, str, int]]:
        """Yield files that are whole and were not given yet, and forget those that have gone."""
        while self._again:
            key = self._again.popleft()
            self._given.discard(key)
            self._failing.setdefault(key, time.monotonic())
        there: set[int] = set()
        settling: dict[int, float] = {}
        wait, wall = self._said.settle_ms / 1e3, time.time()
        for entry in _listed(self._said.path, self._said.recursive):
            if not is_image_name(entry.name):
                continue
            try:
                stat = entry.stat()
            except OSError:  # gone, or a link to nothing
                continue
            stamp = f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}"
            key = hash((entry.path, stamp))
            there.add(key)
            if key in self._given:
                continue
            if self._first and self._noted(entry.path, stamp):
                self._given.add(key)
                continue
            now = time.monotonic()
            since = self._settling.get(key, now)
            old = self._first and wall - max(stat.st_mtime, stat.st_ctime) >= wait
            if old or now - since >= wait:
                yield Path(entry.path), stamp, key
            else:
                settling[key] = since
        self._given &= there
        self._failing = {key: since for key, since in self._failing.items() if key in there}
        self._settling, self._first = settling, False

    def _noted(self, path: str, stamp: str) -> bool:
        """Whether an earlier run has recorded what the file holds."""
        try:
            return self._notes is not None and self._notes.knows_file(path, stamp)
        except RefusedError:  # it is read, and known by its id
            return False

    def _part(self, path: Path, stamp: str, key: int) -> Part:
        self._taken += 1
        now = time.monotonic()
        passing = PASSING if now - self._failing.get(key, now) < _PASSING_S else frozenset()

        def done(record: Record | None, known: bool = False) -> None:
            if record is None:
                self._again.append(key)
            elif self._said.after == "delete" and not record.error and stamp_of(path) == stamp:
                with suppress(OSError):
                    path.unlink()
            elif self._notes is not None and not record.error:
                self._notes.note_file(str(path), stamp)
            self._told += 1

        return Part(printable(path), lambda: read_whole(path, stamp, passing), now, done)


def read_whole(path: Path, stamp: str, passing: frozenset[int] = frozenset()) -> Opened:
    """Read a file that is to be the same as when it was listed, and work out its id.

    Args:
        path: the file.
        stamp: what it was then.
        passing: numbers of errors after which it is to be given again; after any other it is a part that can't be read.

    Raises:
        AgainError: it has changed meanwhile, or can't be read now.
    """
    name = printable(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= LARGEST else None
    except OSError as error:
        if error.errno in passing:
            raise AgainError from None
        size = int(stamp.split("-")[0])
        return Opened(part_id(name, size, UNKNOWN), error=f"{name}: can't be read ({error.strerror or error})")
    if stamp_of(path) != stamp:
        raise AgainError
    if data is None:
        return Opened(part_id(name, size, UNKNOWN), error=f"{name}: larger than 1 GiB; cut it up first")
    return Opened(part_id(name, size, hashlib.blake2b(data, digest_size=16).hexdigest()), data, data=data)


def part_id(path: str, size: int, content: str) -> str:
    """Return the id of a file: path, size and hash of its content.

    >>> part_id("/parts/a.png", 1200, "0f1e")
    '/parts/a.png|1200|0f1e'
    """
    return f"{path}|{size}|{content}"


def _listed(folder: Path, recursive: bool) -> Iterator[os.DirEntry[str]]:
    """Yield the files of a folder by name; links are followed to files, not to folders."""
    with os.scandir(folder) as entries:
        listed = sorted((entry for entry in entries if not is_clutter(entry.name)), key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                with suppress(PermissionError, FileNotFoundError):
                    yield from _listed(Path(entry.path), recursive)
        elif entry.is_file():
            yield entry
