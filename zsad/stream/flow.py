"""Items -> outcomes: opened ahead, worked on in lanes, with bounded memory; the loop that everything shares."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from zsad.errors import ZsadError, first_line
from zsad.outside import printable
from zsad.stream.ahead import D, I, Ready, open_ahead
from zsad.stream.item import Item, changed
from zsad.stream.memory import WAITING, Budget, check_fits

V = TypeVar("V")  # what the work makes of an item

READERS = 2
_FAILED_PER_CHUNK = 8
"""Items that can't be opened wait for their neighbours no longer than so many batches."""


@dataclass(frozen=True)
class Outcome(Generic[I, D, V]):
    """What became of one item: a value, or the reason why there is none.

    Attributes:
        item: which one.
        stamp: its stamp before it was opened; the same after its value was there, or that is its failure.
        decoded: what it was opened as, where there is a value.
        value: what the work made of it, or None.
        failure: why there is no value, or None.
        ms: milliseconds from item to value: its own opening and its share of the batch.
        bytes: memory that it was let in with.
    """

    item: I
    stamp: str = ""
    decoded: D | None = None
    value: V | None = None
    failure: Exception | None = None
    ms: float = 0.0
    bytes: int = 0

    @property
    def error(self) -> str:
        """The failure as one line; ``""`` if there is none."""
        return failure_line(self.item, self.failure) if self.failure is not None else ""


Work = Callable[[Sequence[D]], Sequence[V | Exception]]


def flow(
    items: Iterable[I],
    open_item: Callable[[I], D],
    work: Work[D, V],
    *,
    lanes: int = 1,
    batch_size: int = 1,
    readers: int = READERS,
    size: Callable[[D], int],
    need: Callable[[D], int],
    weigh: Callable[[I], int] = lambda item: 0,
    budget: Budget | None = None,
) -> Generator[Outcome[I, D, V], None, None]:
    """Open items ahead in threads, and work on them in batches, in as many threads as there are lanes.

    A failure of one item, in whatever stage, is its outcome; a batch that fails is tried again item by item.

    Args:
        items: what to work on, in order; may be endless.
        open_item: opens one item, in a reader thread.
        work: makes one value, or an exception, of each opened item; called by ``lanes`` threads at a time.
        lanes: number of working threads, at least 1.
        batch_size: opened items that ``work`` gets together at most, at least 1.
        readers: opening threads, at least 1.
        size: bytes that an opened item takes.
        need: bytes that it takes at most until it is done with, all stages considered.
        weigh: bytes that opening it takes, see :func:`zsad.stream.ahead.open_ahead`.
        budget: what the bytes are taken from. Whoever gives one gives ``outcome.bytes`` back when done with an
            outcome; by default that is when the next one is asked for.

    Yields:
        One outcome per item, in order.

    Raises:
        Exception: whatever ``items`` itself raises.
    """
    space = Budget() if budget is None else budget
    ready = open_ahead(items, open_item, readers=readers, ahead=2 * lanes * batch_size + readers,
                       waiting=WAITING, size=size, weigh=weigh)  # fmt: skip
    own = space if budget is None else None
    lane: _Lanes[I, D, V] = _Lanes(work, lanes)
    chunk: list[Ready[I, D]] = []
    try:
        for entry in ready:
            entry = _admitted(entry, need)
            while not space.take(entry.bytes):
                if chunk:
                    lane.put(chunk)
                    chunk = []
                elif lane.busy:
                    yield from _released(lane.first(), own)
                else:
                    space.wait()
            chunk.append(entry)
            del entry  # its memory is to be free as soon as it is no longer needed
            if _is_full(chunk, batch_size):
                lane.put(chunk)
                chunk = []
            while lane.busy > lanes:  # one batch more than there are lanes: none waits while outcomes are taken
                yield from _released(lane.first(), own)
        if chunk:
            lane.put(chunk)
            chunk = []
        while lane.busy:
            yield from _released(lane.first(), own)
    finally:
        ready.close()
        lane.close()


def failure_line(item: Item, failure: Exception) -> str:
    """Say in one line why an item failed."""
    if isinstance(failure, ZsadError):
        return str(failure)
    if isinstance(failure, MemoryError):
        return f"{item.place}: does not fit in memory; cut it up first"
    return f"{item.place}: unexpected {type(failure).__name__}: {printable(first_line(failure))}"


class _Lanes(Generic[I, D, V]):
    """Batches under way, in order."""

    def __init__(self, work: Work[D, V], lanes: int) -> None:
        self._work, self._pool = work, ThreadPoolExecutor(lanes, "zsad-lane")
        self._under_way: deque[Future[list[Outcome[I, D, V]]]] = deque()

    @property
    def busy(self) -> int:
        return len(self._under_way)

    def put(self, chunk: list[Ready[I, D]]) -> None:
        self._under_way.append(self._pool.submit(_do, self._work, chunk))

    def first(self) -> list[Outcome[I, D, V]]:
        return self._under_way.popleft().result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _admitted(entry: Ready[I, D], need: Callable[[D], int]) -> Ready[I, D]:
    """Replace what waits by what will be needed; what can never be had is a failure."""
    if entry.opened is None:
        return replace(entry, bytes=0)
    try:
        needed = need(entry.opened)
        check_fits(entry.item.place, needed)
    except Exception as failure:
        return replace(entry, opened=None, failure=failure.with_traceback(None), bytes=0)
    return replace(entry, bytes=needed)


def _released(outcomes: list[Outcome[I, D, V]], space: Budget | None) -> Iterator[Outcome[I, D, V]]:
    """Yield outcomes in order without holding on to those that were yielded."""
    outcomes.reverse()
    while outcomes:
        taken = outcomes[-1].bytes
        yield outcomes.pop()
        if space is not None:
            space.give(taken)


def _is_full(chunk: Sequence[Ready[I, D]], size: int) -> bool:
    return sum(entry.opened is not None for entry in chunk) >= size or len(chunk) >= _FAILED_PER_CHUNK * size


def _do(work: Work[D, V], chunk: list[Ready[I, D]]) -> list[Outcome[I, D, V]]:
    opened = [entry.opened for entry in chunk if entry.opened is not None]
    start = time.perf_counter()
    values = iter(_values(work, opened))
    share = (time.perf_counter() - start) * 1e3 / max(1, len(opened))
    del opened
    return [_outcome(entry, next(values), share) if entry.opened is not None else _failed(entry) for entry in chunk]


def _values(work: Work[D, V], opened: Sequence[D]) -> Sequence[V | Exception]:
    if not opened:
        return ()
    try:
        return work(opened)
    except Exception as failure:
        if len(opened) == 1:
            return (failure.with_traceback(None),)
    # One item of the batch fails alone, and what does not fit in memory together may fit one by one.
    return [value for one in opened for value in _values(work, [one])]


def _failed(entry: Ready[I, D]) -> Outcome[I, D, V]:
    return Outcome(entry.item, entry.stamp, failure=entry.failure, ms=entry.ms, bytes=entry.bytes)


def _outcome(entry: Ready[I, D], value: V | Exception, share: float) -> Outcome[I, D, V]:
    failure = value if isinstance(value, Exception) else None
    if failure is None and entry.item.stamp() != entry.stamp:
        failure = changed(entry.item)
    if failure is not None:
        return Outcome(entry.item, entry.stamp, failure=failure, ms=entry.ms + share, bytes=entry.bytes)
    assert not isinstance(value, Exception)
    return Outcome(entry.item, entry.stamp, entry.opened, value, None, entry.ms + share, entry.bytes)
