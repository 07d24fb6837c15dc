"""Open ahead of the work: reader threads with bounded memory, results in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from zsad.stream.item import Item

I = TypeVar("I", bound=Item)  # noqa: E741 - an item
D = TypeVar("D")  # what an item becomes when it is opened, a decoded image say

_PATIENCE = 0.2
"""Seconds of one wait: without an end, Ctrl-C would not be noticed on every system."""
_LEAVE = 10.0
"""Seconds that readers get to end."""


@dataclass(frozen=True)
class Ready(Generic[I, D]):
    """An item after it was opened, or the reason why it could not be.

    Attributes:
        item: which one.
        stamp: its stamp before it was opened.
        opened: what it became, or None.
        failure: why there is nothing, or None.
        ms: milliseconds that opening took.
        bytes: memory that it takes now.
    """

    item: I
    stamp: str = ""
    opened: D | None = None
    failure: Exception | None = None
    ms: float = 0.0
    bytes: int = 0


def open_ahead(
    items: Iterable[I],
    open_item: Callable[[I], D],
    *,
    readers: int,
    ahead: int,
    waiting: int,
    size: Callable[[D], int] = lambda opened: 0,
    weigh: Callable[[I], int] = lambda item: 0,
) -> Generator[Ready[I, D], None, None]:
    """Open items in threads while the caller works on earlier ones.

    Args:
        items: what to open; may be endless, and is asked for no more than what is needed.
        open_item: called in the reader threads; what it raises is that item's failure.
        readers: number of threads, at least 1.
        ahead: most items that wait opened.
        waiting: no new item is begun while this many bytes wait; at most one item per reader above it.
        size: bytes that an opened item takes.
        weigh: bytes that opening an item takes, told from what is known before; called in the reader threads. They
            count among those that wait, but the item that is next in order is always opened. What it raises is that
            item's failure.

    Yields:
        One entry per item, in order.

    Raises:
        Exception: whatever ``items`` itself raises.
    """
    shelf: _Shelf[I, D] = _Shelf(items, ahead, waiting)
    threads = [
        threading.Thread(target=_read, args=(shelf, open_item, size, weigh), name=f"zsad-reader-{i}", daemon=True)
        for i in range(readers)
    ]
    for thread in threads:
        thread.start()
    try:
        while (ready := shelf.give()) is not None:
            yield ready
    finally:
        shelf.close()
        end = time.monotonic() + _LEAVE  # a source that waits for a camera can't be woken
        for thread in threads:
            thread.join(timeout=max(0.0, end - time.monotonic()))


class _Shelf(Generic[I, D]):
    """What readers have put down and the caller has not yet taken; every method is thread-safe."""

    def __init__(self, items: Iterable[I], ahead: int, waiting: int) -> None:
        self._items, self._ahead, self._most = enumerate(items), ahead, waiting
        self._source = threading.Lock()  # apart, since a live source may take its time
        self._change = threading.Condition()
        self._waiting: dict[int, Ready[I, D]] = {}
        self._held = self._begun = self._given = 0
        self._opening: dict[int, int] = {}  # bytes of those that are being opened, by index
        self._closed = self._exhausted = False
        self._failure: BaseException | None = None

    def begin(self) -> tuple[int, I] | None:
        """Wait until there is room, then hand out the next item; None when nothing is left to do."""
        with self._source:
            with self._change:
                while not (self._closed or self._exhausted or self._has_room()):
                    self._change.wait(_PATIENCE)
                if self._closed or self._exhausted:
                    return None
            entry = next(self._items, None)
            with self._change:
                if entry is None:
                    self._exhausted = True
                    self._change.notify_all()
                    return None
                self._begun += 1
                return entry

    def admit(self, index: int, needed: int) -> None:
        """Wait until opening an item fits beside what waits and what else is being opened."""
        with self._change:
            while not (self._closed or index == self._given or self._held + needed <= self._most or not self._held):
                self._change.wait(_PATIENCE)
            self._opening[index] = needed
            self._held += needed

    def put(self, index: int, ready: Ready[I, D]) -> None:
        """Put down what was opened."""
        with self._change:
            self._waiting[index] = ready
            self._held -= self._opening.pop(index, 0)
            self._held += ready.bytes
            self._change.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Pass an error that is no item's fault on to the caller."""
        with self._change:
            self._failure = failure
            self._change.notify_all()

    def give(self) -> Ready[I, D] | None:
        """Wait for the next entry in order; None after the last."""
        with self._change:
            while self._given not in self._waiting:
                if self._failure is not None:
                    raise self._failure
                if self._exhausted and self._given == self._begun:
                    return None
                self._change.wait(_PATIENCE)
            ready = self._waiting.pop(self._given)
            self._given += 1
            self._held -= ready.bytes
            self._change.notify_all()
            return ready

    def close(self) -> None:
        """Let the readers end after the item that they are at."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()

    def _has_room(self) -> bool:
        return self._begun - self._given < self._ahead and self._held < self._most


def _read(
    shelf: _Shelf[I, D], open_item: Callable[[I], D], size: Callable[[D], int], weigh: Callable[[I], int]
) -> None:
    try:
        while (entry := shelf.begin()) is not None:
            index, item = entry
            del entry
            try:
                needed = weigh(item)
            except Exception as failure:
                shelf.put(index, Ready(item, item.stamp(), None, failure.with_traceback(None)))
                continue
            shelf.admit(index, needed)
            shelf.put(index, _open(item, open_item, size))
    except BaseException as failure:
        shelf.fail(failure)


def _open(item: I, open_item: Callable[[I], D], size: Callable[[D], int]) -> Ready[I, D]:
    start = time.perf_counter()
    stamp = item.stamp(settled=True)  # before it is opened: a file that is replaced later is noticed
    try:
        opened = open_item(item)
        return Ready(item, stamp, opened, None, (time.perf_counter() - start) * 1e3, size(opened))
    except Exception as failure:
        # Its frames hold what was read so far.
        return Ready(item, stamp, None, failure.with_traceback(None), (time.perf_counter() - start) * 1e3)
