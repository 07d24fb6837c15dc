"""Losses of prompt training in their published form: focal and dice on probability maps, cross-entropy on images.

Source: AnomalyCLIP (ICLR 2024), section 3.4, with the constants of its released code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PIXEL_WEIGHT = 4.0
"""Weight of the pixel losses in the published total."""
GAMMA = 2.0
SMOOTH = 1e-5
"""Label smoothing of the focal loss, which also keeps its logarithm finite."""


def focal_loss(prob: Tensor, mask: Tensor) -> Tensor:
    """Focal loss of probabilities, mean over pixels.

    The input already is a probability, and true and other class weigh ``1 - 1e-5`` and ``1e-5``; kornia's
    focal loss takes logits and has no such smoothing, which differs where a probability is small.

    Args:
        prob: ``(B, 2, S, S)`` in [0, 1], channel 0 normal, channel 1 anomalous.
        mask: float ``(B, S, S)`` of 0 and 1.

    Returns:
        Scalar.
    """
    normal, anomalous = prob.unbind(dim=1)  # (B, S, S)
    true = torch.where(mask > 0.5, anomalous, normal)
    other = torch.where(mask > 0.5, normal, anomalous)
    pt = true * (1.0 - SMOOTH) + other * SMOOTH + SMOOTH  # (B, S, S)
    return (-((1.0 - pt) ** GAMMA) * pt.log()).mean()


def dice_loss(prob: Tensor, mask: Tensor) -> Tensor:
    """One minus the mean over images of ``(2 Σ p y + 1) / (Σ p + Σ y + 1)``.

    Args:
        prob: ``(B, S, S)`` in [0, 1].
        mask: float ``(B, S, S)`` of 0 and 1.

    Returns:
        Scalar.
    """
    p, y = prob.flatten(1), mask.flatten(1)  # (B, S²)
    dice = (2.0 * (p * y).sum(dim=1) + 1.0) / (p.sum(dim=1) + y.sum(dim=1) + 1.0)  # (B,)
    return 1.0 - dice.mean()


def pixel_losses(maps: Tensor, mask: Tensor) -> Tensor:
    """Focal loss, dice of anomalous and dice of normal, for each feature layer.

    Args:
        maps: ``(B, L, 2, S, S)`` from :func:`zsad.scoring.direction_head.similarity_maps`, normal and anomalous.
        mask: float ``(B, S, S)`` of 0 and 1.

    Returns:
        ``(L, 3)``.
    """
    rows = [
        torch.stack([focal_loss(pair, mask), dice_loss(pair[:, 1], mask), dice_loss(pair[:, 0], 1.0 - mask)])
        for pair in maps.unbind(dim=1)  # (B, 2, S, S)
    ]
    return torch.stack(rows)


def image_loss(cls: Tensor, direction: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy of normal against anomalous, mean over images, from the difference of the two logits.

    Args:
        cls: class features ``(B, D)``, not normalised.
        direction: ``(D,)``, ``(t_anomalous − t_normal) / τ``.
        label: int ``(B,)``, 1 for anomalous.

    Returns:
        Scalar.
    """
    logit = F.normalize(cls.float(), dim=-1) @ direction  # (B,)
    return F.binary_cross_entropy_with_logits(logit, label.to(logit.dtype))


def total_loss(pixel: Tensor, image: Tensor, weight: float = PIXEL_WEIGHT) -> Tensor:
    """Return ``weight`` times the sum of all pixel losses ``(L, 3)`` plus the image loss; published: 4."""
    return weight * pixel.sum() + image
