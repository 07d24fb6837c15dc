"""VAD-LLaMA's detector: frame tokens of a clip read by learned queries, and a head on every query.

Source: VAD-LLaMA (ECCV 2024), section 3.2: layers as in BLIP-2's Q-Former, here with the norm first.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.windows import HIDDEN


class TokenMLP(nn.Sequential):
    """Linear, norm, linear, with no activation between them: ``(..., D)`` -> ``(..., out)``."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, out))


class Attention(nn.Module):
    """Queries ``(N, Q, D)`` attend to tokens ``(N, S, D)``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.keys, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, q: Tensor, tokens: Tensor, seen: Tensor | None = None) -> Tensor:
        """Attend; ``seen`` bool ``(N, S)`` says which tokens count, at least one of each."""
        N, Q, D = q.shape
        own = self.query(q).view(N, Q, self.heads, -1).transpose(1, 2)
        k, v = self.keys(tokens).view(N, -1, 2, self.heads, D // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        logits = (own @ k.mT) * own.shape[-1] ** -0.5  # (N, h, Q, S)
        if seen is not None:
            logits = torch.where(seen[:, None, None], logits, HIDDEN)
        y = torch.softmax(logits, dim=-1) @ v
        out: Tensor = self.out(y.transpose(1, 2).reshape(N, Q, D))
        return out


class QueryLayer(nn.Module):
    """Queries see each other, then the clip, then themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.clip = Attention(width, heads), Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, q: Tensor, tokens: Tensor, seen: Tensor) -> Tensor:
        """Apply the layer to ``q (N, Q, D)``."""
        y = self.norms[0](q)
        q = q + self.own(y, y)
        q = q + self.clip(self.norms[1](q), tokens, seen)
        out: Tensor = q + self.mlp(self.norms[2](q))
        return out


class Queries(nn.Module):
    """Learned queries read every clip: tokens ``(B, c, t, q, D)`` -> ``(B, c, Q, D)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        temporal, D = config.temporal, config.width
        self.place = nn.Parameter(torch.randn(temporal.clip, 1, D) * 0.02)
        self.queries = nn.Parameter(torch.randn(temporal.queries, D) * 0.02)
        self.layers = nn.ModuleList(QueryLayer(D, temporal.heads) for _ in range(temporal.layers))
        self.norm = nn.LayerNorm(D)

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Read ``tokens``; ``valid`` bool ``(B, c, t)`` says which frames there are."""
        B, c, _, q, D = tokens.shape
        placed = (tokens + self.place).reshape(B * c, -1, D)  # (N, t q, D)
        seen = (valid | ~valid.any(dim=-1, keepdim=True)).reshape(B * c, -1).repeat_interleave(q, dim=1)
        out = self.queries.expand(B * c, -1, -1)
        for layer in self.layers:
            out = layer(out, placed, seen)
        read: Tensor = self.norm(out).view(B, c, -1, D)
        return read


def into_clips(frames: Tensor, valid: Tensor, clip: int) -> tuple[Tensor, Tensor]:
    """Cut frame tokens ``(B, T, q, D)`` and ``valid (B, T)`` into clips, the last one padded: ``(B, c, t, ...)``."""
    short = (-frames.shape[1]) % clip
    B, _, q, D = frames.shape
    return F.pad(frames, (0, 0, 0, 0, 0, short)).view(B, -1, clip, q, D), F.pad(valid, (0, short)).view(B, -1, clip)


def told(query_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits of each clip's most abnormal query and which it is: ``(B, c, 2)``, ``(B, c)``.

    Args:
        query_logits: ``(B, c, Q, 2)``, normal and abnormal.
    """
    best = torch.softmax(query_logits, dim=-1)[..., 1].argmax(dim=-1)  # (B, c)
    index = best[..., None, None].expand(*best.shape, 1, 2)
    return query_logits.gather(2, index).squeeze(2), best
