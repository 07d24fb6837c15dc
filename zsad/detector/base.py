"""Detector: what every detector offers, and what all of them do around their network: decode, batches, tiles, sizes.

``TorchDetector`` and ``OnnxDetector`` add two methods, ``_network`` and ``_read``; so does any other.
"""

from __future__ import annotations

import copy
import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, Self, overload

import numpy as np

from zsad.card import CardScoring, ModelCard
from zsad.detector.learned import FITTED
from zsad.detector.several import chunks, several
from zsad.detector.tiled import look_closer
from zsad.detector.unchanging import Unchanging
from zsad.errors import InputError, ModelError, UsageError
from zsad.images.postprocess import resize_map
from zsad.images.preprocess import Decoded, check_aspect, decode, network_input
from zsad.images.tiling import TileSide, check_tile, tile_side
from zsad.scoring import DirectionScorer, FusedScorer, MemoryScorer, Scorer
from zsad.thresholds import card_thresholds
from zsad.types import Channels, Features, FloatArray, ImageLike, Look, PromptVectors, Result, Thresholds

BATCH = 8
"""Images (or tiles) that go through the network together."""


class Detector(Unchanging):
    """Image -> Result; what batch, evaluation, suites, reports and stations use, and all that they use.

    Args:
        card: how the model is fed and read.
        thresholds: what turns scores into verdicts; over the card's, if that is calibrated.
        tile: side of the tiles that large images are looked at in besides, in pixels; ``"auto"`` chooses it, and which
            images are large, by the network's side; None squeezes the whole image.
        bits: significant bits of 16-bit images, in 8..16.
        orient: whether EXIF orientation is applied; off where masks are paired pixel by pixel.
    """

    def __init__(
        self,
        card: ModelCard,
        thresholds: Thresholds | None = None,
        *,
        tile: TileSide = None,
        bits: int = 16,
        orient: bool = True,
    ) -> None:
        self._card = card
        self._thresholds = (thresholds or Thresholds()).over(card_thresholds(card))
        check_tile(tile)
        if not 8 <= bits <= 16:
            raise UsageError(f"bits must lie in 8..16, got {bits}")
        self._tile, self._bits, self._orient = tile, bits, orient
        self._scorer: Scorer | None = None

    @property
    def thresholds(self) -> Thresholds:
        """What turns scores into verdicts; what is not given there never fires."""
        return self._thresholds

    @property
    def tile(self) -> TileSide:
        """Side in pixels of the tiles that large images are looked at in besides, or ``"auto"``; None for none."""
        return self._tile

    @property
    def bits(self) -> int:
        """Significant bits of 16-bit images."""
        return self._bits

    @property
    def look(self) -> Look:
        """How it looks at images, as far as thresholds depend on it."""
        return Look(self._tile, self._bits)

    @property
    def orient(self) -> bool:
        """Whether EXIF orientation is applied."""
        return self._orient

    @property
    def card(self) -> ModelCard:
        """The card of the model behind this detector."""
        return self._card

    @property
    def fingerprint(self) -> str:
        """What tells this network from another: 64 hex digits; here of its card without how features are scored."""
        return hashlib.sha256(replace(self._card, scoring=CardScoring()).to_json().encode()).hexdigest()

    @property
    def learned(self) -> frozenset[str] | None:
        """SHA-256 of the good images that scores rest on, of files and of pixels; None where nobody knows of which."""
        if isinstance(self._scorer, MemoryScorer | FusedScorer):
            return frozenset(self._scorer.memory.numbers) or None
        return None if self._card.scoring.head in FITTED else frozenset()

    @property
    def scorer(self) -> Scorer | None:
        """What turns features into map and score, or None where the network's own graph does it."""
        return self._scorer

    @abstractmethod
    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Map network input ``(B, 3, S, S)`` to maps ``(B, s, s)`` and scores ``(B,)``, in [0, 1].

        What stands here scores the features with the scorer; a network that scores by itself does so first.
        """
        assert self._scorer is not None
        return self._scorer.score(self._read(x))

    def _read(self, x: FloatArray) -> Features:
        """Map network input ``(B, 3, S, S)`` to features, for scorers that are not its own."""
        raise ModelError(f"{self._card.label}: gives no features, so that no other scorer can work on them")

    def with_scorer(self, scorer: Scorer) -> Self:
        """Return the same network (sharing its weights) whose features are scored in another way.

        Thresholds are those of the scorer's card.

        Raises:
            ModelError: it gives no features.
        """
        other = copy.copy(self)
        other._scorer = scorer
        other._card = replace(self._card, scoring=scorer.card())
        other._thresholds = card_thresholds(other._card)
        return other

    def with_vectors(self, vectors: PromptVectors, prompt: str, *, thresholds: Thresholds | None = None) -> Self:
        """Return the same network (sharing its weights) that looks for something else.

        Args:
            vectors: unit vectors of its own text space, image ``(1 + K, D)`` and pixel ``(L, 1 + K, D)``.
            prompt: their name, for the card.
            thresholds: what verdicts are made with; by default none, since those of other words say nothing of these.

        Raises:
            PromptError: vectors of another width or number of layers.
            ModelError: it gives no features.
        """
        card = self._card.changed(prompt=prompt, classes=vectors.names, calibrated=False)
        other = self.with_scorer(DirectionScorer(vectors, card))
        return other if thresholds is None else other.with_thresholds(thresholds)

    def with_thresholds(self, thresholds: Thresholds | None) -> Self:
        """Return the same detector (sharing its weights) that judges by these; what they don't name stays.

        Args:
            thresholds: what to judge by; None for what the card says, and nothing else.
        """
        other = copy.copy(self)
        other._thresholds = card_thresholds(self._card) if thresholds is None else thresholds.over(self._thresholds)
        return other

    def with_options(
        self,
        *,
        thresholds: Thresholds | None = None,
        tile: TileSide = None,
        bits: int | None = None,
        orient: bool | None = None,
    ) -> Self:
        """Return the same detector (sharing its weights) with other options; None keeps one.

        Thresholds that are not given stay, as with :meth:`with_thresholds`.
        """
        other = copy.copy(self)
        scorer = self._scorer
        Detector.__init__(
            other,
            self._card,
            self._thresholds if thresholds is None else thresholds.over(self._thresholds),
            tile=self.tile if tile is None else tile,
            bits=self.bits if bits is None else bits,
            orient=self.orient if orient is None else orient,
        )
        other._scorer = scorer
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

    def __call__(self, image: ImageLike | Decoded, *, channels: Channels = "rgb") -> Result:
        """Inspect one image: a path, the bytes of an image file, a PIL image, or an array; errors as :meth:`batch`."""
        return self.batch([image], channels=channels)[0]

    @overload
    def batch(
        self,
        images: Iterable[ImageLike | Decoded],
        *,
        errors: Literal["raise"] = "raise",
        batch_size: int = BATCH,
        channels: Channels = "rgb",
    ) -> list[Result]: ...

    @overload
    def batch(
        self,
        images: Iterable[ImageLike | Decoded],
        *,
        errors: Literal["return"],
        batch_size: int = BATCH,
        channels: Channels = "rgb",
    ) -> list[Result | InputError]: ...

    def batch(
        self,
        images: Iterable[ImageLike | Decoded],
        *,
        errors: Literal["raise", "return"] = "raise",
        batch_size: int = BATCH,
        channels: Channels = "rgb",
    ) -> list[Result] | list[Result | InputError]:
        """Inspect several images of any sizes; the same numbers as one by one.

        Args:
            images: any mix of what :meth:`__call__` takes, such as a list or a generator.
            errors: ``"raise"`` stops at the first unusable image; ``"return"`` puts its InputError in the
                place of its result, so that the others are not lost.
            batch_size: images that go through the network together, at least 1.
            channels: order of colours in arrays; ``"bgr"`` for those of OpenCV.

        Returns:
            One entry per image, in order.

        Raises:
            InputError: an image can't be used.
            UsageError: a path or one image instead of a list of them, a batch size below 1, other channels.
        """
        out: list[Result | InputError] = []
        for chunk in chunks(several(images, channels), batch_size):
            out.extend(self._chunk(chunk, errors))
        return out

    def raw(self, image: ImageLike | Decoded) -> tuple[FloatArray, float]:
        """Return the map at the scorer's own resolution ``(s, s)`` and the score, both in [0, 1], untiled."""
        maps, scores = self.forward(network_input(self.decode(image).image, self._card)[None])
        return maps[0], float(scores[0])

    def features(
        self, images: Iterable[ImageLike | Decoded], *, batch_size: int = BATCH, channels: Channels = "rgb"
    ) -> Features:
        """Return what the frozen network says of images, whole and untiled: what scorers work on.

        Args:
            images: any mix of what :meth:`__call__` takes.
            batch_size: images that go through the network together, at least 1.
            channels: order of colours in arrays; ``"bgr"`` for those of OpenCV.

        Raises:
            InputError: an image can't be used, or there is none.
            ModelError: the model gives no features.
            UsageError: a path or one image instead of a list of them.
        """
        parts = [
            self._read(np.stack([network_input(self.decode(image).image, self._card) for image in chunk]))
            for chunk in chunks(several(images, channels), batch_size)
        ]
        if not parts:
            raise InputError("features of no image: give at least one")
        return Features.joined(parts)

    def forward(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Score network input, without decoding and resizing.

        Args:
            x: float32 ``(B, 3, S, S)`` as :func:`zsad.images.preprocess.network_input` makes it.

        Returns:
            ``(maps, scores)``: float32 ``(B, s, s)`` and ``(B,)`` in [0, 1].

        Raises:
            ModelError: the model failed, or gave NaN or infinite values.
        """
        maps, scores = self._network(x)
        # A damaged model must not pass parts silently: NaN compares false with every threshold.
        if not (np.isfinite(maps).all() and np.isfinite(scores).all()):
            raise ModelError(
                f"{self._card.label}: gave NaN or infinite values; its weights are damaged, "
                "or it needs float32 (--dtype float32)"
            )
        return np.clip(maps, 0.0, 1.0), np.clip(scores, 0.0, 1.0)

    def _chunk(self, images: Sequence[ImageLike | Decoded], errors: str) -> list[Result | InputError]:
        out: list[Result | InputError | Decoded] = []
        for image in images:
            try:
                out.append(self.decode(image))
            except InputError as error:
                if errors == "raise":
                    raise
                out.append(error)
        whole = [(i, item) for i, item in enumerate(out) if isinstance(item, Decoded) and not self._tile_side(item)]
        if whole:
            x = np.stack([network_input(item.image, self._card) for _, item in whole])  # (B, 3, S, S)
            maps, scores = self.forward(x)  # (B, S, S), (B,)
            for (i, item), values, score in zip(whole, maps, scores, strict=True):
                out[i] = self._result(item, resize_map(values, item.size), float(score))
        return [self._tiled(item) if isinstance(item, Decoded) else item for item in out]

    def _tile_side(self, decoded: Decoded) -> int | None:
        return tile_side(self.tile, decoded.size, self._card.input.image_size)

    def _tiled(self, decoded: Decoded) -> Result:
        side = self._tile_side(decoded)
        assert side is not None
        return self._result(decoded, *look_closer(decoded, side, self._card, self.forward))

    def _result(self, decoded: Decoded, values: FloatArray, score: float) -> Result:
        outline, model = min(1.0, self._card.scoring.pixel_threshold), self._card.provenance.name
        return Result(score, values, self._thresholds, decoded.name, decoded.notes, outline, model, decoded.image)
