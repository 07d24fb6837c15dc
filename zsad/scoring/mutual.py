"""Images of one unlabelled batch against each other: most parts are alike, what few others have is anomalous.

This breaks the rule that nothing of one image depends on another: whatever shows such scores says ``mutual``.

Source: MuSc (Li et al., ICLR 2024): neighbourhoods of several sizes (LNAMD), and the mean over the lowest share of the
distances to the other images (MSM).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zsad.card import CardScoring, ModelCard
from zsad.errors import InputError
from zsad.scoring.memory import SIGMA, highest, spread, unit
from zsad.scoring.smoothing import smoothing_matrix
from zsad.types import Features, FloatArray

HalfArray = npt.NDArray[np.float16]

SIDES = (1, 3)
"""Sides of the neighbourhoods of patches that are averaged before they are compared."""
SHARE = 0.3
"""Lowest share of the distances to other images that is averaged: a defect may have a few of its like."""
MOST = 200
"""Other images that each one is compared with, at most."""
SAME = 0.9995
"""Mean cosine of patches at the same places from which two images are one picture."""
_SCALED_ON = 12


def views_of(patches: FloatArray) -> HalfArray:
    """Return what is kept of an image: ``(L, N, D)`` -> float16 units ``(R, L, N, D)`` of each neighbourhood."""
    units = unit(patches)
    return np.stack([unit(neighbourhoods(units, side)) for side in SIDES]).astype(np.float16)


def neighbourhoods(patches: FloatArray, side: int) -> FloatArray:
    """Average each patch ``(L, N, D)`` with those around it, ``side`` x ``side``; at the border with what is there."""
    if side == 1:
        return patches
    L, N, D = patches.shape
    G, reach = round(N**0.5), side // 2
    padded = np.pad(patches.reshape(L, G, G, D), ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    inside = np.pad(np.ones((G, G), np.float32), reach)
    shifts = [(i, j) for i in range(side) for j in range(side)]
    total = sum(padded[:, i : i + G, j : j + G] for i, j in shifts)
    count = sum(inside[i : i + G, j : j + G] for i, j in shifts)
    return np.asarray(total / np.asarray(count)[None, :, :, None], dtype=np.float32).reshape(L, N, D)


class MutualScorer:
    """Scores each image by its distance to the images of a pool; a pool's image that is the same picture is left out.

    The distance of a patch to another image is ``(1 - c) / 2`` with c its highest cosine there; of these, the lowest
    share is averaged, over neighbourhoods and feature layers, too. Map and score are then as those of a memory.

    Args:
        pool: what :func:`views_of` keeps of each image, at least two.
        card: of the model whose features are scored.

    Raises:
        InputError: fewer than two images.
    """

    def __init__(self, pool: Iterable[HalfArray], card: ModelCard) -> None:
        self._pool: deque[HalfArray] = deque(pool)
        if len(self._pool) < 2:
            raise InputError("mutual scores need at least 2 images that can be used; give more, or leave --mutual out")
        self._card = card
        self._smoothing = smoothing_matrix(card.input.image_size, card.grid, SIGMA).astype(np.float32)  # (S, G)
        step = max(1, len(self._pool) // _SCALED_ON)
        some = list(self._pool)[::step][:_SCALED_ON]
        far = [float(highest(self._smoothed(one, list(self._pool))[None])[0]) for one in some]
        self._scale = max(2 * float(np.median(far)), 1e-4)

    def card(self) -> CardScoring:
        """Return the scoring group of the card; it says ``mutual``."""
        what = f"{len(self._pool)} other images"
        return CardScoring(head="mutual", prompt=what, sigma=SIGMA, score_rule="map_top1")

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Score images against the pool: ``(B, S, S)`` and ``(B,)``, in [0, 1].

        Raises:
            InputError: the pool has no other picture than an image itself.
        """
        pool = list(self._pool)
        maps = np.stack([spread(self._smoothed(self._views(p), pool), self._scale) for p in features.patches])
        return maps, highest(maps)

    def _views(self, patches: FloatArray) -> HalfArray:
        return views_of(patches[-self._pool[0].shape[1] :])  # a pool is of the last layers, or of all

    def _smoothed(self, views: HalfArray, pool: Sequence[HalfArray]) -> FloatArray:
        grid = mutual_distances(views, pool).reshape(self._card.grid, self._card.grid)
        return np.clip(self._smoothing @ grid @ self._smoothing.T, 0.0, 1.0)


class RingScorer(MutualScorer):
    """Scores each image against the last images before it, as they come; images must come one after another.

    Args:
        first: what :func:`views_of` keeps of the first images, against which the first are scored, at least two.
        card: of the model whose features are scored.
        last: images that are kept.
    """

    in_order = True

    def __init__(self, first: Iterable[HalfArray], card: ModelCard, last: int = MOST) -> None:
        super().__init__(first, card)
        self._pool = deque(self._pool, maxlen=last)
        self._turn = threading.Lock()

    def card(self) -> CardScoring:
        """Return the scoring group of the card; it says ``mutual``."""
        return replace(super().card(), prompt=f"the last {self._pool.maxlen} images")

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Score images against those before them, then keep them; as :meth:`MutualScorer.score`."""
        maps = []
        with self._turn:
            for patches in features.patches:
                views = self._views(patches)
                maps.append(spread(self._smoothed(views, list(self._pool)), self._scale))
                if not any(same_picture(views, other) for other in self._pool):
                    self._pool.append(views)
        return np.stack(maps), highest(np.stack(maps))


def mutual_distances(views: HalfArray, pool: Sequence[HalfArray]) -> FloatArray:
    """Return how far the patches of one image are from the other images of a pool.

    Args:
        views: what :func:`views_of` keeps of the image.
        pool: the same of others; what is the same picture does not count.

    Returns:
        float32 ``(N,)`` in [0, 1].

    Raises:
        InputError: no other picture in the pool.
    """
    others = [other for other in pool if not same_picture(views, other)]
    if not others:
        raise InputError("all images of the batch are the same picture; mutual scores need different ones")
    mine = views.astype(np.float32)
    found = np.stack([_to(mine, other) for other in others])  # (P, R, L, N)
    count = max(1, int(len(others) * SHARE))
    lowest = np.partition(found, count - 1, axis=0)[:count].mean(axis=0)  # (R, L, N)
    return np.asarray(np.clip(lowest.mean(axis=(0, 1)), 0.0, 1.0), dtype=np.float32)


def same_picture(views: HalfArray, other: HalfArray) -> bool:
    """Whether two images have the same patches at the same places."""
    a, b = views[0, -1].astype(np.float32), other[0, -1].astype(np.float32)
    return a.shape == b.shape and float((a * b).sum(axis=-1).mean()) > SAME


def _to(mine: FloatArray, other: HalfArray) -> FloatArray:
    """Return the distance of each patch to the nearest one of another image: ``(R, L, N)``."""
    theirs = other.astype(np.float32)
    R, L, N, _ = mine.shape
    found = np.empty((R, L, N), np.float32)
    for r in range(R):
        for layer in range(L):
            found[r, layer] = (1 - (theirs[r, layer] @ mine[r, layer].T).max(axis=0)) / 2
    return found
