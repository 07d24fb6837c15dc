"""What a place that finished items go to must offer: a table, a folder of pictures, a page, a database, a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from zsad.detector.base import Detector
from zsad.images.preprocess import Decoded
from zsad.stream.item import Item
from zsad.stream.sinks.rows import Row
from zsad.types import Result


@dataclass(frozen=True)
class Job:
    """What a sink may know of the run before it begins.

    Attributes:
        detector: what inspects.
        run: fingerprint of model, thresholds and settings, as rows state it.
        total: number of items; None where nobody knows.
    """

    detector: Detector
    run: str
    total: int | None


@dataclass(frozen=True)
class Finished:
    """One item that is done.

    Attributes:
        item: which one.
        row: what is said of it.
        name: a safe file name without suffix, unique in its run; ``""`` if no sink wants names, or it failed.
        image: the decoded image while it is in memory; None for a failure.
        result: what was found in it, or None for a failure.
    """

    item: Item
    row: Row
    name: str = ""
    image: Decoded | None = None
    result: Result | None = None


class Earlier(Protocol):
    """What an earlier run has finished, as far as it still holds."""

    @property
    def scores(self) -> dict[str, float]:
        """Id of an item -> its score."""

    def rows(self, ids: Iterable[str]) -> Iterator[Row]:
        """Read the rows of some items back."""


class Sink:
    """Gets each item of a run exactly once, in order; every method but :meth:`prepare` in the caller's thread.

    A run calls ``check`` and ``open``, then ``earlier`` and ``has`` if it resumes, ``start``, ``skip`` for what an
    earlier run has done, ``prepare`` and ``take`` for each other item, and ``close``. An OutputError of any of them
    ends the run; another error of ``prepare`` is the failure of its item. A subclass says what it does of this; the
    rest is nothing.
    """

    wants_names = False
    """Whether finished items need a name for files."""

    def check(self, items: Sequence[Item]) -> None:
        """Refuse a place that holds something else; all sinks are asked before any of them makes or changes anything.

        Args:
            items: what is inspected; empty where nobody knows it beforehand.

        Raises:
            OccupiedError: a file there is not from zsad, or is an input.
        """

    def open(self, job: Job) -> None:
        """Make the place ready and hold it, changing nothing that an earlier run has left there.

        Raises:
            OutputError: not possible.
            InUseError: another run writes here.
        """

    def earlier(self, holds: Callable[[Row], bool]) -> Earlier | None:
        """Return what an earlier run has left here, if this sink keeps rows that can be read back.

        Args:
            holds: whether a row is still right; everything else may be thrown away.

        Raises:
            UsageError: it was made with other settings.
        """
        return None

    def has(self, row: Row) -> bool:
        """Return whether what this sink keeps beside an earlier row is still there."""
        return True

    def start(self, done: Sequence[Item], earlier: Earlier | None) -> None:
        """Begin, after ``done`` items of an earlier run."""

    def skip(self, item: Item, row: Row) -> None:
        """Take note of an item that an earlier run has done."""

    def prepare(self, finished: Finished) -> tuple[Row, object]:
        """Do what is expensive; called in a writer thread, for several items at a time, in any order.

        Returns:
            The row, to which something may be added, and whatever :meth:`take` shall get.
        """
        return finished.row, None

    def take(self, item: Item, row: Row, prepared: object) -> None:
        """Record one item, in order.

        Args:
            item: which one.
            row: what all sinks have made of its row.
            prepared: what :meth:`prepare` gave; None for an item that failed, in whatever stage.
        """

    def close(self, finished: bool) -> None:
        """End; ``finished`` is False if the run was stopped, and what was taken is to be kept. Called once."""
