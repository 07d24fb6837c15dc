"""Decode ahead of inference: reader threads with bounded memory, results in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from zsad.errors import InputError
from zsad.images.preprocess import Decoded
from zsad.stream.sources import Source

_PATIENCE = 0.2
"""Seconds of one wait: without an end, Ctrl-C would not be noticed on every system."""


@dataclass(frozen=True)
class Ready:
    """A source after decoding: an image, or the reason why there is none.

    Attributes:
        source: which input.
        decoded: the image, or None.
        error: one line, or ``""``.
        ms: milliseconds that decoding took.
    """

    source: Source
    decoded: Decoded | None
    error: str
    ms: float

    @property
    def pixels(self) -> int:
        """Number of pixels held in memory."""
        return self.decoded.image.width * self.decoded.image.height if self.decoded else 0


def decode_ahead(
    decode: Callable[[str], Decoded], sources: Iterable[Source], *, readers: int, ahead: int, pixels: int
) -> Generator[Ready, None, None]:
    """Decode images in threads while the caller works on earlier ones.

    Args:
        decode: called in the reader threads; InputError is what it may raise.
        sources: what to read.
        readers: number of threads, at least 1.
        ahead: most images that wait decoded.
        pixels: no new image is begun while this many pixels wait; at most one image per reader above it.

    Yields:
        One entry per source, in order.
    """
    shelf = _Shelf(iter(sources), ahead, pixels)
    threads = [
        threading.Thread(target=_read, args=(shelf, decode), name=f"zsad-reader-{i}", daemon=True)
        for i in range(readers)
    ]
    for thread in threads:
        thread.start()
    try:
        while (ready := shelf.give()) is not None:
            yield ready
    finally:
        shelf.close()
        for thread in threads:
            thread.join(timeout=10)


class _Shelf:
    """What readers have put down and the caller has not yet taken; every method is thread-safe."""

    def __init__(self, sources: Iterator[Source], ahead: int, pixels: int) -> None:
        self._sources, self._ahead, self._pixels = enumerate(sources), ahead, pixels
        self._change = threading.Condition()
        self._waiting: dict[int, Ready] = {}
        self._held = self._begun = self._given = 0
        self._closed = self._exhausted = False
        self._failure: BaseException | None = None

    def begin(self) -> tuple[int, Source] | None:
        """Wait until there is room, then hand out the next source; None when nothing is left to do."""
        with self._change:
            while not (self._closed or self._exhausted or self._has_room()):
                self._change.wait(_PATIENCE)
            if self._closed or self._exhausted:
                return None
            item = next(self._sources, None)
            if item is None:
                self._exhausted = True
                self._change.notify_all()
                return None
            self._begun += 1
            return item

    def put(self, index: int, ready: Ready) -> None:
        """Put down what was decoded."""
        with self._change:
            self._waiting[index] = ready
            self._held += ready.pixels
            self._change.notify_all()

    def fail(self, failure: BaseException) -> None:
        """Pass an error that is no input's fault on to the caller."""
        with self._change:
            self._failure = failure
            self._change.notify_all()

    def give(self) -> Ready | None:
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
            self._held -= ready.pixels
            self._change.notify_all()
            return ready

    def close(self) -> None:
        """Let the readers end after the image that they are at."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()

    def _has_room(self) -> bool:
        return self._begun - self._given < self._ahead and self._held < self._pixels


def _read(shelf: _Shelf, decode: Callable[[str], Decoded]) -> None:
    try:
        while (item := shelf.begin()) is not None:
            index, source = item
            shelf.put(index, _decode(source, decode))
    except BaseException as failure:
        shelf.fail(failure)


def _decode(source: Source, decode: Callable[[str], Decoded]) -> Ready:
    if source.error:
        return Ready(source, None, source.error, 0.0)
    start = time.perf_counter()
    try:
        decoded = decode(source.path)
    except InputError as error:
        return Ready(source, None, str(error), (time.perf_counter() - start) * 1e3)
    return Ready(source, decoded, "", (time.perf_counter() - start) * 1e3)
