"""Vectors of pictures and texts in one space, for retrieval: the project's CLIP towers, or any with two methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from zsad.errors import ModelError, ZsadError
from zsad.outside import printable

if TYPE_CHECKING:
    from PIL import Image

    from zsad.detector.base import Detector
    from zsad.detector.text_file import TextFile

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
    """The towers of a detector: pictures by its features, texts by its text tower, or by the file of one.

    Texts longer than the tower has positions are cut, as CLIP does; a summary may well be.

    Args:
        detector: an exported file with features, or a backbone through torch.
        text: a file of ``zsad export --text`` of the same backbone; torch is not needed then.

    Raises:
        ModelError: the file is of another backbone.
    """

    def __init__(self, detector: Detector, text: TextFile | None = None) -> None:
        self._detector, self._text = detector, text
        if text is not None:
            mine = detector.card.provenance.details.get("backbone_fingerprint", "")
            if text.card.fingerprint != mine:
                raise ModelError(
                    f"the text tower is of {printable(text.card.backbone)} with weights {text.card.fingerprint}, the "
                    f"pictures' model is {detector.card.label} with weights {mine or 'unknown'}: their vectors don't "
                    "compare; export the text tower of that model"
                )
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
        return self._tower is not None or self._text is not None

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        """Return class features, (N, D) float32."""
        return np.asarray(self._detector.features(list(images)).cls, np.float32)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return text features, (N, D) float32.

        Raises:
            ModelError: the model has no text tower.
        """
        if self._text is not None:
            return self._text.texts(texts)
        if self._tower is None:
            raise ModelError("this model takes no texts; give its text tower, or a backbone through torch")
        import importlib

        unit_vectors = importlib.import_module("zsad.prompt.ensemble").unit_vectors
        return np.asarray(unit_vectors(self._tower, texts).numpy(), np.float32)
