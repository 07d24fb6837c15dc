"""Sources -> results: decode ahead, small batches, bounded memory."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from zsad.batch.ahead import Ready, decode_ahead
from zsad.batch.find import Source
from zsad.errors import InputError
from zsad.pipeline import Pipeline
from zsad.preprocess import Decoded
from zsad.types import Result

BATCH = 4
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
    detector: Pipeline, sources: Sequence[Source], *, batch_size: int = BATCH, readers: int = READERS
) -> Generator[Inspected, None, None]:
    """Run a detector over many files, decoding ahead of it in threads.

    Args:
        detector: any detector.
        sources: what to read, see :func:`zsad.batch.find_images`.
        batch_size: images that go through the network together, at least 1.
        readers: decoding threads, at least 1.

    Yields:
        One entry per source, in order; a file that can't be used is an entry with its error.
    """
    ready = decode_ahead(
        detector.decode, sources, readers=readers, ahead=2 * batch_size + readers, pixels=WAITING_PIXELS
    )
    try:
        for chunk in _chunks(ready, batch_size):
            yield from _inspect_chunk(detector, chunk)
    finally:
        ready.close()


def _chunks(ready: Iterator[Ready], size: int) -> Iterator[list[Ready]]:
    chunk: list[Ready] = []
    images = pixels = 0
    for item in ready:
        chunk.append(item)
        images += item.decoded is not None
        pixels += item.pixels
        if images >= size or len(chunk) >= 8 * size or pixels >= WAITING_PIXELS:
            yield chunk
            chunk, images, pixels = [], 0, 0
    if chunk:
        yield chunk


def _inspect_chunk(detector: Pipeline, chunk: Sequence[Ready]) -> Iterator[Inspected]:
    images = [item.decoded for item in chunk if item.decoded is not None]
    start = time.perf_counter()
    try:
        results = iter(detector.batch(images, errors="return") if images else ())
    except MemoryError:
        results = iter(_one_by_one(detector, images))
    share = (time.perf_counter() - start) * 1e3 / max(1, len(images))
    for item in chunk:
        if item.decoded is None:
            yield Inspected(item.source, error=item.error, ms=item.ms)
            continue
        result = next(results)
        if isinstance(result, InputError):
            yield Inspected(item.source, error=str(result), ms=item.ms + share)
        else:
            yield Inspected(item.source, item.decoded, result, ms=item.ms + share)


def _one_by_one(detector: Pipeline, images: Sequence[Decoded]) -> Iterator[Result | InputError]:
    """Yield what fits in memory, image by image; an image that does not is its own failure."""
    for image in images:
        try:
            yield from detector.batch([image], errors="return")
        except MemoryError:
            yield InputError(f"{image.name}: does not fit in memory; cut it up first")
