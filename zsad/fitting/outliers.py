"""Which good images are unlike the others, as one with a defect is: each against the memory without its own patches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zsad.detector.base import Detector
from zsad.fitting.reading import HalfArray, Seen, read_good
from zsad.scoring import MemoryScorer
from zsad.scoring.memory import distances, highest
from zsad.stream import Item

Rows = Sequence[npt.NDArray[np.int64]]

MEASURED = 64
"""Good images whose distance to the others sets the scale, at most."""
COMPARED = 2000
"""Good images that are compared with the others to name those that are unlike them, at most."""
ROOM = 128_000_000
"""Bytes of features that are kept for it; what is beyond is read once more."""


class Samples:
    """Good images that are to be compared with the memory, once it is there.

    Args:
        images: how many good images are to come.
        seed: by which those that are compared are drawn, where there are more than :data:`COMPARED`.

    Attributes:
        far: how far each of those that set the scale is from the others, by number; see :meth:`measure`.
    """

    def __init__(self, images: int, seed: int) -> None:
        order = np.random.default_rng([seed, 6]).permutation(images).tolist()
        self._scale, self._compared = set(order[:MEASURED]), set(order[:COMPARED])
        self._units: dict[int, HalfArray] = {}
        self._later: dict[int, Item] = {}
        self._images, self._bytes = images, 0
        self.far: dict[int, float] = {}

    def take(self, number: int, seen: Seen) -> None:
        """Keep what is needed of one image."""
        if number not in self._compared:
            return
        units = seen.units[0]
        if number in self._scale or self._bytes + units.nbytes <= ROOM:
            self._units[number] = units.copy()  # without its other views
            self._bytes += units.nbytes
        else:
            self._later[number] = seen.item

    def measure(self, scorer: MemoryScorer, rows: Rows) -> None:
        """Measure the images that set the scale; ``rows`` are the images that each layer's patches are from."""
        self.far = dict(_far(scorer, rows, ((n, self._units[n]) for n in sorted(self._scale & set(self._units)))))

    def compare(
        self, detector: Detector, scorer: MemoryScorer, rows: Rows, step: Callable[[], None]
    ) -> dict[int, float]:
        """Return how far each compared image is from the others; ``step`` is called after each that took work."""
        found = dict(self.far)
        for number, distance in _far(scorer, rows, self._others(detector)):
            found[number] = distance
            step()
        return found

    def told(self) -> list[str]:
        """Say that not all were compared, if so."""
        if self._images <= COMPARED:
            return []
        return [f"{COMPARED:,} of {self._images:,} good images, drawn by seed, were compared with the others: "
                "a defect in one of the rest is not named"]  # fmt: skip

    def _others(self, detector: Detector) -> Iterator[tuple[int, HalfArray]]:
        yield from ((n, units) for n, units in self._units.items() if n not in self._scale)
        with closing(read_good(detector, list(self._later.values()), 1)) as again:
            for number, seen in zip(self._later, again, strict=True):
                if not seen.error:  # it has changed since; its patches are in the memory all the same
                    yield number, seen.units[0]


def _far(scorer: MemoryScorer, rows: Rows, images: Iterator[tuple[int, HalfArray]]) -> Iterator[tuple[int, float]]:
    """Yield how far images are from the memory without their own patches, where anything is left of it."""
    for index, units in images:
        others = [layer[row != index] for layer, row in zip(scorer.memory.layers, rows, strict=True)]
        if all(len(layer) for layer in others):
            memory = replace(scorer.memory, layers=tuple(others))
            yield index, float(highest(scorer.smoothed(distances(units.astype(np.float32), memory))[None])[0])


def unlike(far: dict[int, float]) -> set[int]:
    """Return the images that are far from all others, as one with a defect is: by median and median deviation.

    >>> unlike({0: 0.1, 1: 0.11, 2: 0.1, 3: 0.12, 4: 0.3})
    {4}
    """
    if len(far) < 4:
        return set()
    values = np.array(list(far.values()))
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    limit = max(middle + 5 * spread, 1.5 * middle)
    return {index for index, value in far.items() if value > limit}
