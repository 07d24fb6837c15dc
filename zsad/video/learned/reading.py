"""What a learned model reads of a video: features of its backbone, which is opened when it is needed."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zsad.errors import MissingExtraError, ModelError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.features import MOTION, Choice, Chunk, VideoFeatures, cells, feature_chunks, read_features, rows_of
from zsad.video.frames import Video
from zsad.video.learned.card import VideoCard
from zsad.video.scorer import OnFrame

if TYPE_CHECKING:
    from zsad.detector.base import Detector


class Reading:
    """Features as a model's card asks for them.

    Args:
        card: the model's.
        name: names the model in errors.
        backbone: what gives features; by default the one that the card names.
        device: where it runs.

    Raises:
        ModelError: nobody knows the backbone.
    """

    def __init__(self, card: VideoCard, name: str, backbone: str | None = None, device: str = "cpu") -> None:
        self.backbone, self._card, self._device = backbone or card.backbone, card, device
        if not self.backbone:
            raise ModelError(f"{printable(name)}: its card names no backbone; name one as the model")
        tokens = card.config.temporal.tokens if card.config.temporal.kind == "queries" else None
        self.choice = Choice(card.every, tokens=tokens, motion=bool(card.config.motion))

    @cached_property
    def detector(self) -> Detector:
        """The backbone, opened the first time.

        Raises:
            ModelError: it can't be loaded, or reads pictures otherwise than the model learned from.
            MissingExtraError: it needs torch, which is not installed.
        """
        from zsad.video.towers import feature_detector

        try:
            found = feature_detector(self.backbone, device=self._device)
        except MissingExtraError as error:
            unless = "unless --model names the ONNX file that features were extracted with"
            raise MissingExtraError(f"{error.need}, {unless},", error.extra) from None
        odd = self._card.read_otherwise(asdict(found.card.reading))
        if odd:
            raise ModelError(f"{printable(self.backbone)}: gives other features than those that were learned from "
                             f"({odd}); give --model what these were extracted with")  # fmt: skip
        return found

    def pieces(self, video: Video, on_frame: OnFrame) -> Generator[tuple[FloatArray, Chunk], None, None]:
        """Yield rows of a video as they are read ``(n, ...)``, those of motion behind the others, and where from."""
        with closing(feature_chunks(video, self.detector, self.choice, on_frame)) as chunks:
            for chunk in chunks:
                yield self._joined(chunk.arrays), chunk

    def whole(self, video: Video, on_frame: OnFrame) -> tuple[FloatArray, VideoFeatures]:
        """Return the rows of a whole video ``(T, ...)``, those of motion behind the others, and where they are from."""
        found = read_features(video, self.detector, self.choice, on_frame)
        return self._joined(found.arrays), found

    def _joined(self, arrays: Mapping[str, FloatArray]) -> FloatArray:
        rows = arrays["0"]
        return np.concatenate([rows, arrays[MOTION]], axis=-1) if self.choice.motion else rows

    def row(self, pictures: Sequence[Image.Image]) -> FloatArray:
        """Return one row ``(...)`` of a frame, and of what moves in it where the model reads that."""
        grid = None if self.choice.tokens is None else cells(self.choice.tokens, self.detector.card.grid)
        return np.concatenate(list(rows_of(self.detector, pictures, grid)), axis=-1)
