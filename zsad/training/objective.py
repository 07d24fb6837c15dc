"""The published training loss, computed on the patch grid wherever that is exact.

Up-sampling is linear, ``Q = A P Aᵀ`` with A ``(S, G)`` whose rows sum to 1. Hence ``sum(Q) = <P, Aᵀ 1 A>`` and
``sum(Q y) = <P, Aᵀ y A>``: dice needs no pixel at all, once ``Aᵀ y A`` of each mask is known. Focal is not
linear; it is computed one image at a time, value and gradient together, and nothing of size S x S is kept.

With two classes and ``p_normal = 1 - p_anomalous``, which up-sampling preserves, one map serves for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.scoring.smoothing import smoothing_matrix

SMOOTH = 1e-5
"""Focal's clamp of the one-hot target, and what it adds to the probability."""


@dataclass(frozen=True)
class Targets:
    """What a batch of B images is compared with.

    Attributes:
        label: float32 ``(B,)`` in {0, 1}.
        mask: bool ``(B, S, S)``; the rows of images without a mask are not read.
        masked: bool ``(B,)``, whether the image has a mask (or is normal in a set that has masks).
    """

    label: Tensor
    mask: Tensor
    masked: Tensor


@dataclass(frozen=True)
class Weights:
    """How many images of the global batch share each mean, and the weight of the pixel part.

    Attributes:
        images: images in the global batch, over all processes.
        masked: of these, images with a mask.
        pixel: factor of focal and dice; 4 as published.
    """

    images: int
    masked: int
    pixel: float = 4.0


class Objective:
    """Cross-entropy of the image decision plus, per map, focal and two dice terms.

    Args:
        size: side S of the masks in pixels.
        grid: side G of the patch grid.
        device: where A is kept.
        dtype: float32, or float64 in tests.
    """

    def __init__(
        self, size: int, grid: int, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.size, self.grid = size, grid
        self.upsample = torch.from_numpy(smoothing_matrix(size, grid, 0.0)).to(device, dtype)  # A (S, G)
        column = self.upsample.sum(0)  # (G,)
        self.pixels_of_patch = torch.outer(column, column)  # Aᵀ 1 A (G, G)

    def __call__(
        self, image_logit: Tensor, patch_prob: Tensor, targets: Targets, weights: Weights
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of this process's images and its terms; sums over processes give the global ones.

        Args:
            image_logit: ``(B,)``, ``cos·(t_a − t_n) / τ``: the difference of the two class logits.
            patch_prob: ``(M, B, N)``, ``p_anomalous`` of every patch in M maps, N in row-major order.
            targets: labels and masks of the B images.
            weights: the sizes that the means are taken over.

        Returns:
            ``(total, terms)`` with scalar terms ``image``, ``focal``, ``dice_anomalous`` and ``dice_normal``,
            each summed over maps as published.
        """
        # Cross-entropy of two classes is the logistic loss of the difference of their logits.
        image = F.binary_cross_entropy_with_logits(image_logit, targets.label.to(image_logit), reduction="sum")
        terms = {"image": image / weights.images}
        rows = targets.masked.nonzero().squeeze(1)  # (K,)
        if len(rows):
            grid = patch_prob[:, rows].reshape(-1, len(rows), self.grid, self.grid)  # (M, K, G, G)
            parts = self.pixel(grid, targets.mask[rows])
            terms |= {name: value.sum() / weights.masked for name, value in parts.items()}
        else:
            terms |= dict.fromkeys(("focal", "dice_anomalous", "dice_normal"), image.new_zeros(()))
        pixel = terms["focal"] + terms["dice_anomalous"] + terms["dice_normal"]
        return weights.pixel * pixel + terms["image"], terms

    def pixel(self, grid: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return focal and both dice losses of each map and image, each ``(M, K)``.

        Args:
            grid: ``p_anomalous`` on the grid ``(M, K, G, G)``.
            mask: bool ``(K, S, S)``.

        Source: AnomalyCLIP (ICLR 2024), section 3.5; dice in the form of its released code.
        """
        A = self.upsample
        inside = torch.stack([A.T @ one.to(A.dtype) @ A for one in mask])  # Aᵀ y A (K, G, G)
        area = mask.sum((1, 2)).to(A.dtype)  # (K,)
        hit = (grid * inside).sum((2, 3))  # sum of Q y (M, K)
        total = (grid * self.pixels_of_patch).sum((2, 3))  # sum of Q (M, K)
        pixels = float(self.size**2)
        focal: Tensor = _Focal.apply(grid, mask, A)
        return {
            "focal": focal,
            "dice_anomalous": 1 - (2 * hit + 1) / (total + area + 1),
            "dice_normal": 1 - (2 * (pixels - total - area + hit) + 1) / (2 * pixels - total - area + 1),
        }


class _Focal(torch.autograd.Function):
    """Mean focal loss of ``A P Aᵀ`` against a mask, value and gradient in one pass per image."""

    @staticmethod
    def forward(ctx: Any, grid: Tensor, mask: Tensor, A: Tensor) -> Tensor:
        """Map grids ``(M, K, G, G)``, masks ``(K, S, S)`` and A ``(S, G)`` to ``(M, K)``."""
        M, K = grid.shape[:2]
        value = grid.new_empty(M, K)
        slope = torch.empty_like(grid)  # d value / d grid
        rise, floor, one = A.new_tensor(1 - 2 * SMOOTH), A.new_tensor(2 * SMOOTH), A.new_tensor(1.0)
        pt, rest, log = (A.new_empty(len(A), len(A)) for _ in range(3))  # reused: (S, S) each
        for k in range(K):
            # pt = (1 - 2e) (y ? q : 1 - q) + 2e;  value = -(1 - pt)² log pt
            signed = torch.where(mask[k], rise, -rise)  # d pt / d q (S, S)
            offset = torch.where(mask[k], floor, one)
            for m in range(M):
                torch.mm(A @ grid[m, k], A.T, out=pt).mul_(signed).add_(offset)
                torch.log(pt, out=log)
                torch.sub(1, pt, out=rest)
                ratio = torch.div(rest, pt, out=pt)
                square = rest.square()
                value[m, k] = -torch.dot(square.flatten(), log.flatten())
                step = log.mul_(2).sub_(ratio).mul_(rest).mul_(signed)  # d value / d q
                slope[m, k] = A.T @ step @ A
        pixels = mask[0].numel()
        ctx.save_for_backward(slope.div_(pixels))
        return value / pixels

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Scale the stored slopes by the incoming gradient ``(M, K)``."""
        (slope,) = ctx.saved_tensors
        return gradient[:, :, None, None] * slope, None, None
