"""Sources -> results: decode ahead, small batches, bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.images.preprocess import Decoded
from zsad.stream.ahead import Ready, decode_ahead
from zsad.stream.sources import Source
from zsad.types import Result

BATCH = 4
"""Images that go through the network together, where one thread feeds it; where several do, each brings one."""
READERS = 2
WAITING_PIXELS = 64_000_000
"""Pixels that wait decoded, and that go through the network together: 200 MB of RGB."""


@dataclass(frozen=True)
class Inspected:
    """One input after inspection: image and result, or the reason why there is none.

    Attributes:
        source: which input.
        image: the decoded image, or None.
        result: what was found, or None.
        error: one line, or ``""``.
        ms: milliseconds from file to result: its own decoding and its share of the batch.
    """

    source: Source
    image: Decoded | None = None
    result: Result | None = None
    error: str = ""
    ms: float = 0.0


def inspect(
    detector: Detector, sources: Sequence[Source], *, batch_size: int | None = None, readers: int = READERS
) -> Generator[Inspected, None, None]:
    """Run a detector over many files, decoding ahead of it in threads, in as many lanes as it is good for.

    Args:
        detector: any detector.
        sources: what to read, see :func:`zsad.stream.find_images`.
        batch_size: images that go through the network together, at least 1; by default what is fastest.
        readers: decoding threads, at least 1.

    Yields:
        One entry per source, in order; a file that can't be used is an entry with its error.
    """
    worker, lanes = detector.side_by_side() if len(sources) > 1 else (detector, 1)
    size = batch_size or (BATCH if lanes == 1 else 1)
    ready = decode_ahead(
        detector.decode, sources, readers=readers, ahead=2 * lanes * size + readers, pixels=WAITING_PIXELS
    )
    under_way: deque[Future[list[Inspected]]] = deque()
    with ThreadPoolExecutor(lanes, "zsad-lane") as pool:
        try:
            for chunk in _chunks(ready, size, WAITING_PIXELS // lanes):
                under_way.append(pool.submit(_inspect_chunk, worker, chunk))
                del chunk  # its pixels are to be free as soon as they are no longer needed
                if len(under_way) > lanes - 1:
                    yield from _emptied(under_way.popleft().result())
            while under_way:
                yield from _emptied(under_way.popleft().result())
        finally:
            ready.close()


def _emptied(items: list[Inspected]) -> Iterator[Inspected]:
    """Yield items in order without holding on to those that were yielded."""
    items.reverse()
    while items:
        yield items.pop()


def _chunks(ready: Iterator[Ready], size: int, most: int) -> Iterator[list[Ready]]:
    chunk: list[Ready] = []
    images = pixels = 0
    for item in ready:
        chunk.append(item)
        images += item.decoded is not None
        pixels += item.pixels
        if images >= size or len(chunk) >= 8 * size or pixels >= most:
            yield chunk
            chunk, images, pixels = [], 0, 0
    if chunk:
        yield chunk


def _inspect_chunk(detector: Detector, chunk: Sequence[Ready]) -> list[Inspected]:
    images = [item.decoded for item in chunk if item.decoded is not None]
    start = time.perf_counter()
    try:
        results = iter(detector.batch(images, errors="return") if images else ())
    except MemoryError:
        results = iter(_one_by_one(detector, images))
    share = (time.perf_counter() - start) * 1e3 / max(1, len(images))
    return [_entry(item, next(results) if item.decoded is not None else None, share) for item in chunk]


def _entry(item: Ready, result: Result | InputError | None, share: float) -> Inspected:
    if result is None:
        return Inspected(item.source, error=item.error, ms=item.ms)
    if isinstance(result, InputError):
        return Inspected(item.source, error=str(result), ms=item.ms + share)
    return Inspected(item.source, item.decoded, result, ms=item.ms + share)


def _one_by_one(detector: Detector, images: Sequence[Decoded]) -> Iterator[Result | InputError]:
    """Yield what fits in memory, image by image; an image that does not is its own failure."""
    for image in images:
        try:
            yield from detector.batch([image], errors="return")
        except MemoryError:
            yield InputError(f"{image.name}: does not fit in memory; cut it up first")
