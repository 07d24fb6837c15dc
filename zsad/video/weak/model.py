"""A weakly supervised model: temporal block, context block and head, as its configuration names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.banks import Banks, History, QueryHead, three_readings
from zsad.video.weak.distance import Adapter, DistanceTransformer
from zsad.video.weak.graphs import Graphs
from zsad.video.weak.heads import AlignedHead, MemoryHead, Scored
from zsad.video.weak.memories import Memories
from zsad.video.weak.motion import MotionBranch
from zsad.video.weak.phrases import AttendedHead, Phrases
from zsad.video.weak.tokens import Queries
from zsad.video.weak.windows import Windows

Block = Callable[[Config], nn.Module]

TEMPORAL: dict[str, Block] = {
    "windows": Windows,
    "distance": DistanceTransformer,
    "adapter": Adapter,
    "queries": Queries,
}
CONTEXT: dict[str, Block] = {"graphs": Graphs, "memories": Memories, "phrases": Phrases, "banks": Banks}
HEADS: dict[str, Block] = {"aligned": AlignedHead, "memory": MemoryHead, "attended": AttendedHead, "queries": QueryHead}


class WeakModel(nn.Module):
    """Features of snippets -> a logit per snippet and class.

    Args:
        config: which blocks, and their sizes.
        text: gives the class texts ``(C, D)``; a learner, or fixed features. None for a model without classes.
    """

    temporal: Any
    context: Any
    head: Any

    def __init__(self, config: Config, text: nn.Module | None = None) -> None:
        super().__init__()
        self.config = config
        self.temporal = TEMPORAL[config.temporal.kind](config)
        self.context = CONTEXT[config.context.kind](config)
        self.head = HEADS[config.head.kind](config)
        self.text = text
        self.motion = MotionBranch(config.width, config.motion) if config.motion else None

    def forward(
        self,
        x: Tensor,
        valid: Tensor | None = None,
        history: History | None = None,
        starts: Tensor | None = None,
        text: Tensor | None = None,
    ) -> Scored:
        """Score a batch.

        Args:
            x: features ``(B, T, D)``, with those of motion behind them if the model has some; tokens
                ``(B, T, Q, D)`` for banks. Padded rows are 0.
            valid: bool ``(B, T)``, True where there is a snippet; None where nothing is padded.
            history: what an earlier piece of the same videos has left in the banks.
            starts: bool ``(B, c)``, clips that another video begins with (banks).
            text: class texts ``(C, D)``, where they are known; by default the model's own.
        """
        valid = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if valid is None else valid
        x, together = self.seen(x, valid)
        scored: Scored
        if isinstance(self.context, Banks):
            history = None if history is None else self._remembered(history)
            scored = three_readings(self.temporal, self.context, self.head, x, valid, history, starts)
        else:
            v = self.context(self.temporal(x, valid), valid)
            if text is None and self.text is not None:
                text = self.text()
            scored = self.head(v, valid, text, x)
        if together is not None:
            scored.inner = {**(scored.inner or {}), "consistency": together}
        return scored

    def seen(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return features as the blocks read them, ``(B, T, D)`` or ``(B, T, Q, D)``, and how far motion is apart.

        Args:
            x: as :meth:`forward` takes them.
            valid: bool ``(B, T)``.

        Returns:
            With motion features added and, if the model wants that, of length 1; and the consistency loss, or None for
            a model that reads no motion.
        """
        together = None
        if self.motion is not None:  # motion features stand behind those of appearance
            x, together = self.motion(x[..., : self.config.width], x[..., self.config.width :], valid)
        return torch.nn.functional.normalize(x, dim=-1) if self.config.unit else x, together

    def _remembered(self, history: History) -> History:
        """Return earlier clips as the banks compare them: as what is seen now."""
        if self.motion is None and not self.config.unit:
            return history
        temporal, (B, h, _) = self.config.temporal, history.tokens.shape
        frames = history.tokens.reshape(B, h * temporal.clip, temporal.tokens, self.config.read)
        there = ~history.probability.isnan().repeat_interleave(temporal.clip, dim=1)
        return History(self.seen(frames, there)[0].reshape(B, h, -1), history.probability)


class FixedText(nn.Module):
    """Class texts that are kept as they are: ``(C, D)``."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features: Tensor
        self.register_buffer("features", features)

    def forward(self) -> Tensor:
        """Return them."""
        return self.features
