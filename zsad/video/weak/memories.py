"""Context block of UR-DMU: one memory of normal and one of abnormal snippets, read by likeness.

Source: UR-DMU (AAAI 2023), sections 3.2 and 3.3, as published.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zsad.video.learned.config import Config
from zsad.video.weak.losses import top_rows


class Memory(nn.Module):
    """K learned slots: how well a snippet is remembered, and what is remembered of it."""

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        limit = width**-0.5
        self.slots = nn.Parameter(torch.empty(slots, width).uniform_(-limit, limit))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Read ``x (B, T, D)``: scores in (0, 1) ``(B, T)``, and what is read ``(B, T, D)``."""
        K, D = self.slots.shape
        near = torch.sigmoid(x @ self.slots.mT * D**-0.5)  # (B, T, K)
        return near.topk(K // 16 + 1, dim=-1).values.mean(dim=-1), near @ self.slots


@dataclass
class Pairs:
    """What the loss reads of a batch whose first half is normal; ``b`` is half of it, ``n`` its crops.

    Scores are ``(b, T)``: ``aa`` abnormal videos in the abnormal memory, ``an`` those in the normal one, ``nn`` and
    ``na`` the normal videos'. ``rows`` ``(2 b n, T, 2 D)`` go to the head. The others are means of the most
    telling rows ``(b, D)``, and ``mean``, ``log_variance`` ``(b n, T, D)`` of the normal latents.
    """

    aa: Tensor
    an: Tensor
    nn: Tensor
    na: Tensor
    rows: Tensor
    anchor: Tensor
    positive: Tensor
    negative: Tensor
    latent_anchor: Tensor
    latent_negative: Tensor
    mean: Tensor
    log_variance: Tensor


class Memories(nn.Module):
    """Both memories, and latents of what they say: ``(B, T, D)`` -> ``(B, T, 2 D)``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        D, slots = config.inner, config.context.slots
        self.abnormal, self.normal = Memory(slots, D), Memory(slots, D)
        self.mu, self.var = nn.Linear(D, D), nn.Linear(D, D)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Add what both memories say of ``x (B, T, D)``."""
        read = self.mu(self.abnormal(x)[1]) + self.mu(self.normal(x)[1])
        return torch.cat([x, read], dim=-1)

    def pairs(self, x: Tensor, crops: int = 1, noise: Tensor | None = None) -> Pairs:
        """Read a training batch ``(2 b n, T, D)``, normal videos first.

        Args:
            x: the temporal block's output.
            crops: n, sequences of each video.
            noise: standard normal ``(b n, T, D)`` of the latents; drawn where absent.
        """
        N, A = x.chunk(2)  # (b n, T, D)
        (aa, read_aa), (an, read_an) = self.abnormal(A), self.normal(A)
        (na, read_na), (nn_, read_nn) = self.abnormal(N), self.normal(N)
        mean, log_variance = self.mu(read_nn), self.var(read_nn)
        noise = torch.randn_like(mean) if noise is None else noise
        latent_n = mean + noise * torch.exp(log_variance / 2)
        latent_a = self.mu(read_aa)
        rows = torch.cat([latent_n + self.mu(read_na), latent_a + self.mu(read_an)])

        def told(values: Tensor, by: Tensor) -> Tensor:
            return crop_mean(top_rows(values, by), crops)

        return Pairs(
            aa=crop_mean(aa, crops),
            an=crop_mean(an, crops),
            nn=crop_mean(nn_, crops),
            na=crop_mean(na, crops),
            rows=torch.cat([x, rows], dim=-1),
            anchor=told(N, nn_),
            positive=told(A, an),
            negative=told(A, aa),
            latent_anchor=told(latent_n, nn_),
            latent_negative=told(latent_a, aa),
            mean=mean,
            log_variance=log_variance,
        )


def crop_mean(values: Tensor, crops: int) -> Tensor:
    """Return the mean over a video's crops: ``(b n, ...)`` -> ``(b, ...)``."""
    return values.view(-1, crops, *values.shape[1:]).mean(dim=1)
