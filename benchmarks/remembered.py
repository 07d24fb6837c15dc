"""An ONNX detector that keeps what its network gave for each image: seeds and modes then share one pass over a set."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zsad.detector.base import Detector
from zsad.detector.loading import load_base
from zsad.detector.onnx_detector import CLS, PATCHES, OnnxDetector
from zsad.images.preprocess import network_input
from zsad.scoring.memory import unit
from zsad.types import FloatArray

LIMIT = 6_000_000_000
"""Bytes that are kept; what comes after is computed each time."""


class Remembering(OnnxDetector):
    """The same detector; its copies with other scorers keep in one place."""

    def __init__(self, source: str, threads: int | None = None) -> None:
        super().__init__(source, threads=threads)
        self._kept: dict[bytes, dict[str, FloatArray]] = {}
        self._held = [0]

    def forget(self) -> None:
        """Let go of everything, as at the end of a set."""
        self._kept.clear()
        self._held[0] = 0

    def learn(self, images: Sequence[str | Path], kept: Path | None) -> None:
        """Read patches of many images once: from a file of float16 unit vectors, or into it.

        Class features are not kept; a memory doesn't use them.

        Args:
            images: in the order of the file.
            kept: a ``.npy`` file ``(n, L, N, D)``, or None.
        """
        card = self._card
        shape = (len(images), len(card.reading.layers), card.grid**2, card.reading.embed_dim)
        there = kept is not None and kept.exists()
        table = np.load(kept, mmap_mode="r") if kept is not None and there else np.zeros(shape, np.float16)
        for row, image in enumerate(images):
            x = network_input(self.decode(image).image, card)
            if not there:
                table[row] = unit(super()._run([PATCHES], x[None])[0][0])
            patches = table[row].astype(np.float32)
            self._kept[_key(x)] = {PATCHES: patches, CLS: np.zeros(card.reading.embed_dim, np.float32)}
        if kept is not None and not there:
            np.save(kept, table)

    def _run(self, outputs: list[str], x: FloatArray) -> list[FloatArray]:
        found = [self._one(image) for image in x]
        return [np.stack([one[name] for one in found]) for name in outputs]

    def _one(self, image: FloatArray) -> dict[str, FloatArray]:
        key = _key(image)
        kept = self._kept.get(key)
        if kept is None:
            names = [entry.name for entry in self._session.get_outputs()]
            kept = {name: value[0] for name, value in zip(names, super()._run(names, image[None]), strict=True)}
            if self._held[0] < LIMIT:
                self._held[0] += sum(value.nbytes for value in kept.values())
                self._kept[key] = kept
        return kept


def _key(image: FloatArray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def remembering(model: str | None, threads: int | None = None) -> Detector:
    """Load a model for its features; one in an ONNX file remembers."""
    detector = load_base(model)
    if isinstance(detector, OnnxDetector) and not isinstance(detector.source, bytes):
        return Remembering(str(detector.source), threads)
    return detector
