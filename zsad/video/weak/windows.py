"""Temporal block of VadCLIP: learned positions, and attention inside windows that do not overlap.

Source: VadCLIP (AAAI 2024), section 3.2, with the windows of its published code (the paper has them overlap).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.video.learned.config import Config

HIDDEN = -1e9
"""Added to a logit that must not count: its weight is exactly 0 in float32 and float64."""
INIT_STD = 0.01


def quick_gelu(x: Tensor) -> Tensor:
    """Return CLIP's activation ``x * sigmoid(1.702 x)``, of any shape."""
    return x * torch.sigmoid(1.702 * x)


class FeedForward(nn.Module):
    """Two layers with CLIP's activation between them: ``(..., D)`` -> ``(..., D)``, four times as wide inside."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide = nn.Linear(width, 4 * width)
        self.back = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Apply both layers."""
        out: Tensor = self.back(quick_gelu(self.wide(x)))
        return out


class WindowAttention(nn.Module):
    """Attention of every snippet to those of its window; the last window may be shorter.

    Args:
        width: D.
        heads: number of heads.
        window: snippets of a window.
        compat: padded snippets take part, and those behind the last whole window see nothing.
    """

    def __init__(self, width: int, heads: int, window: int, compat: bool) -> None:
        super().__init__()
        self.heads, self.window, self.compat = heads, window, compat
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Attend: ``x (B, T, D)``, ``valid (B, T)`` bool -> ``(B, T, D)``."""
        B, T, D = x.shape
        w = self.window
        short = (-T) % w
        if self.compat:
            valid = torch.ones_like(valid)
        qkv = F.pad(self.qkv(x), (0, 0, 0, short))  # (B, n w, 3 D)
        seen = F.pad(valid, (0, short)).view(B, -1, 1, 1, w)  # (B, n, 1, 1, w)
        q, k, v = qkv.view(B, -1, w, 3, self.heads, D // self.heads).permute(3, 0, 1, 4, 2, 5).unbind(0)
        logits = (q @ k.mT) * (D // self.heads) ** -0.5  # (B, n, h, w, w)
        weights = torch.softmax(torch.where(seen, logits, HIDDEN), dim=-1)
        y = (weights @ v).transpose(2, 3).reshape(B, T + short, D)[:, :T]
        if self.compat and short:
            y = y * (torch.arange(T, device=x.device) < T - T % w)[:, None]
        out: Tensor = self.out(y)
        return out


class WindowLayer(nn.Module):
    """One pre-norm transformer layer with attention in windows."""

    def __init__(self, width: int, heads: int, window: int, compat: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, window, compat)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Apply the layer to ``x (B, T, D)``."""
        x = x + self.attention(self.norm1(x), valid)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class Windows(nn.Module):
    """Learned positions, then layers of attention in windows: ``(B, T, D)`` -> ``(B, T, D)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        temporal, D = config.temporal, config.width
        self.position = nn.Parameter(torch.randn(temporal.length, D) * INIT_STD)
        self.layers = nn.ModuleList(
            WindowLayer(D, temporal.heads, temporal.window, config.compat) for _ in range(temporal.layers)
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Read neighbours: ``x (B, T, D)``, ``valid (B, T)`` bool."""
        x = x + self.position[: x.shape[1]]
        for layer in self.layers:
            x = layer(x, valid)
        return x
