"""Vectors of pictures and texts in one space, for retrieval: the project's CLIP towers, or any with two methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from zsad.errors import ModelError, ZsadError

if TYPE_CHECKING:
    from PIL import Image

    from zsad.detector.base import Detector

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Anything that gives vectors."""

    @property
    def name(self) -> str:
        """What tells its vectors from others'; part of what they are kept under."""

    @property
    def has_texts(self) -> bool:
        """Whether it takes texts."""

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return one vector per RGB picture, (N, D)."""

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return one vector per text, (N, D), in the space of the pictures."""


class ClipEmbedder:
    """The towers of a detector: pictures by its features, texts by its text tower where torch has one.

    Args:
        detector: an exported file with features, or a backbone through torch.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        backbone = getattr(detector, "backbone", None)
        tower = None
        if backbone is not None:
            try:
                tower = backbone.text_tower()
            except ZsadError:
                tower = None
        self._tower = tower

    @property
    def name(self) -> str:
        """Fingerprint of the model."""
        return f"clip {self._detector.fingerprint}"

    @property
    def has_texts(self) -> bool:
        """Whether the model came with its text tower."""
        return self._tower is not None

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return class features, (N, D) float32."""
        return np.asarray(self._detector.features(list(images)).cls, np.float32)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return text features, (N, D) float32.

        Raises:
            ModelError: the model has no text tower.
        """
        if self._tower is None:
            raise ModelError("this model takes no texts")
        import importlib

        direction = importlib.import_module("zsad.prompt.ensemble").mean_direction
        return np.stack([np.asarray(direction(self._tower, [text]).cpu().numpy(), np.float32) for text in texts])
