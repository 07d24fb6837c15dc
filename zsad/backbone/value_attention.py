"""The value-value path: a second, local stream beside the ordinary one of a frozen ViT.

Reads the *parameters* of the installed open_clip or timm module, never its forward, so that nothing of
CLIP is copied here and any version with the same parameter names works.

Source: AnomalyCLIP (ICLR 2024), section 3.4 (DPAM); exact order of operations as in its released code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Block:
    """One pre-norm transformer block, seen through its parameters.

    Attributes:
        norm1: layer norm before attention.
        qkv_weight: ``(3 W, W)``, rows in the order query, key, value.
        qkv_bias: ``(3 W,)`` or None.
        out: output projection of the attention.
        scale1: layer scale after attention, or identity.
        norm2: layer norm before the MLP.
        mlp: the MLP.
        scale2: layer scale after the MLP, or identity.
        heads: number of attention heads.
        q_norm: per-head norm of the queries, or identity.
        k_norm: per-head norm of the keys, or identity.
    """

    norm1: nn.Module
    qkv_weight: Tensor
    qkv_bias: Tensor | None
    out: nn.Module
    scale1: nn.Module
    norm2: nn.Module
    mlp: nn.Module
    scale2: nn.Module
    heads: int
    q_norm: nn.Module
    k_norm: nn.Module


_IDENTITY = nn.Identity()


def open_clip_blocks(transformer: Any) -> list[Block]:
    """View the blocks of an open_clip transformer (``model.visual.transformer``)."""
    return [
        Block(
            norm1=block.ln_1,
            qkv_weight=block.attn.in_proj_weight,
            qkv_bias=block.attn.in_proj_bias,
            out=block.attn.out_proj,
            scale1=block.ls_1,
            norm2=block.ln_2,
            mlp=block.mlp,
            scale2=block.ls_2,
            heads=block.attn.num_heads,
            q_norm=_IDENTITY,
            k_norm=_IDENTITY,
        )
        for block in transformer.resblocks
    ]


def timm_blocks(vit: Any) -> list[Block]:
    """View the blocks of a timm ``VisionTransformer``."""
    return [
        Block(
            norm1=block.norm1,
            qkv_weight=block.attn.qkv.weight,
            qkv_bias=block.attn.qkv.bias,
            out=block.attn.proj,
            scale1=block.ls1,
            norm2=block.norm2,
            mlp=block.mlp,
            scale2=block.ls2,
            heads=block.attn.num_heads,
            q_norm=block.attn.q_norm,
            k_norm=block.attn.k_norm,
        )
        for block in vit.blocks
    ]


def two_streams(
    x: Tensor, blocks: Sequence[Block], vv_blocks: int, layers: Sequence[int]
) -> tuple[Tensor, dict[int, Tensor]]:
    """Run all blocks; the last ``vv_blocks`` carry the value-value stream beside the ordinary one.

    With o the ordinary and v the value-value stream, and y = norm1(o), each of those blocks does
    ``v += out(softmax(V Vᵀ / sqrt(d)) V)`` and ``o += out(softmax(Q Kᵀ / sqrt(d)) V); o += mlp(norm2(o))``;
    v starts as o. The v stream stops after the last layer that is read, and the last block computes o for
    the first token only, since nothing else of it is read: both are exact.

    Args:
        x: tokens ``(B, P + N, W)``, the class token first, P prefix tokens in all.
        blocks: all blocks of the tower.
        vv_blocks: how many last blocks are dual; 0 reads ordinary features.
        layers: 1-based blocks whose features are read: v in dual blocks, o in plain ones.

    Returns:
        ``(cls, features)``: the ordinary stream's first token after the last block ``(B, W)``, and per
        layer its tokens ``(B, P + N, W)``, before any final norm or projection.
    """
    depth, wanted = len(blocks), set(layers)
    first_dual = depth - min(vv_blocks, depth) + 1
    features: dict[int, Tensor] = {}
    v: Tensor | None = None
    for number, block in enumerate(blocks, start=1):
        dual = number >= first_dual and number <= max(wanted)
        if dual and v is None:
            v = x
        first_only = number == depth and (dual or number not in wanted)
        o_step, v_step = _attention(block, x, dual, first_only)
        if v is not None and v_step is not None:
            v = v + v_step
        x = (x[:, :1] if first_only else x) + o_step
        x = x + block.scale2(block.mlp(block.norm2(x)))
        if number in wanted:
            features[number] = v if dual and v is not None else x
    return x[:, 0], features


def _attention(block: Block, x: Tensor, dual: bool, first_only: bool) -> tuple[Tensor, Tensor | None]:
    """Return the ordinary step ``(B, T or 1, W)`` and, if dual, the value-value step ``(B, T, W)``."""
    B, T, W = x.shape
    y = block.norm1(x)
    q, k, v = _query_key_value(block, y, first_only)
    ordinary = F.scaled_dot_product_attention(block.q_norm(q), block.k_norm(k), v)
    ordinary = ordinary.transpose(1, 2).reshape(B, -1, W)
    if not dual:
        return block.scale1(block.out(ordinary)), None
    local = F.scaled_dot_product_attention(v, v, v).transpose(1, 2).reshape(B, T, W)
    # One projection for both streams: one larger matrix product instead of two.
    both = block.scale1(block.out(torch.cat([ordinary, local], dim=1)))
    return both[:, :-T], both[:, -T:]


def _query_key_value(block: Block, y: Tensor, first_only: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Project to heads: q ``(B, h, T or 1, d)``, k and v ``(B, h, T, d)``."""
    B, T, W = y.shape
    if not first_only:
        qkv = F.linear(y, block.qkv_weight, block.qkv_bias)
        # One copy, so that each head's rows lie together: attention on CPU is a fifth faster for it.
        q, k, v = qkv.view(B, T, 3, block.heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        return q, k, v
    bias = block.qkv_bias
    q = F.linear(y[:, :1], block.qkv_weight[:W], None if bias is None else bias[:W])
    kv = F.linear(y, block.qkv_weight[W:], None if bias is None else bias[W:])
    k, v = kv.view(B, T, 2, block.heads, -1).permute(2, 0, 3, 1, 4).contiguous().unbind(0)
    return q.view(B, 1, block.heads, -1).transpose(1, 2), k, v
