"""One thing that a run works on: who it is, how to open it, and how to notice that it was replaced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from zsad.errors import InputError
from zsad.outside import printable
from zsad.types import ImageLike

Content: TypeAlias = "ImageLike | Callable[[], ImageLike]"
"""A path, a PIL image, an array, or a function that gives one of them."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a run; 100,000 of them take 20 MB.

    Attributes:
        id: unique in its run: the path of a file as it will be opened, or what the caller gave.
        label: for people and for names of output files: the path below the given folder, or the file's name.
        content: what is opened, if it is not the file that ``id`` names.
        error: why it can't be used, if that is known already.
    """

    id: str
    label: str
    content: Content | None = field(default=None, compare=False, repr=False)
    error: str = ""

    def open(self) -> ImageLike:
        """Return what can be decoded; safe to call from a reader thread.

        Raises:
            InputError: its error, if that is known already; a function may raise whatever it likes.
        """
        if self.error:
            raise InputError(self.error)
        if self.content is None:
            return self.id
        return self.content() if callable(self.content) else self.content

    @property
    def place(self) -> str:
        """What errors call it: the path of its file, or its id."""
        return printable(self.content if isinstance(self.content, str | Path) else self.id)

    @property
    def file(self) -> str | Path:
        """The file that is opened; ``""`` if it is none."""
        if self.content is None:
            return self.id
        return self.content if isinstance(self.content, str | Path) else ""

    def stamp(self, *, settled: bool = False) -> str:
        """Return :func:`stamp_of` its file; ``""`` if that is gone, or if it is no file."""
        return stamp_of(self.file, settled=settled) if self.file else ""


_TICK = 0.02
"""Seconds within which file systems may give two changes the same time: their clocks tick every 1 to 10 ms."""


def stamp_of(path: str | Path, *, settled: bool = False) -> str:
    """Return what tells a file from the one that replaces it, or ``""`` if it is gone.

    Args:
        path: the file.
        settled: wait until its last change is so long ago that a later one has another time.

    Returns:
        Size, time of change of its content, and time of change of its entry, which no program can set: a file of the
        same size that brings an old time along, as from an archive, is told apart too.
    """
    try:
        stat = os.stat(path)  # noqa: PTH116 - the same for str and Path
        if settled and 0 <= (age := time.time() - max(stat.st_mtime, stat.st_ctime)) < _TICK:
            time.sleep(_TICK - age)
            stat = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ctime_ns}"


def changed(item: Item) -> InputError:
    """Return what is said of an item whose stamp is another after its result than before it was opened."""
    return InputError(f"{item.place}: changed while it was read; run again")
