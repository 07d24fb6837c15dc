"""Losses of VAD-LLaMA's detector and of UMIL: the surest clip tells of the video, and clips must differ in it.

Sources: VAD-LLaMA (ECCV 2024), section 3.2; UMIL (CVPR 2023); as published.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.video.weak.losses import Terms

SMOOTH, SPARSE = 0.01, 0.01


def margin(clip_logits: Tensor, labels: Tensor, valid: Tensor | None = None, *, binary: bool = False) -> Terms:
    """Return the loss of every kind, not weighed.

    Args:
        clip_logits: normal and abnormal ``(B, c, 2)``.
        labels: 0 or 1, ``(B,)``.
        valid: bool ``(B, c)``; None where every clip is there.
        binary: UMIL's form of the margin, a cross entropy.

    Returns:
        ``mil``, ``margin``, ``smooth`` and ``sparse``. How sure the surest clip is weighs the first two, and its
        gradient flows, as published.
    """
    p = torch.softmax(clip_logits, dim=-1)[..., 1]  # (B, c)
    valid = torch.ones_like(p, dtype=torch.bool) if valid is None else valid
    highest, best = p.masked_fill(~valid, -1.0).max(dim=1)
    lowest = p.masked_fill(~valid, 2.0).min(dim=1).values
    sure = torch.maximum(highest, 1 - highest)
    y = labels.to(p.dtype)
    chosen = clip_logits.gather(1, best[:, None, None].expand(-1, 1, 2)).squeeze(1)  # (B, 2)
    apart = highest - lowest
    linear = y * (1 - apart) + (1 - y) * apart
    unlike = F.binary_cross_entropy(apart, y, reduction="none") if binary else linear
    pairs = valid[:, 1:] & valid[:, :-1]
    return {
        "mil": (sure * F.cross_entropy(chosen, labels.long(), reduction="none")).mean(),
        "margin": (sure * unlike).mean(),
        "smooth": ((p[:, 1:] - p[:, :-1]) ** 2 * pairs).sum(dim=1).mean(),
        "sparse": (p * valid).sum(dim=1).mean(),
    }


def weighed(terms: Terms, sparse: float = SPARSE) -> Terms:
    """Return the terms with the published weights; UMIL's ``sparse`` is 0.001."""
    return terms | {"smooth": SMOOTH * terms["smooth"], "sparse": sparse * terms["sparse"]}
