"""Memory of normal patches: how far each patch of an image is from the nearest one that good images have shown.

Source: PatchCore (Roth et al., CVPR 2022) for the memory and its coreset; AnomalyDINO (Damm et al., WACV 2025) for
cosine distances of frozen DINO patches and the score as the mean of the highest 1 %.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from zsad.card import ModelCard
from zsad.errors import ModelError
from zsad.scoring.foreground import Foreground
from zsad.scoring.smoothing import top_count
from zsad.types import FloatArray

BLOCK = 1024
"""Patches of the memory that are compared at a time: their cosines with an image stay in the processor's cache."""
SIGMA = 4.0
"""Gaussian of the map in pixels at S x S, as published."""


@dataclass(frozen=True)
class Memory:
    """Normal patches of each feature layer.

    Attributes:
        layers: arrays of float32 unit vectors ``(M, D)``, rounded to float16, of the last feature layers of its model,
            or of all of them; M may differ.
        scale: smoothed distance in [0, 1] that becomes 1/2 on the map; the highest that good images show each other.
        foreground: what tells the part from its background, or None where all patches count.
        images: SHA-256 of each good image that it was made of; empty where that is not known.
        pixels: SHA-256 of their pixels, in the same order; empty, or ``""`` in places, where that is not known.
        owners: L arrays ``(M,)``: which of the images each patch is from; empty where that is not known.

    Raises:
        ModelError: no layer, a layer without a patch, layers of several widths, or a scale that is not positive.
    """

    layers: tuple[FloatArray, ...] = field(repr=False)
    scale: float = 0.1
    foreground: Foreground | None = None
    images: tuple[str, ...] = field(default=(), repr=False)
    owners: tuple[npt.NDArray[np.int32], ...] = field(default=(), repr=False, compare=False)
    pixels: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        shapes = [layer.shape for layer in self.layers]
        if not shapes or any(len(s) != 2 or 0 in s or s[1] != shapes[0][1] for s in shapes):
            raise ModelError(f"a memory is (M, D) patches for each feature layer, got {shapes}; fit it again")
        if not all(np.isfinite(layer).all() for layer in self.layers) or not 0 < self.scale < float("inf"):
            raise ModelError("a memory must be finite, with a scale above 0; fit it again")

    @property
    def name(self) -> str:
        """What tells it from another, for cards and rows."""
        digest = hashlib.sha256(repr((self.scale, self.foreground and self.foreground.threshold)).encode())
        if self.foreground is not None:
            digest.update(self.foreground.direction.astype(np.float32).tobytes())
        for layer in self.layers:
            digest.update(layer.astype(np.float16).tobytes())
        return f"good parts {digest.hexdigest()[:12]}"

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each image that it was made of, by the SHA-256 of its file and by that of its pixels."""
        known = [(sha256, number) for each in (self.pixels, self.images) for number, sha256 in enumerate(each)]
        return {sha256: number for sha256, number in known if sha256}

    def without(self, image: int) -> Memory:
        """Return the memory as if it had not seen one of its images; its scale stays.

        Args:
            image: number of the image in :attr:`images`.

        Raises:
            ModelError: it does not know which patches are whose, or nothing is left without that image.
        """
        if not self.owners:
            raise ModelError("this memory does not say which patch is of which image; fit it again")
        kept = [owner != image for owner in self.owners]
        if not all(rows.any() for rows in kept):
            raise ModelError("a memory of one good image has nothing without it; fit it to more")
        layers = tuple(layer[rows] for layer, rows in zip(self.layers, kept, strict=True))
        owners = tuple(owner[rows] for owner, rows in zip(self.owners, kept, strict=True))
        return replace(self, layers=layers, owners=owners)

    def fits(self, card: ModelCard) -> bool:
        """Whether it was made of features of this shape."""
        D = card.reading.embed_dim
        along = self.foreground is None or self.foreground.direction.shape == (D,)
        return along and len(self.layers) <= len(card.reading.layers) and self.layers[0].shape[1] == D


def distances(patches: FloatArray, memory: Memory) -> FloatArray:
    """Return how far the patches of one image are from a memory.

    Args:
        patches: ``(L, N, D)``, not normalised.
        memory: of the last of these layers, or of all.

    Returns:
        float32 ``(N,)`` in [0, 1]: ``(1 - cosine) / 2`` with the nearest, mean over layers; 0 off the foreground.
    """
    units = unit(patches[-len(memory.layers) :])
    each = [(1 - nearest(u, layer)) / 2 for u, layer in zip(units, memory.layers, strict=True)]
    found = np.clip(np.mean(each, axis=0, dtype=np.float32), 0.0, 1.0)  # (N,)
    return found if memory.foreground is None else found * memory.foreground.mask(units[-1])


def nearest(patches: FloatArray, memory: FloatArray, block: int = BLOCK) -> FloatArray:
    """Return the highest cosine of each patch with a memory, exactly, block by block.

    Args:
        patches: unit vectors ``(N, D)``, float32.
        memory: unit vectors ``(M, D)``, float32.
        block: patches of the memory that are compared at a time.

    Returns:
        float32 ``(N,)`` in [-1, 1] up to rounding.
    """
    best = np.full(len(patches), -1.0, np.float32)
    other = np.ascontiguousarray(patches.T)  # (D, N)
    room = np.empty((min(block, len(memory)), len(patches)), np.float32)  # one place for all blocks
    for start in range(0, len(memory), block):
        part = memory[start : start + block]
        cosine = np.matmul(part, other, out=room[: len(part)])  # (block, N)
        np.maximum(best, cosine.max(axis=0), out=best)
    return best


def unit(x: FloatArray) -> FloatArray:
    """Return vectors ``(..., D)`` at length 1; float32, a zero vector stays zero."""
    x = np.asarray(x, dtype=np.float32)
    units: FloatArray = x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), np.float32(1e-12))
    return units


def half(x: FloatArray) -> FloatArray:
    """Return unit vectors as they are stored: rounded to float16, in float32."""
    return unit(x).astype(np.float16).astype(np.float32)


def spread(smooth: FloatArray, scale: float) -> FloatArray:
    """Draw distances in [0, 1] over [0, 1]: ``d / (d + scale)``, which keeps their order; ``scale`` becomes 1/2.

    >>> [round(float(x), 3) for x in spread(np.array([0.0, 0.1, 0.3], np.float32), 0.1)]
    [0.0, 0.5, 0.75]
    """
    return np.asarray(smooth / (smooth + np.float32(scale)), dtype=np.float32)


def highest(maps: FloatArray) -> FloatArray:
    """Return the mean of each map's highest 1 %: ``(B, S, S)`` -> float32 ``(B,)``."""
    count = top_count(maps.shape[-1])
    flat = maps.reshape(len(maps), -1)
    return np.asarray(np.partition(flat, -count, axis=1)[:, -count:].mean(axis=1), dtype=np.float32)
