"""UR-DMU's loss: what the two memories must remember, and latents that keep apart.

Source: UR-DMU (AAAI 2023), section 3.4, weights as published.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.video.weak.losses import Terms
from zsad.video.weak.memories import Pairs

WEIGHTS = {
    "video": 1.0, "abnormal": 0.1, "abnormal_in_normal": 0.1, "normal": 0.1, "normal_in_abnormal": 0.1,
    "triplet": 0.1, "latent": 0.001, "distance": 0.0001,
}  # fmt: skip
APART = 100.0
"""How much longer abnormal latents are to be than normal ones."""


def divergence(mean: Tensor, log_variance: Tensor, *, compat: bool = False) -> Tensor:
    """Return the mean KL divergence of latents ``(B, T, D)`` from a standard normal.

    With ``compat`` it is summed over time and averaged over latents, as published: ``T / D`` times as much.
    """
    each = -0.5 * (1 + log_variance - mean**2 - log_variance.exp())
    return each.sum(dim=1 if compat else 2).mean()


def memory(frames: Tensor, pairs: Pairs, *, compat: bool = False) -> Terms:
    """Return every term, not weighed; see :data:`WEIGHTS`.

    Args:
        frames: scores in (0, 1) of the snippets ``(2 b, T)``, normal videos first.
        pairs: what the memories read.
        compat: see :func:`divergence`.
    """

    def told(score: Tensor, label: float) -> Tensor:
        top = score.topk(score.shape[1] // 16 + 1, dim=1).values.mean(dim=1)
        return F.binary_cross_entropy(top, torch.full_like(top, label))

    def each(score: Tensor, label: float) -> Tensor:
        return F.binary_cross_entropy(score, torch.full_like(score, label))

    top = frames.topk(frames.shape[1] // 16 + 1, dim=1).values.mean(dim=1)  # (2 b,)
    labels = torch.cat([torch.zeros_like(top[: len(top) // 2]), torch.ones_like(top[len(top) // 2 :])])
    anchor, positive, negative = (F.normalize(v, dim=-1) for v in (pairs.anchor, pairs.positive, pairs.negative))
    longer = pairs.latent_negative.norm(dim=-1) - pairs.latent_anchor.norm(dim=-1)
    return {
        "video": F.binary_cross_entropy(top, labels),
        "abnormal": told(pairs.aa, 1.0),
        "abnormal_in_normal": told(1 - pairs.an, 1.0),
        "normal": each(pairs.nn, 1.0),
        "normal_in_abnormal": each(pairs.na, 0.0),
        "triplet": F.triplet_margin_loss(anchor, positive, negative, margin=1.0),
        "latent": divergence(pairs.mean, pairs.log_variance, compat=compat),
        "distance": torch.relu(APART - longer).mean(),
    }


def weighed(terms: Terms) -> Terms:
    """Return the terms times :data:`WEIGHTS`."""
    return {name: WEIGHTS[name] * value for name, value in terms.items()}
