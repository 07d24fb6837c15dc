"""What a learned model reads of a video: features of its backbone, which is opened when it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zsad.errors import ModelError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.features import MOTION, Choice, VideoFeatures, cells, read_features, rows_of
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
        self.backbone, self._device = backbone or card.backbone, device
        if not self.backbone:
            raise ModelError(f"{printable(name)}: its card names no backbone; name one as the model")
        tokens = card.config.temporal.tokens if card.config.temporal.kind == "queries" else None
        self.choice = Choice(card.every, tokens=tokens, motion=bool(card.config.motion))

    @cached_property
    def detector(self) -> Detector:
        """The backbone, opened the first time."""
        from zsad.video.towers import feature_detector

        return feature_detector(self.backbone, device=self._device)

    def whole(self, video: Video, on_frame: OnFrame) -> tuple[FloatArray, VideoFeatures]:
        """Return the rows of a whole video ``(T, ...)``, those of motion behind the others, and where they are from."""
        found = read_features(video, self.detector, self.choice, on_frame)
        rows = found.arrays["0"]
        return np.concatenate([rows, found.arrays[MOTION]], axis=-1) if self.choice.motion else rows, found

    def row(self, pictures: Sequence[Image.Image]) -> FloatArray:
        """Return one row ``(...)`` of a frame, and of what moves in it where the model reads that."""
        grid = None if self.choice.tokens is None else cells(self.choice.tokens, self.detector.card.grid)
        return np.concatenate(list(rows_of(self.detector, pictures, grid)), axis=-1)
