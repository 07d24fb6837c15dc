"""Context block of VadCLIP: snippets linked by their likeness and by their distance in time.

Source: VadCLIP (AAAI 2024), section 3.2, in the form of its published code: likeness below the threshold counts as 0
inside the softmax, and the weights of the distance graph do not sum to 1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.windows import HIDDEN, quick_gelu


def likeness_graph(x: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Return how much each valid snippet takes from each other: ``x (B, T, D)``, ``valid (B, T)`` -> ``(B, T, T)``.

    Rows of valid snippets sum to 1 over the valid ones; everything else is 0.
    """
    lengths = x.norm(dim=-1, keepdim=True)  # (B, T, 1)
    cosine = (x @ x.mT) / (lengths * lengths.mT + 1e-20)
    linked = torch.where(cosine > threshold, cosine, 0.0)
    graph = torch.softmax(torch.where(valid[:, None], linked, HIDDEN), dim=-1)
    return graph * valid[:, :, None]


def distance_graph(length: int, like: Tensor) -> Tensor:
    """Return ``exp(-|i - j| / e)``, ``(T, T)``, not normalised; dtype and device of ``like``."""
    place = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.exp((place[:, None] - place).abs() / -math.e)


class GraphLayer(nn.Module):
    """``QuickGELU(A (x W) + R(x))``, with R a convolution over time where the width changes, else x itself."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, out)))
        self.residual = nn.Conv1d(width, out, 5, padding=2) if width != out else None

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Pass ``x (B, T, D)`` along a graph ``(T, T)`` or ``(B, T, T)``."""
        rest = x if self.residual is None else self.residual(x.mT).mT
        return quick_gelu(graph @ (x @ self.weight) + rest)


class Graphs(nn.Module):
    """Two graphs of two layers each, joined by a linear layer: ``(B, T, D)`` -> ``(B, T, D)``.

    With ``compat``, padded snippets pass on what stands in them, as in the published code.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        D = config.width
        self.threshold, self.compat = config.context.threshold, config.compat
        self.similar = nn.ModuleList([GraphLayer(D, D // 2), GraphLayer(D // 2, D // 2)])
        self.near = nn.ModuleList([GraphLayer(D, D // 2), GraphLayer(D // 2, D // 2)])
        self.join = nn.Linear(D // 2 * 2, D)

    def branches(self, x: Tensor, valid: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what both layers of both graphs give, each ``(B, T, D / 2)``: of likeness, of distance."""
        keep = torch.ones_like(x[..., :1]) if self.compat else valid[..., None].to(x.dtype)
        graphs = (likeness_graph(x, valid, self.threshold), distance_graph(x.shape[1], x))
        found: tuple[list[Tensor], list[Tensor]] = ([], [])
        for layers, graph, outputs in zip((self.similar, self.near), graphs, found, strict=True):
            y = x
            for layer in layers:
                y = layer(y * keep, graph)
                outputs.append(y)
        return found

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Add context: ``x (B, T, D)``, ``valid (B, T)`` bool."""
        similar, near = self.branches(x, valid)
        out: Tensor = self.join(torch.cat([similar[-1], near[-1]], dim=-1))
        return out


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosines of ``a (..., T, D)`` and ``b (..., C, D)``: ``(..., T, C)``."""
    return F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).mT
