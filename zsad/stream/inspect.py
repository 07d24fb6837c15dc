"""Items -> results of a detector: the flow with decoding before it and the detector in its lanes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence, Sized
from dataclasses import replace
from typing import TypeAlias

from zsad.detector.base import BATCH, Detector
from zsad.errors import InputError
from zsad.images.preprocess import Decoded
from zsad.stream.flow import READERS, Outcome, flow
from zsad.stream.item import Item
from zsad.stream.memory import DRAWING, Budget, image_bytes, opening_bytes
from zsad.types import Result

Inspected: TypeAlias = Outcome[Item, Decoded, Result]
"""One input after inspection: decoded image and result, or its failure."""


def inspect(
    detector: Detector,
    items: Iterable[Item],
    *,
    batch_size: int | None = None,
    readers: int = READERS,
    budget: Budget | None = None,
) -> Generator[Inspected, None, None]:
    """Run a detector over many images, decoding ahead of it in threads, in as many lanes as it is good for.

    Args:
        detector: any detector.
        items: what to read, see :mod:`zsad.stream.sources`.
        batch_size: images that go through the network together, at least 1; by default what is fastest.
        readers: decoding threads, at least 1.
        budget: see :func:`zsad.stream.flow.flow`.

    Yields:
        One outcome per item, in order; an image that can't be used is one with its failure.
    """
    alone = isinstance(items, Sized) and len(items) < 2
    worker, lanes = (detector, 1) if alone else detector.side_by_side()
    together = batch_size or (BATCH if lanes == 1 else 1)

    def work(images: Sequence[Decoded]) -> list[Result | InputError]:
        return worker.batch(images, errors="return", batch_size=together)

    def weigh(item: Item) -> int:
        return opening_bytes(item.file) if item.file and not item.error else 0

    def decode(item: Item) -> Decoded:
        decoded = detector.decode(item.open())
        return decoded if decoded.name else replace(decoded, name=item.id)

    return flow(items, decode, work, lanes=lanes, batch_size=together, readers=readers, size=decoded_bytes,
                need=needed_bytes, weigh=weigh, budget=budget)  # fmt: skip


def decoded_bytes(decoded: Decoded) -> int:
    """Return the bytes that a decoded image takes."""
    return image_bytes(decoded.image)


def needed_bytes(decoded: Decoded) -> int:
    """Return the bytes that an image takes with its map and with the drawing of both."""
    return image_bytes(decoded.image) + DRAWING * decoded.image.width * decoded.image.height
