"""An unlabelled batch, or a stream of the last images: a detector whose images are scored against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.fitting.reading import read_good
from zsad.scoring.mutual import MOST, SIDES, HalfArray, MutualScorer, RingScorer, views_of
from zsad.stream import Item

D = TypeVar("D", bound=Detector)

BUDGET = 1_000_000_000
"""Bytes that the images of a pool take together, at most."""


def mutual_detector(
    detector: D, items: Sequence[Item], *, seed: int = 0, most: int = MOST, step: Callable[[], None] = lambda: None
) -> D:
    """Return a detector that scores each image against others of a batch.

    Args:
        detector: any that gives features.
        items: the batch.
        seed: by which the others are drawn, if there are more than ``most``.
        most: images that each one is compared with, at most; fewer where features are large, see :data:`BUDGET`.
        step: called after each image that is read.

    Raises:
        InputError: fewer than two images can be used.
        ModelError: the detector gives no features.
    """
    drawn = np.random.default_rng([seed, 8]).permutation(len(items))[: _fitting(detector, most)]
    pool = _read(detector, [items[i] for i in sorted(drawn)], step)
    return detector.with_scorer(MutualScorer(pool, detector.card))


def ring_detector(detector: D, first: Sequence[Item], *, last: int = 50, step: Callable[[], None] = lambda: None) -> D:
    """Return a detector that scores each image against the last ones before it, as a stream brings them.

    Args:
        detector: any that gives features.
        first: the first images of the stream, or others like them; the first are compared with these.
        last: images that are kept, at least 2.
        step: called after each image that is read.

    Raises:
        InputError: fewer than two images can be used.
        ModelError: the detector gives no features.
        UsageError: fewer than two images are to be kept.
    """
    if last < 2:
        raise UsageError(f"the last {last} images are too few to compare with: give at least 2")
    kept = _fitting(detector, last)
    return detector.with_scorer(RingScorer(_read(detector, first[:kept], step), detector.card, kept))


def _fitting(detector: Detector, most: int) -> int:
    """Return how many images fit into the budget, at most ``most`` and at least 2."""
    card = detector.card
    each = 2 * len(SIDES) * len(card.reading.layers) * card.grid**2 * card.reading.embed_dim
    return max(2, min(most, BUDGET // each))


def _read(detector: Detector, items: Sequence[Item], step: Callable[[], None]) -> list[HalfArray]:
    found = []
    for seen in read_good(detector, items, 1):
        step()
        if not seen.error:  # it is told when its turn comes
            found.append(views_of(seen.units[0].astype(np.float32)))
    return found
