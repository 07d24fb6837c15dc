"""Go on with a larger model: a checkpoint for other images, with more blocks, or read through another path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from factory.checkpoint import Checkpoint
from factory.config import ModelConfig

TABLE = "visual.positional_embedding"
BLOCKS = "visual.transformer.resblocks."
_SILENT = ("attn.out_proj.weight", "attn.out_proj.bias", "mlp.c_proj.weight", "mlp.c_proj.bias")
"""What a block adds to its input passes through these; all zero, the block does nothing."""
_WEIGHTS, _SQUARES = ("weights", "average"), "exp_avg_sq"


def grown(saved: Checkpoint, model: ModelConfig) -> Checkpoint:
    """Return a checkpoint to go on from as ``model``.

    Another ``image_size`` resizes the table of positions, more ``depth`` inserts blocks that do nothing yet, and
    another ``vv_blocks`` changes nothing that is stored. What else differs is left to the caller to refuse.

    Args:
        saved: a checkpoint with weights, averages and moments.
        model: the model to go on with.

    Returns:
        The same step and history; tensors, and the model of its config, changed as said.
    """
    old = saved.config["model"]
    tensors = saved.tensors
    if old["image_size"] != model.image_size:
        tensors = {n: stretched(v, model.grid) if n.endswith(TABLE) else v for n, v in tensors.items()}
    if old["depth"] < model.depth:
        tensors = deepened(tensors, old["depth"], model.depth)
    depth = max(old["depth"], model.depth)
    shape = {**old, "image_size": model.image_size, "vv_blocks": model.vv_blocks, "depth": depth}
    return replace(saved, config={**saved.config, "model": shape}, tensors=tensors)


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


def deepened(tensors: Mapping[str, Tensor], depth: int, wanted: int) -> dict[str, Tensor]:
    """Insert blocks before the last one: copies of the block before it, whose output is zero.

    The class token is what it was; value-value features change where the new blocks' values enter them.

    Args:
        tensors: of a checkpoint with ``depth`` blocks; names as in ``weights/clip.visual.transformer.resblocks.0.…``.
        depth: blocks there are.
        wanted: blocks there shall be, more than ``depth``.

    Returns:
        All tensors, those of the last block renamed; the new blocks' running means of gradients are zero, too.
    """
    last, before = f"{BLOCKS}{depth - 1}.", f"{BLOCKS}{max(0, depth - 2)}."
    result = {n.replace(last, f"{BLOCKS}{wanted - 1}."): v for n, v in tensors.items()}
    for name, value in tensors.items():
        if before in name:
            quiet = _moves(name) or (name.startswith(_WEIGHTS) and name.endswith(_SILENT))
            for number in range(depth - 1, wanted - 1):
                result[name.replace(before, f"{BLOCKS}{number}.")] = torch.zeros_like(value) if quiet else value.clone()
    return result


def _moves(name: str) -> bool:
    """Return whether a tensor is a running mean of gradients, which the copied block's don't fit."""
    return not name.startswith((*_WEIGHTS, _SQUARES))
