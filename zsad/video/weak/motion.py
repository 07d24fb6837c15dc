"""Motion branch: features of what moves beside those of what is seen, and a loss that holds them together.

Source: HAWK (NeurIPS 2024), section 3.2 and its consistency loss, on features of frames in place of a language model's
tokens: both are compressed, and one minus the cosine of the whole videos' is added.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class MotionBranch(nn.Module):
    """Add motion features to those of appearance: ``(B, T, D)`` and ``(B, T, M)`` -> ``(B, T, D)``; tokens alike.

    The last layer begins at 0, so that a model begins as it is without motion.

    Args:
        width: D.
        motion: M.
        inner: width in which both are compared.
    """

    def __init__(self, width: int, motion: int, inner: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Linear(motion, width)
        self.out = nn.Linear(width, width)
        self.compress_appearance, self.compress_motion = nn.Linear(width, inner), nn.Linear(width, inner)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, motion: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return features with motion, and the consistency loss of the batch, in [0, 2]."""
        moved = F.gelu(self.hidden(motion))
        keep = valid[(..., *[None] * (x.ndim - 2))].to(x.dtype)
        seen = (self.compress_appearance(x) * keep).flatten(1)
        felt = (self.compress_motion(moved) * keep).flatten(1)
        return x + self.out(moved) * keep, (1 - F.cosine_similarity(seen, felt, dim=-1)).mean()
