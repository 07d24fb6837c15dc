"""Go on at another image size: a checkpoint whose table of positions is stretched to another grid."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.tiny.checkpoint import Checkpoint
from zsad.tiny.config import ModelConfig

TABLE = "visual.positional_embedding"


def with_image_size(saved: Checkpoint, model: ModelConfig) -> Checkpoint:
    """Return a checkpoint for images of ``model.image_size``; weights, averages and moments of positions are resized.

    Args:
        saved: a checkpoint whose model differs in ``image_size`` at most.
        model: the model to go on with.
    """
    old = saved.config["model"]
    if old["image_size"] == model.image_size:
        return saved
    config = {**saved.config, "model": {**old, "image_size": model.image_size}}
    tensors = {n: stretched(v, model.grid) if n.endswith(TABLE) else v for n, v in saved.tensors.items()}
    return replace(saved, config=config, tensors=tensors)


def stretched(table: Tensor, grid: int) -> Tensor:
    """Resize a table of positions bilinearly, as the encoder does for images of another size.

    Args:
        table: ``(1 + A², W)``, the class token's position first.
        grid: G, cells along a side.

    Returns:
        ``(1 + G², W)``.
    """
    side = round((len(table) - 1) ** 0.5)
    square = table[1:].T.reshape(1, -1, side, side)  # (1, W, A, A)
    resized = F.interpolate(square, size=(grid, grid), mode="bilinear")[0].flatten(1).T
    return torch.cat([table[:1], resized])
