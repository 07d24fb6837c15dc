"""Linear probes beside the text towers' decisions: a steep gradient for the vision tower, dropped after training.

Cosines with texts tell a fresh tower little: every feature is nearly the same vector. A linear layer on the features
as they are, before they become unit vectors, can ask the same questions from the first step on.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from factory import losses

PROBE = "probe."
"""Prefix of the probes' names in a checkpoint."""


class Probe(nn.Module):
    """Patches against mask and defect words, class tokens against label and material words.

    Args:
        dim: size D of the features.
        defects: number of defect words.
        materials: number of material words.
    """

    def __init__(self, dim: int, defects: int, materials: int) -> None:
        super().__init__()
        self.patch, self.image = nn.Linear(dim, 1), nn.Linear(dim, 1)
        self.defect, self.material = nn.Linear(dim, defects), nn.Linear(dim, materials)
        nn.init.constant_(self.patch.bias, -3.0)

    def loss(self, cls: Tensor, patches: Tensor, targets: losses.Targets, gain: float, positive: float) -> Tensor:
        """Return the sum of the four questions' losses.

        Args:
            cls: float32 ``(B, D)``, not normalised.
            patches: float32 ``(B, N, D)``, not normalised.
            targets: what is true.
            gain: patch target = a defect's share of the patch times this.
            positive: weight of a fully defective patch.
        """
        grid = round(patches.shape[1] ** 0.5)
        share = losses.share(targets.mask, grid, gain)  # (B, G, G)
        z = self.patch(patches)[..., 0].view_as(share)
        entropy = F.binary_cross_entropy_with_logits(z, share, reduction="none")
        dense = ((1 + (positive - 1) * share) * entropy).mean() + losses.soft_dice(
            z, losses.share(targets.mask, 2 * grid, gain)
        )
        flat = share.flatten(1)[..., None]  # (B, N, 1)
        inside = (flat * patches).sum(1) / flat.sum(1).clamp(min=1e-3)  # (B, D)
        outside = ((1 - flat) * patches).sum(1) / (1 - flat).sum(1).clamp(min=1e-3)
        image = F.binary_cross_entropy_with_logits(self.image(cls)[:, 0], targets.label)
        words = [
            losses.pick(self.defect(inside), targets.defects),
            losses.pick(self.defect(cls), targets.defects),
            losses.pick(self.material(outside), targets.materials),
            losses.pick(self.material(cls), targets.materials),
        ]
        return dense + image + torch.stack(words).mean()
