"""Stages 1 to 5 on one screen, with torch: ``TorchDetector(image) -> Result``."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from zsad.backbone import Backbone, BackboneInfo, backbone_of, load_backbone
from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.errors import ForkedError, ModelError
from zsad.prompt.apply import apply_stored, apply_words, check_backbone, reading_of
from zsad.prompt.store import trained_prompt
from zsad.prompt.words import Words
from zsad.scoring import DirectionScorer, Scorer
from zsad.scoring.scorer import Exportable, Fusing, Unscored
from zsad.types import Features, FloatArray, Thresholds


class TorchDetector(Detector):
    """A frozen backbone and a scorer of its features; decode and resize are the base class's.

    Args:
        backbone: the frozen tower, read as the card says.
        scorer: what turns features into map and score.
        card: how the model is fed and judged; by default the backbone's. Its scoring group is the scorer's.
        thresholds: what turns scores into verdicts; the card's by default.
        options: ``tile``, ``bits`` and ``orient`` of :class:`~zsad.detector.base.Detector`.
    """

    def __init__(
        self,
        backbone: Backbone,
        scorer: Scorer,
        card: ModelCard | None = None,
        thresholds: Thresholds | None = None,
        **options: Any,
    ) -> None:
        super().__init__(replace(card or backbone.card(), scoring=scorer.card()), thresholds, **options)
        self.backbone = backbone
        self.device = next(backbone.parameters()).device
        self._process = os.getpid()
        self._use(scorer)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs to open it again: the backbone's id and reading, not its weights."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("backbone", "head", "device")}
        kinds = {str(tower.dtype).removeprefix("torch.") for tower in self.backbone.vision.parameters()}
        dtype = next(iter(kinds - {"float32"}), "float32")
        return state | {"_opened": (self.backbone.info, self.backbone.reading, str(self.device), dtype)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Open it again.

        Raises:
            ModelError: its backbone can't be opened by its id, or is another one here.
        """
        info, reading, device, dtype = state.pop("_opened")
        self.__dict__.update(state)
        backbone = load_backbone(info.id, device=device, dtype=dtype, quick_gelu=info.quick_gelu)
        if backbone.info.fingerprint != info.fingerprint:
            raise ModelError(f"{info.id}: opens as another backbone here; load the detector in this process instead")
        self.__dict__.update(backbone=backbone.configured(**asdict(reading)), _process=os.getpid(), head=None)
        self.__dict__["device"] = next(self.backbone.parameters()).device
        assert self._scorer is not None
        self._use(self._scorer)

    def with_scorer(self, scorer: Scorer) -> Self:
        """Return the same backbone whose features are scored in another way; on the device if the scorer can."""
        other = super().with_scorer(scorer)
        other._use(scorer)
        return other

    def _use(self, scorer: Scorer) -> None:
        self._scorer = scorer
        # The twin runs where the backbone runs: features are not copied to numpy and back.
        twin = _twin(scorer, getattr(self, "head", None))
        self.head = None if twin is None else twin.to(self.device).eval()

    @property
    def fingerprint(self) -> str:
        """Hash of the backbone's parameters and of how they are read; 64 hex digits."""
        facts = [self.backbone.info.fingerprint, *map(str, asdict(self.backbone.reading).items())]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        if self.head is None:
            return super()._network(x)
        with torch.inference_mode():
            maps, scores = self.head(*self._features(x))  # (B, S, S), (B,)
        return np.asarray(maps.cpu().numpy()), np.asarray(scores.cpu().numpy())

    def _read(self, x: FloatArray) -> Features:
        with torch.inference_mode():
            cls, patches = self._features(x)
        return Features(cls.float().cpu().numpy(), patches.float().cpu().numpy(), self.backbone.grid)

    def _features(self, x: FloatArray) -> tuple[Tensor, Tensor]:
        """Map ``(B, 3, S, S)`` to ``(B, D)`` and ``(B, L, N, D)`` on the device."""
        if os.getpid() != self._process:
            raise ForkedError(
                f"{self._card.label}: loaded before this process was forked, where torch would wait for ever; start "
                'processes by multiprocessing.get_context("spawn"), or load the detector in each of them'
            )
        features: tuple[Tensor, Tensor] = self.backbone(torch.from_numpy(x).to(self.device))
        return features


def _twin(scorer: Scorer, own: nn.Module | None) -> nn.Module | None:
    if isinstance(scorer, Fusing):
        if own is None:
            raise ModelError("a fused score needs a network that scores by itself; give it a prompt")
        return scorer.fusing_module(own)
    return scorer.module() if isinstance(scorer, Exportable) else None


def load_features(
    backbone: str, *, image_size: int | None = None, device: str = "cpu", dtype: str = "float32", **options: Any
) -> TorchDetector:
    """Build a detector that is asked for its features: of two middle blocks, in the ordinary way, at the native size.

    Middle blocks tell textures and parts apart; the last ones tell what an object is.

    Args:
        backbone: an id of :func:`zsad.backbone.load_backbone`.
        image_size: side S of the input in pixels, in place of the native one.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: what matrix products run in.
        options: of :class:`~zsad.detector.base.Detector`.

    Raises:
        ModelError: the backbone can't be loaded.
        ProviderError: the device is absent.
    """
    tower = load_backbone(backbone, device=device, dtype=dtype)
    depth = tower.info.depth
    layers = tuple(sorted({max(1, depth // 2), max(1, 3 * depth // 4)}))
    tower = tower.configured(image_size=image_size or tower.info.native_size, layers=layers, vv_blocks=0)
    return TorchDetector(tower, Unscored(), **options)


def features_of(card: ModelCard, *, device: str = "cpu", dtype: str = "float32", **options: Any) -> TorchDetector:
    """Build a detector that gives the features that a card describes; arguments and errors as :func:`load_features`."""
    return TorchDetector(backbone_of(card, device=device, dtype=dtype), Unscored(), **options)


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
    stored = trained_prompt(words)  # before the weights are loaded, so that a misspelt name is told at once
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
    card = tower.card(**applied.card)
    return TorchDetector(tower, DirectionScorer(applied.vectors, card), card, thresholds, **options)


def fine_size(info: BackboneInfo) -> int:
    """Return the size at 518/336 of the native one, the published ratio, as a multiple of the patch."""
    return max(1, round(info.native_size * 518 / 336 / info.patch_size)) * info.patch_size
