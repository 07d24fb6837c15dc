"""Which images of a run are shown with an exhibit: those with the highest scores, and a random choice of the others."""

from __future__ import annotations

import hashlib
import heapq
from typing import Generic, TypeVar

T = TypeVar("T")

HIGHEST, RANDOM = 200, 50
"""How many of each kind there are at most."""


class Choice(Generic[T]):
    """Chooses while images come, and holds on to no more than it has chosen.

    The choice of the others is the same in each run: an image's lot depends on its link only.
    """

    def __init__(self) -> None:
        # Heaps, lowest first: (score, -index, lot, item) and (lot, index, item). Of equal scores, the first stay.
        self._highest: list[tuple[float, int, float, T]] = []
        self._random: list[tuple[float, int, T]] = []

    def wants(self, link: str, score: float) -> bool:
        """Whether an image is chosen, as far as is known now: those that are in the end are among these."""
        if len(self._highest) < HIGHEST or score > self._highest[0][0]:
            return True
        return len(self._random) < RANDOM or _lot(link) > self._random[0][0]

    def add(self, index: int, link: str, score: float, item: T) -> None:
        """Consider an image.

        Args:
            index: its place in the run, rising.
            link: what its lot is drawn from.
            score: how high it stands.
            item: what to keep of it.
        """
        entry = (score, -index, _lot(link), item)
        if len(self._highest) < HIGHEST:
            heapq.heappush(self._highest, entry)
            return
        # Each image that is not among the highest draws one lot; the highest lots are a uniform choice.
        _, negative, lot, item = heapq.heappushpop(self._highest, entry)
        if len(self._random) < RANDOM:
            heapq.heappush(self._random, (lot, -negative, item))
        else:
            heapq.heappushpop(self._random, (lot, -negative, item))

    def highest(self) -> list[tuple[int, T]]:
        """Return index and item of the highest, the highest first."""
        return [(-entry[1], entry[3]) for entry in sorted(self._highest, key=lambda entry: entry[:2], reverse=True)]

    def random(self) -> list[tuple[int, T]]:
        """Return index and item of the random others, in the order of the run."""
        return sorted(((index, item) for _, index, item in self._random), key=lambda entry: entry[0])


def _lot(link: str) -> float:
    """Draw a number in [0, 1) that depends on the image's link only: the same choice in each run."""
    return int.from_bytes(hashlib.blake2b(link.encode(), digest_size=6).digest()) / 2**48
