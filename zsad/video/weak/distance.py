"""Temporal blocks that weigh neighbours by their distance: UR-DMU's transformer, and OVVAD's adapter.

Sources: UR-DMU (AAAI 2023), section 3.1, as published (Holmes-VAU scores with the same network); OVVAD (CVPR 2024),
section 3.3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.graphs import distance_graph
from zsad.video.weak.windows import HIDDEN


def distance_weights(valid: Tensor, like: Tensor, *, compat: bool = False) -> Tensor:
    """Return weights that fall by e with every e snippets of distance, ``(B, T, T)``; each row sums to 1.

    With ``compat`` entry (i, j) is divided by the sum of row j, not of row i, as published: rows near the ends of a
    video do not sum to 1, and padded snippets count.
    """
    graph = distance_graph(valid.shape[1], like)  # (T, T)
    if compat:
        return (graph / graph.sum(dim=0))[None]
    seen = graph * valid[:, None]  # (B, T, T)
    return seen / seen.sum(dim=-1, keepdim=True)


class DistanceAttention(nn.Module):
    """Half of every head attends by content, the other half by distance."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        temporal, D = config.temporal, config.inner
        self.heads, self.compat = temporal.heads, config.compat
        inner = temporal.heads * temporal.head_width
        self.parts = nn.Linear(D, 4 * inner, bias=False)
        self.out = nn.Linear(2 * inner, D)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Attend: ``x (B, T, D)``, ``valid (B, T)`` bool -> ``(B, T, D)``."""
        B, T, _ = x.shape
        q, k, v, t = self.parts(x).view(B, T, 4, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)  # (B, h, T, d)
        logits = (q @ k.mT) * q.shape[-1] ** -0.5
        if not self.compat:
            logits = torch.where(valid[:, None, None], logits, HIDDEN)
        by_content = torch.softmax(logits, dim=-1) @ v
        by_distance = distance_weights(valid, x, compat=self.compat)[:, None] @ t
        both = torch.cat([by_content, by_distance], dim=-1)  # (B, h, T, 2 d)
        out: Tensor = self.out(both.transpose(1, 2).reshape(B, T, -1))
        return out


class DistanceLayer(nn.Module):
    """One pre-norm layer: attention, then two linear layers with GELU; dropout behind each."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D, hidden, share = config.inner, config.temporal.hidden, config.temporal.dropout
        self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
        self.attention = DistanceAttention(config)
        self.dropout = nn.Dropout(share)
        self.mlp = nn.Sequential(
            nn.Linear(D, hidden), nn.GELU(), nn.Dropout(share), nn.Linear(hidden, D), nn.Dropout(share)
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Apply the layer to ``x (B, T, D)``."""
        x = x + self.dropout(self.attention(self.norm1(x), valid))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class DistanceTransformer(nn.Module):
    """A convolution over three snippets, then layers: ``(B, T, F)`` -> ``(B, T, D)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.compat = config.compat
        self.embedding = nn.Conv1d(config.width, config.inner, 3, padding=1)
        self.layers = nn.ModuleList(DistanceLayer(config) for _ in range(config.temporal.layers))

    def embed(self, x: Tensor, valid: Tensor) -> Tensor:
        """Return the convolution's output ``(B, T, D)``, not below 0."""
        x = x if self.compat else x * valid[..., None]
        return torch.relu(self.embedding(x.mT).mT)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Read neighbours: ``x (B, T, F)``, ``valid (B, T)`` bool."""
        y = self.embed(x, valid)
        for layer in self.layers:
            y = layer(y, valid)
        return y


def adjacency(valid: Tensor, decay: float, like: Tensor) -> Tensor:
    """Return ``softmax(-|i - j| / decay)`` over the valid snippets, ``(B, T, T)``."""
    place = torch.arange(valid.shape[1], device=like.device, dtype=like.dtype)
    far = (place[:, None] - place).abs() / -decay
    return torch.softmax(torch.where(valid[:, None], far, -math.inf), dim=-1)


class Adapter(nn.Module):
    """OVVAD's temporal adapter: the mean of neighbours, weighed by distance, then a norm; the only weights are its.

    The paper's decay of 0.07 snippets makes neighbours count 6e-7: nothing is adapted. ``compat`` takes it all the
    same; the default of 14.29 is its inverse.
    """

    PUBLISHED = 0.07

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.decay = self.PUBLISHED if config.compat else config.temporal.decay
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Read neighbours: ``x (B, T, D)``, ``valid (B, T)`` bool."""
        out: Tensor = self.norm(adjacency(valid, self.decay, x) @ x)
        return out
