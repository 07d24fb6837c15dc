"""Parts under way: opened and looked at in as many threads as the detector is good for, given back in order.

The loop of :mod:`zsad.stream.flow` reads ahead and holds outcomes until its lanes are full, which is fastest for a
list; a part on a line has its verdict as soon as it is there, whether or not another one follows.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TypeVar

from zsad.detector.base import Detector
from zsad.errors import InputError, ZsadError, first_line
from zsad.line.part import AgainError, Opened, Part, Seen
from zsad.outside import printable
from zsad.stream.inspect import needed_bytes
from zsad.stream.memory import check_fits
from zsad.types import Result

GROUP = 64
"""Parts that are recorded together at most."""
PATIENCE = 0.2
"""Seconds that are waited for the next part before the station's loop comes round."""
_T = TypeVar("_T")


@dataclass(eq=False)
class _Work:
    """A part under way: what a lane has of it so far, and whether nobody waits for it any longer."""

    part: Part
    opened: Opened | None = None
    left: bool = False


class Lanes:
    """Looks at parts.

    Args:
        detector: any detector.
        knows: whether an id is recorded already; such a part is not looked at.
        prepare: makes of a result what is judged, in the lane's thread.
    """

    def __init__(
        self, detector: Detector, knows: Callable[[str], bool], prepare: Callable[[Result], Result] = lambda r: r
    ) -> None:
        self._detector, self.lanes = detector.side_by_side()
        self._knows, self._prepare = knows, prepare
        self._pool = ThreadPoolExecutor(self.lanes, "zsad-lane")
        self._slots = threading.BoundedSemaphore(2 * self.lanes + 2)
        self._lock, self._news = threading.Lock(), threading.Event()
        self._under_way: deque[tuple[_Work, Future[Seen]]] = deque()
        self._since: dict[int, float] = {}
        self._idling: Future[None] | None = None

    def put(self, part: Part, *, wait: bool = True, stop: threading.Event | None = None) -> bool:
        """Take a part, from any thread.

        Args:
            part: what to look at.
            wait: wait for room; otherwise return False at once if there is none.
            stop: ends waiting.

        Returns:
            Whether it was taken.
        """
        while not self._slots.acquire(timeout=PATIENCE if wait else 0.001):
            if not wait or (stop is not None and stop.is_set()):
                return False
        work = _Work(part)
        with self._lock:  # in the order in which they are worked on
            self._under_way.append((work, self._pool.submit(self._timed, lambda: self._look(work))))
        self._news.set()
        return True

    @property
    def busy(self) -> int:
        """Parts under way."""
        return len(self._under_way)

    def under_way(self) -> list[Part]:
        """Return the parts under way, in order."""
        with self._lock:
            return [work.part for work, _ in self._under_way]

    def busy_for(self) -> float:
        """Return for how many seconds the longest piece of work has been going on in its lane; 0 without any."""
        return max((time.monotonic() - since for since in list(self._since.values())), default=0.0)

    def finished(self, timeout: float = PATIENCE) -> list[Seen]:
        """Return what is finished, in order: as soon as the first is, with all behind it that are, too.

        Args:
            timeout: seconds that are waited at most.
        """
        if not self._under_way:
            self._news.clear()
            if not self._under_way and not self._news.wait(timeout):
                return []
        wait([self._under_way[0][1]], timeout)
        found: list[Seen] = []
        while self._under_way and len(found) < GROUP and self._under_way[0][1].done():
            found.append(self._take())
        return found

    def give_up(self, budget_ms: float) -> Seen | None:
        """Leave the first part to its lane if it is over its budget, and return it; its room is taken until it ends.

        Args:
            budget_ms: milliseconds since its source saw it.

        Returns:
            The part as late; None if it is in time, or has no id yet by which it could be recorded.
        """
        with self._lock:
            if not self._under_way:
                return None
            work, future = self._under_way[0]
            waited = (time.monotonic() - work.part.born) * 1e3
            if waited <= budget_ms or future.done() or not (work.part.id or work.opened):
                return None
            self._under_way.popleft()
            work.left = True
        future.add_done_callback(lambda _: self._slots.release())
        return Seen(work.part, opened=work.opened, error=f"late: {waited:.0f} ms of {budget_ms:g} ms")

    def _take(self) -> Seen:
        with self._lock:
            _, future = self._under_way.popleft()
        self._slots.release()
        return future.result()

    def warm_up(self) -> None:
        """Look at a grey image in every lane, decoded as files are, so that the first part is as fast as the others."""
        wait([self._pool.submit(self._idle) for _ in range(self.lanes)])

    def keep_alive(self) -> None:
        """Look at a grey image, so that processors and caches do not fall asleep between parts; one at a time."""
        if self._idling is None or self._idling.done():
            self._idling = self._pool.submit(self._timed, self._idle)

    def close(self) -> None:
        """End; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _idle(self) -> None:
        from PIL import Image

        side, file = self._detector.card.input.image_size, BytesIO()
        Image.new("RGB", (side, side), (128, 128, 128)).save(file, "PNG")
        for result in self._detector.batch([file.getvalue()], errors="return"):
            if isinstance(result, Result):
                self._prepare(result)

    def _timed(self, work: Callable[[], _T]) -> _T:
        """Do something in a lane, which then is known to be at it."""
        lane = threading.get_ident()
        self._since[lane] = time.monotonic()
        try:
            return work()
        finally:
            del self._since[lane]

    def _look(self, work: _Work) -> Seen:
        """Open, decode and score one part; a failure of any kind is said in what is returned."""
        part, start, scoring = work.part, time.monotonic(), False
        seen = Seen(part, ms={"wait": (start - part.born) * 1e3})
        if work.left:
            return seen
        try:
            work.opened = opened = part.open()
            seen = replace(seen, opened=opened)
            if self._knows(opened.id):
                return replace(seen, known=True)
            if opened.image is None:
                return replace(seen, error=opened.error or "not read")
            decoded = self._detector.decode(opened.image)
            check_fits(part.source, needed_bytes(decoded))
            read, scoring = time.monotonic(), True
            result = self._detector.batch([decoded], errors="return")[0]
            if not isinstance(result, Result):
                raise result
            prepared = self._prepare(result)
            end = time.monotonic()
            ms = seen.ms | {"read": (read - start) * 1e3, "score": (end - read) * 1e3}
            return replace(seen, decoded=decoded, result=prepared, ms=ms)
        except AgainError:
            return replace(seen, opened=None)
        except Exception as failure:
            broken = scoring and not isinstance(failure, InputError)
            return replace(seen, error=_said(part, failure), broken=broken)


def _said(part: Part, failure: Exception) -> str:
    if isinstance(failure, ZsadError):
        return f"{printable(part.source)}: {str(failure).removeprefix('encoded image: ')}"
    if isinstance(failure, MemoryError):
        return f"{printable(part.source)}: does not fit in memory; cut it up first"
    return f"{printable(part.source)}: unexpected {type(failure).__name__}: {printable(first_line(failure))}"
