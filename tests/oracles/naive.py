"""The published method written out step by step from its description, without any of zsad's savings.

Two uses: an independent reference for tests (it shares no step with ``zsad``), and the baseline of speed
measurements, since it computes as the released code does: both attentions materialised, every block's ordinary
stream in full, two dot products and two up-samplings, all 77 text positions, scipy's Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]
HEAD = 64


def layer_norm(x: Tensor, w: Weights, name: str) -> Tensor:
    """Normalise over the last axis with epsilon 1e-5."""
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def mlp(x: Tensor, w: Weights, block: str) -> Tensor:
    """Two linear layers with QuickGELU between them."""
    hidden = x @ w[f"{block}.mlp.c_fc.weight"].T + w[f"{block}.mlp.c_fc.bias"]
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    return hidden @ w[f"{block}.mlp.c_proj.weight"].T + w[f"{block}.mlp.c_proj.bias"]


def heads(x: Tensor, w: Weights, block: str) -> tuple[Tensor, Tensor, Tensor]:
    """Project ``(B, T, W)`` to queries, keys and values ``(B, h, T, 64)``."""
    y = x @ w[f"{block}.attn.in_proj_weight"].T + w[f"{block}.attn.in_proj_bias"]
    B, T, _ = x.shape
    q, k, v = (part.reshape(B, T, -1, HEAD).transpose(1, 2) for part in y.chunk(3, dim=-1))
    return q, k, v


def attend(q: Tensor, k: Tensor, v: Tensor, w: Weights, block: str, mask: Tensor | None = None) -> Tensor:
    """Attend with the matrix written out, and project back to ``(B, T, W)``."""
    logits = q @ k.transpose(-1, -2) * HEAD**-0.5  # (B, h, T, T)
    if mask is not None:
        logits = logits + mask
    y = (logits.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)  # (B, T, W)
    out: Tensor = y @ w[f"{block}.attn.out_proj.weight"].T + w[f"{block}.attn.out_proj.bias"]
    return out


@dataclass(frozen=True)
class Seen:
    """What the vision tower gives.

    Attributes:
        cls: class token of the ordinary stream, projected, ``(B, D)``.
        features: normed and projected tokens ``(B, 1 + N, D)`` by 1-based layer.
        ordinary: output of each block's ordinary stream, ``(B, 1 + N, W)``.
        local: output of each dual block's value-value stream.
    """

    cls: Tensor
    features: dict[int, Tensor]
    ordinary: dict[int, Tensor]
    local: dict[int, Tensor]


def see(image: Tensor, w: Weights, vv_blocks: int, layers: Sequence[int]) -> Seen:
    """Run the vision tower on ``(B, 3, S, S)`` with both streams in full."""
    x = F.conv2d(image, w["visual.conv1.weight"], stride=w["visual.conv1.weight"].shape[-1])  # (B, W, G, G)
    grid = x.shape[-1]
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([w["visual.class_embedding"].expand(len(x), 1, -1), x], dim=1)  # (B, 1 + N, W)
    table = w["visual.positional_embedding"]
    old = math.isqrt(len(table) - 1)
    patches = table[1:].T.reshape(1, -1, old, old)
    patches = F.interpolate(patches, size=(grid, grid), mode="bilinear", align_corners=False)
    x = layer_norm(x + torch.cat([table[:1], patches[0].flatten(1).T]), w, "visual.ln_pre")
    depth = count(w, "visual.transformer.resblocks.")
    ordinary, local = {}, {}
    v_stream: Tensor | None = None
    for number in range(1, depth + 1):
        block = f"visual.transformer.resblocks.{number - 1}"
        q, k, v = heads(layer_norm(x, w, f"{block}.ln_1"), w, block)
        if number > depth - vv_blocks:
            v_stream = x if v_stream is None else v_stream
            v_stream = v_stream + attend(v, v, v, w, block)
            local[number] = v_stream
        x = x + attend(q, k, v, w, block)
        x = x + mlp(layer_norm(x, w, f"{block}.ln_2"), w, block)
        ordinary[number] = x
    project = w["visual.proj"]
    features = {n: layer_norm(local.get(n, ordinary[n]), w, "visual.ln_post") @ project for n in layers}
    return Seen(x[:, 0] @ project, features, ordinary, local)


def say(prompts: Tensor, ids: Tensor, deep: Sequence[Tensor], w: Weights, half: bool) -> Tensor:
    """Run the text tower on embeddings ``(P, 77, W)`` with deep prompts: features ``(P, D)``."""
    x = prompts + w["positional_embedding"]
    mask = torch.full((x.shape[1],) * 2, float("-inf"), dtype=x.dtype).triu(1)
    for index in range(count(w, "transformer.resblocks.")):
        if 1 <= index <= len(deep):
            rows = deep[index - 1].expand(len(x), -1, -1)
            rows = rows.half().to(x.dtype) if half else rows
            x = torch.cat([x[:, :1], rows, x[:, 1 + rows.shape[1] :]], dim=1)
        block = f"transformer.resblocks.{index}"
        x = x + attend(*heads(layer_norm(x, w, f"{block}.ln_1"), w, block), w, block, mask)
        x = x + mlp(layer_norm(x, w, f"{block}.ln_2"), w, block)
    x = layer_norm(x, w, "ln_final")
    return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ w["text_projection"]


def judge(features: Tensor, text: Tensor, temperature: float = 0.07) -> Tensor:
    """Softmax over the two texts: features ``(..., D)``, text ``(2, D)`` -> ``(..., 2)``."""
    unit = features / features.norm(dim=-1, keepdim=True)
    logits: Tensor = unit @ (text / text.norm(dim=-1, keepdim=True)).T / temperature
    return logits.softmax(dim=-1)


def enlarge(prob: Tensor, size: int) -> Tensor:
    """Up-sample probabilities of all tokens ``(B, 1 + N, 2)`` without the class token: ``(B, 2, S, S)``."""
    side = math.isqrt(prob.shape[1] - 1)
    grid = prob[:, 1:].transpose(1, 2).reshape(len(prob), 2, side, side)
    return F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)


def anomaly_map(seen: Seen, text: Tensor, size: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the published map, a sum over layers, before and after smoothing, ``(B, S, S)``."""
    total = torch.zeros(1)
    for tokens in seen.features.values():
        prob = enlarge(judge(tokens, text), size)
        total = total + (prob[:, 1] + 1 - prob[:, 0]) / 2
    smooth = np.stack([scipy.ndimage.gaussian_filter(m, sigma=sigma) for m in total.detach().numpy()])
    return total, torch.from_numpy(smooth)


