"""Stages 1 to 5 on one screen, with torch: ``TorchDetector(image) -> Result``."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import torch

from zsad.backbone import Backbone, BackboneInfo, load_backbone
from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.prompt.apply import Words, apply_stored, apply_words, check_backbone, reading_of
from zsad.scoring.anomaly_map import AnomalyHead
from zsad.types import FloatArray, PromptVectors, Thresholds


class TorchDetector(Detector):
    """A frozen backbone, two vectors, and the head between them; decode and resize are the pipeline's.

    Args:
        backbone: the frozen tower, read as the card says.
        vectors: the two text directions.
        card: how the model is fed and judged; by default the backbone's.
        thresholds: what turns scores into verdicts; the card's by default.
        options: ``tile``, ``bits`` and ``orient`` of :class:`~zsad.detector.base.Detector`.

    Raises:
        PromptError: vectors of another width or number of layers.
    """

    def __init__(
        self,
        backbone: Backbone,
        vectors: PromptVectors,
        card: ModelCard | None = None,
        thresholds: Thresholds | None = None,
        **options: Any,
    ) -> None:
        super().__init__(card or backbone.card(), thresholds, **options)
        self.backbone = backbone
        self.vectors = vectors
        self.device = next(backbone.parameters()).device
        self.head = AnomalyHead(self._card, vectors).to(self.device).eval()

    def _forward(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        with torch.inference_mode():
            image = torch.from_numpy(x).to(self.device)  # (B, 3, S, S)
            cls, patches = self.backbone(image)  # (B, D), (B, L, N, D)
            maps, scores = self.head(cls, patches)  # (B, S, S), (B,)
        return np.asarray(maps.cpu().numpy()), np.asarray(scores.cpu().numpy())

    def with_vectors(self, vectors: PromptVectors, prompt: str, *, thresholds: Thresholds | None = None) -> Self:
        """Return the same backbone that looks for something else.

        Args:
            vectors: unit vectors of its own text space, image ``(2, D)`` and pixel ``(L, 2, D)``.
            prompt: their name, for the card.
            thresholds: the new verdicts; by default the present ones, no longer counted as calibrated.

        Raises:
            PromptError: vectors of another width or number of layers.
        """
        other = copy.copy(self)
        other._card = self._card.changed(prompt=prompt, calibrated=False)
        other.thresholds = thresholds or replace(self.thresholds, calibrated=False)
        other.vectors = vectors
        other.head = AnomalyHead(other._card, vectors).to(self.device).eval()
        return other

    def with_words(self, words: Words) -> TorchDetector:
        """Return a detector with the same weights that looks for what these words say.

        A trained prompt is read as it was trained; other words are read as this detector reads.

        Raises:
            PromptError: no such prompt, or one made for another backbone.
            ModelError: the backbone has no text tower.
        """
        reading = asdict(self.backbone.reading) if words.stored() is None else None
        options: dict[str, Any] = {"tile": self.tile, "bits": self.bits, "orient": self.orient}
        return load_detector(self.backbone, words, reading=reading, **options)


def load_detector(
    backbone: str | Backbone,
    words: Words | None = None,
    *,
    image_size: int | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    reading: dict[str, Any] | None = None,
    thresholds: Thresholds | None = None,
    **options: Any,
) -> TorchDetector:
    """Build a detector from a backbone's id and a prompt.

    A trained prompt brings the size, layers and smoothing that it was trained with. A bank or free texts
    read CLIP's own image feature for the score, and run the published ratio of 518 to 336 px above the
    native size, since a finer grid finds smaller defects.

    Args:
        backbone: an id of :func:`zsad.backbone.load_backbone`, or a backbone, whose weights are shared.
        words: the prompt; the industrial bank by default.
        image_size: side S of the input in pixels, in place of that.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: what matrix products run in.
        reading: further fields of :class:`zsad.backbone.Reading`, such as ``layers``.
        thresholds: what turns scores into verdicts; the card's by default.
        options: of :class:`~zsad.detector.base.Detector`.

    Raises:
        ModelError: the backbone can't be loaded, or has no text tower that the prompt needs.
        PromptError: no such prompt, or one made for another backbone.
        ProviderError: the device is absent.
    """
    words = words or Words()
    stored = words.stored()  # before the weights are loaded, so that a misspelt name is told at once
    tower = load_backbone(backbone, device=device, dtype=dtype) if isinstance(backbone, str) else backbone
    default = {"image_size": fine_size(tower.info), "class_norm": True}
    changes = default if stored is None else reading_of(stored)
    changes |= reading or {}
    if image_size is not None:
        changes["image_size"] = image_size
    if stored is not None:
        check_backbone(stored, tower.info)
    tower = tower.configured(**changes)
    applied = apply_words(words, tower) if stored is None else apply_stored(stored, tower)
    return TorchDetector(tower, applied.vectors, tower.card(**applied.card), thresholds, **options)


def fine_size(info: BackboneInfo) -> int:
    """Return the size at 518/336 of the native one, the published ratio, as a multiple of the patch."""
    return max(1, round(info.native_size * 518 / 336 / info.patch_size)) * info.patch_size
