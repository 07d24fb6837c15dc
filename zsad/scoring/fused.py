"""Memory and zero-shot together: a rule that was fixed on drawn defects, and stays as it is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from zsad.card import CardScoring, ModelCard
from zsad.errors import ModelError
from zsad.scoring.fusion import Fusion
from zsad.scoring.memory import Memory, highest
from zsad.scoring.memory_scorer import MemoryScorer
from zsad.types import Features, FloatArray

if TYPE_CHECKING:
    from torch import nn


class FusedScorer:
    """Scores by a memory and by the network's own map; the score is the mean of the combined map's highest 1 %.

    Args:
        memory: of the model whose features are scored.
        fusion: the rule.
        card: of that model.
    """

    def __init__(self, memory: Memory, fusion: Fusion, card: ModelCard) -> None:
        self._memory, self.fusion = MemoryScorer(memory, card), fusion
        self._own = card

    @property
    def memory(self) -> Memory:
        """What good images have shown."""
        return self._memory.memory

    def without(self, image: int) -> FusedScorer:
        """Return the scorer of a memory that has not seen one of its images; see :meth:`Memory.without`."""
        return FusedScorer(self.memory.without(image), self.fusion, self._own)

    def card(self) -> CardScoring:
        """Return the scoring group of the card."""
        memory, own = self._memory.card(), self._own.scoring
        # What the two are combined by, and how the network scores by itself, tell one fused score from another.
        rule = hashlib.sha256(repr((self.fusion, own)).encode()).hexdigest()[:12]
        return replace(memory, head="fused", prompt=f"{memory.prompt} and {own.prompt}, rule {rule}")

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Refuse: features alone are half of what is needed.

        Raises:
            ModelError: always; detectors call :meth:`fuse`.
        """
        raise ModelError("a fused score needs the network's own map beside its features; use a detector of zsad")

    def fuse(self, features: Features, maps: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Combine features ``(B, ...)`` with the network's own maps ``(B, S, S)``; its scores are not used."""
        by_memory, _ = self._memory.score(features)
        fused = self.fusion.map(by_memory, maps)
        return fused, highest(fused)

    def fusing_module(self, own: nn.Module) -> nn.Module:
        """Return the torch twin of :meth:`fuse`, with the network's own head in it."""
        from zsad.scoring.memory_head import FusedHead

        return FusedHead(self._memory.module(), own, self.fusion)
