"""One thing that a run works on: who it is, how to open it, and how to notice that it was replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from zsad.errors import InputError, printable
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

    def stamp(self) -> str:
        """Return size and time of change of its file; ``""`` if that is gone, or if it is no file."""
        if self.content is None:
            return stamp_of(self.id)
        return stamp_of(self.content) if isinstance(self.content, str | Path) else ""


def stamp_of(path: str | Path) -> str:
    """Return size and time of change of a file, or ``""`` if it is gone."""
    try:
        stat = Path(path).stat()
    except (OSError, ValueError):
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def changed(item: Item) -> InputError:
    """Return what is said of an item whose stamp is another after its result than before it was opened."""
    return InputError(f"{item.place}: changed while it was read; run again")
