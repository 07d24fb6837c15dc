"""Stages 1 to 5 without the network: what every detector does around its forward pass.

``Detector`` (torch) and ``OnnxDetector`` (onnxruntime) differ in :meth:`Detector._forward` alone.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, Self, TypeVar, overload

import numpy as np

from zsad.card import ModelCard
from zsad.errors import InputError, ModelError, UsageError
from zsad.images import tiling
from zsad.images.postprocess import resize_map
from zsad.images.preprocess import Decoded, check_aspect, decode, network_input
from zsad.types import FloatArray, ImageLike, Result, Thresholds

_T = TypeVar("_T")

BATCH = 8
"""Images (or tiles) that go through the network together."""


class Detector(ABC):
    """Image -> Result around a forward pass.

    Args:
        card: how the model is fed and read.
        thresholds: what turns scores into verdicts; the card's by default.
        tile: side of the tiles that large images are cut into, in pixels; None squeezes the whole image.
        bits: significant bits of 16-bit images, in 8..16.
        orient: whether EXIF orientation is applied; off where masks are paired pixel by pixel.
    """

    def __init__(
        self,
        card: ModelCard,
        thresholds: Thresholds | None = None,
        *,
        tile: int | None = None,
        bits: int = 16,
        orient: bool = True,
    ) -> None:
        self._card = card
        self.thresholds = thresholds or card_thresholds(card)
        if tile is not None and tile < 32:
            raise UsageError(f"tile of {tile} px is too small: use at least 32 px")
        if not 8 <= bits <= 16:
            raise UsageError(f"bits must lie in 8..16, got {bits}")
        self.tile, self.bits, self.orient = tile, bits, orient

    @property
    def card(self) -> ModelCard:
        """The card of the model behind this detector."""
        return self._card

    @abstractmethod
    def _forward(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Map network input ``(B, 3, S, S)`` to maps ``(B, S, S)`` and scores ``(B,)``, all in [0, 1]."""

    def with_options(
        self,
        *,
        thresholds: Thresholds | None = None,
        tile: int | None = None,
        bits: int | None = None,
        orient: bool | None = None,
    ) -> Self:
        """Return the same detector (sharing its weights) with other options; None keeps one."""
        other = copy.copy(self)
        Detector.__init__(
            other,
            self._card,
            self.thresholds if thresholds is None else thresholds,
            tile=self.tile if tile is None else tile,
            bits=self.bits if bits is None else bits,
            orient=self.orient if orient is None else orient,
        )
        return other

    def side_by_side(self) -> tuple[Self, int]:
        """Return this detector as it is fastest for many images, and how many threads are to call it at a time.

        Returns:
            ``(detector, threads)``, with the same results; threads is at least 1.
        """
        return self, 1

    def decode(self, image: ImageLike | Decoded) -> Decoded:
        """Decode one image with this detector's options; safe to call from a reader thread.

        Raises:
            InputError: the image can't be used.
        """
        if isinstance(image, Decoded):
            return image
        decoded = decode(image, bits=self.bits, orient=self.orient)
        if self.tile is None:
            check_aspect(*decoded.image.size, decoded.name or "image")
        return decoded

    def __call__(self, image: ImageLike | Decoded) -> Result:
        """Inspect one image.

        Raises:
            InputError: the image can't be used.
        """
        return self.batch([image])[0]

    @overload
    def batch(self, images: Sequence[ImageLike | Decoded], *, errors: Literal["raise"] = "raise") -> list[Result]: ...

    @overload
    def batch(
        self, images: Sequence[ImageLike | Decoded], *, errors: Literal["return"]
    ) -> list[Result | InputError]: ...

    def batch(
        self, images: Sequence[ImageLike | Decoded], *, errors: Literal["raise", "return"] = "raise"
    ) -> list[Result] | list[Result | InputError]:
        """Inspect several images of any sizes; the same numbers as one by one.

        Args:
            images: any mix of what :meth:`__call__` takes.
            errors: ``"raise"`` stops at the first unusable image; ``"return"`` puts its InputError in the
                place of its result, so that the others are not lost.

        Returns:
            One entry per image, in order.
        """
        out: list[Result | InputError] = []
        for chunk in _chunks(images, BATCH):
            out.extend(self._chunk(chunk, errors))
        return out

    def raw(self, image: ImageLike | Decoded) -> tuple[FloatArray, float]:
        """Return the map at the model's own resolution ``(S, S)`` and the score, both in [0, 1], untiled."""
        maps, scores = self._checked_forward(network_input(self.decode(image).image, self._card)[None])
        return maps[0], float(scores[0])

    def _chunk(self, images: Sequence[ImageLike | Decoded], errors: str) -> list[Result | InputError]:
        out: list[Result | InputError | Decoded] = []
        for image in images:
            try:
                out.append(self.decode(image))
            except InputError as error:
                if errors == "raise":
                    raise
                out.append(error)
        whole = [(i, item) for i, item in enumerate(out) if isinstance(item, Decoded) and not self._needs_tiles(item)]
        if whole:
            x = np.stack([network_input(item.image, self._card) for _, item in whole])  # (B, 3, S, S)
            maps, scores = self._checked_forward(x)  # (B, S, S), (B,)
            for (i, item), values, score in zip(whole, maps, scores, strict=True):
                out[i] = self._result(item, resize_map(values, item.size), float(score))
        return [self._tiled(item) if isinstance(item, Decoded) else item for item in out]

    def _needs_tiles(self, decoded: Decoded) -> bool:
        return self.tile is not None and max(decoded.size) > self.tile

    def _tiled(self, decoded: Decoded) -> Result:
        """Inspect tile by tile; the score is the highest of the tiles' scores."""
        assert self.tile is not None
        best = 0.0

        def maps() -> Iterator[tuple[tiling.Tile, FloatArray]]:
            nonlocal best
            for chunk in _chunks(tiling.split(decoded.size, self.tile or 0), BATCH):
                x = np.stack([network_input(decoded.image.crop(t.box), self._card) for t in chunk])
                values, scores = self._checked_forward(x)
                best = max(best, float(scores.max()))
                for tile, tile_map in zip(chunk, values, strict=True):
                    yield tile, resize_map(tile_map, (tile.height, tile.width))

        blended = tiling.blend(decoded.size, maps())
        return self._result(decoded, blended, best)

    def _result(self, decoded: Decoded, values: FloatArray, score: float) -> Result:
        return Result(score=score, map=values, thresholds=self.thresholds, name=decoded.name, notes=decoded.notes)

    def _checked_forward(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        maps, scores = self._forward(x)
        # A damaged model must not pass parts silently: NaN compares false with every threshold.
        if not (np.isfinite(maps).all() and np.isfinite(scores).all()):
            raise ModelError(
                f"{self._card.label}: gave NaN or infinite values; its weights are damaged, "
                "or it needs float32 (--dtype float32)"
            )
        return np.clip(maps, 0.0, 1.0), np.clip(scores, 0.0, 1.0)


def card_thresholds(card: ModelCard) -> Thresholds:
    """Return the thresholds that a card states."""
    scoring = card.scoring
    return Thresholds(scoring.image_threshold, scoring.pixel_threshold, scoring.min_area, scoring.calibrated)


def override_thresholds(base: Thresholds, image: float | None = None, pixel: float | None = None) -> Thresholds:
    """Replace what is given; a threshold that a person sets counts as calibrated when both are set.

    Raises:
        UsageError: a threshold that is not a number of at least 0.
    """
    for name, value in (("threshold", image), ("pixel threshold", pixel)):
        if value is not None and not 0.0 <= value < float("inf"):
            raise UsageError(f"{name} must be a number of at least 0, got {value}")
    return replace(
        base,
        image=base.image if image is None else image,
        pixel=base.pixel if pixel is None else pixel,
        calibrated=base.calibrated or (image is not None and pixel is not None),
    )


def _chunks(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