def losses(seen: Seen, text: Tensor, mask: Tensor, label: Tensor) -> tuple[Tensor, list[list[Tensor]]]:
    """Return the image loss, and focal and both dice losses of each layer."""
    rows = []
    for tokens in seen.features.values():
        prob = enlarge(judge(tokens, text), mask.shape[-1])
        hot = torch.stack([1 - mask, mask], dim=1).clamp(1e-5, 1 - 1e-5)
        pt = (hot * prob).sum(dim=1) + 1e-5
        focal = (-((1 - pt) ** 2) * pt.log()).mean()
        dice = []
        for p, y in ((prob[:, 1], mask), (prob[:, 0], 1 - mask)):
            d = (2 * (p * y).sum(dim=(1, 2)) + 1) / (p.sum(dim=(1, 2)) + y.sum(dim=(1, 2)) + 1)
            dice.append(1 - d.mean())
        rows.append([focal, *dice])
    unit = seen.cls / seen.cls.norm(dim=-1, keepdim=True)
    logits = unit @ (text / text.norm(dim=-1, keepdim=True)).T / 0.07
    return F.cross_entropy(logits, label), rows


def count(w: Weights, prefix: str) -> int:
    """Count the blocks of a tower."""
    return len({name.removeprefix(prefix).split(".")[0] for name in w if name.startswith(prefix)})
