"""The torch twin of :class:`~zsad.scoring.memory_scorer.MemoryScorer`: what goes into the ONNX graph."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.card import ModelCard
from zsad.scoring.fusion import Fusion
from zsad.scoring.memory import SIGMA, Memory
from zsad.scoring.smoothing import smoothing_matrix, top_count

PART = 8192
"""Patches of the memory in one matrix product: cosines of an image with all of a large memory would not fit."""


class MemoryHead(nn.Module):
    """Features -> map and score by the distance to a memory.

    Args:
        memory: normal patches of each feature layer.
        card: of the model whose features are scored.
    """

    smoothing: Tensor
    direction: Tensor | None

    def __init__(self, memory: Memory, card: ModelCard) -> None:
        super().__init__()
        self.card, self.scale = card, memory.scale
        self.parts: list[list[str]] = []
        for number, layer in enumerate(memory.layers):
            names = []
            for start in range(0, len(layer), PART):
                names.append(f"memory_{number}_{start // PART}")
                self.register_buffer(names[-1], torch.from_numpy(np.ascontiguousarray(layer[start : start + PART].T)))
            self.parts.append(names)
        matrix = smoothing_matrix(card.input.image_size, card.grid, SIGMA).astype(np.float32)
        self.register_buffer("smoothing", torch.from_numpy(matrix))
        self.threshold = 0.0 if memory.foreground is None else memory.foreground.threshold
        direction = None if memory.foreground is None else torch.from_numpy(memory.foreground.direction)
        self.register_buffer("direction", direction)

    def forward(self, cls: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Score features.

        Args:
            cls: class features ``(B, D)``; not used.
            patches: patch features ``(B, L, N, D)``, not normalised.

        Returns:
            ``(map, score)``: float32 ``(B, S, S)`` and ``(B,)``, both in [0, 1].
        """
        S, G = self.card.input.image_size, self.card.grid
        units = F.normalize(patches.float(), dim=-1, eps=1e-12)  # (B, L, N, D)
        units = units[:, -len(self.parts) :]  # a memory is of the last layers, or of all
        each = [(1 - self.nearest(units[:, number], names)) / 2 for number, names in enumerate(self.parts)]
        distance = torch.stack(each).mean(dim=0).clamp(0.0, 1.0)  # (B, N)
        grid = distance.reshape(-1, G, G)
        if self.direction is not None:
            inside = ((units[:, -1] @ self.direction) > self.threshold).float().reshape(-1, 1, G, G)
            grid = grid * F.max_pool2d(inside, 3, stride=1, padding=1)[:, 0]
        smooth = (self.smoothing @ grid @ self.smoothing.T).clamp(0.0, 1.0)  # (B, S, S)
        values = smooth / (smooth + self.scale)
        return values, values.flatten(1).topk(top_count(S), dim=1).values.mean(dim=1)

    def nearest(self, units: Tensor, names: list[str]) -> Tensor:
        """Return the highest cosine ``(B, N)`` of unit vectors ``(B, N, D)`` with the parts of one layer's memory."""
        parts = [self.get_buffer(name) for name in names]
        return torch.stack([(units @ part).amax(dim=-1) for part in parts]).amax(dim=0)


class FusedHead(nn.Module):
    """The torch twin of :class:`~zsad.scoring.fused.FusedScorer`.

    Args:
        memory: the memory's head.
        own: the network's own head.
        fusion: the rule.
    """

    def __init__(self, memory: MemoryHead, own: nn.Module, fusion: Fusion) -> None:
        super().__init__()
        self.memory, self.own, self.fusion = memory, own, fusion

    def forward(self, cls: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Score features as :class:`MemoryHead` does."""
        by_memory, _ = self.memory(cls, patches)
        own, _ = self.own(cls, patches)
        rule = self.fusion
        above = (own - rule.centre).clamp_min(0.0)
        values = rule.weight * by_memory + (1 - rule.weight) * above / (above + (rule.scale - rule.centre))
        count = top_count(values.shape[-1])
        return values, values.flatten(1).topk(count, dim=1).values.mean(dim=1)
