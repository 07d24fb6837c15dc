"""The dual encoder: an open_clip ``CLIP`` read through the same value-value path as the detector's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zsad.backbone import Reading, TextTower
from zsad.backbone.openclip import OpenClipVision
from zsad.card import OPENAI_MEAN, OPENAI_STD
from zsad.errors import OutputError
from zsad.tiny.config import ModelConfig

VOCABULARY = 49408
"""Tokens of open_clip's byte-pair encoding."""


def open_clip_config(config: ModelConfig) -> dict[str, Any]:
    """Return the content of ``open_clip_config.json``, which open_clip's ``local-dir:`` reads."""
    return {
        "model_cfg": {
            "embed_dim": config.embed_dim,
            "vision_cfg": {
                "image_size": config.image_size,
                "patch_size": config.patch_size,
                "width": config.width,
                "layers": config.depth,
                "head_width": config.head_width,
            },
            "text_cfg": {
                "context_length": config.context_length,
                "vocab_size": VOCABULARY,
                "width": config.text_width,
                "heads": config.text_heads,
                "layers": config.text_depth,
            },
        },
        "preprocess_cfg": {
            "mean": list(OPENAI_MEAN),
            "std": list(OPENAI_STD),
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


class DualEncoder(nn.Module):
    """Images and texts -> features of one space, trainable.

    Args:
        config: its shape; weights are drawn from torch's global generator.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        import open_clip

        self.config = config
        self.clip = open_clip.CLIP(**open_clip_config(config)["model_cfg"])
        tokenizer = open_clip.SimpleTokenizer(context_length=config.context_length)
        self._text = [TextTower(self.clip, tokenizer)]  # in a list: its parameters are the clip's, listed once

    @property
    def text(self) -> TextTower:
        """The text tower, a view of the same parameters."""
        return self._text[0]

    def encode_images(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Encode images as the detector does.

        Args:
            pixels: uint8 ``(B, 3, S, S)``; at another size than the model's, positions are interpolated.

        Returns:
            ``(cls, patches)``: unit vectors, float32 ``(B, D)`` and ``(B, N, D)``.
        """
        size = pixels.shape[-1]
        vision = OpenClipVision(self.clip.visual, self._positions(size // self.config.patch_size))
        reading = Reading(image_size=size, vv_blocks=self.config.vv_blocks, layers=(self.config.depth,))
        cls, patches = vision(normalise(pixels), reading)  # (B, D), (B, 1, N, D)
        return F.normalize(cls.float(), dim=-1), F.normalize(patches[:, 0].float(), dim=-1)

    def _positions(self, grid: int) -> Tensor:
        """Return the position table for a grid, ``(1 + G², W)``; differentiable."""
        table: Tensor = self.clip.visual.positional_embedding.clone()
        if grid == self.config.grid:
            return table
        square = table[1:].T.reshape(1, -1, self.config.grid, self.config.grid)  # (1, W, G, G)
        resized = F.interpolate(square, size=(grid, grid), mode="bilinear")[0].flatten(1).T
        return torch.cat([table[:1], resized])

    def encode_ids(self, ids: Tensor) -> Tensor:
        """Encode token ids ``(P, T)`` to unit vectors, float32 ``(P, D)``."""
        return F.normalize(self.text.encode(self.text.embed(ids), self.text.ends(ids)).float(), dim=-1)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Encode strings to unit vectors, float32 ``(P, D)``."""
        return self.encode_ids(self.text.tokenize(texts))


def normalise(pixels: Tensor) -> Tensor:
    """Map uint8 ``(B, 3, S, S)`` to CLIP's network input, float32 of the same shape."""
    mean = torch.tensor(OPENAI_MEAN, device=pixels.device)[:, None, None]
    std = torch.tensor(OPENAI_STD, device=pixels.device)[:, None, None]
    return (pixels.float() / 255 - mean) / std


class PlainAttention(TorchFunctionMode):
    """Compute attention as two matrix products and a softmax.

    The fused kernel's backward pass is three times as slow on CPUs with bfloat16 matrix units.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replace ``scaled_dot_product_attention(q, k, v, is_causal=...)``; pass everything else through."""
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention or len(args) != 3 or set(kwargs) - {"is_causal"}:
            return func(*args, **kwargs)
        q, k, v = args
        logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)  # (B, h, T, T)
        if kwargs.get("is_causal", False):
            later = torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
            logits = logits.masked_fill(later, float("-inf"))
        return logits.softmax(-1) @ v


def save_folder(weights: Mapping[str, Tensor], config: ModelConfig, folder: Path, metadata: dict[str, str]) -> None:
    """Write ``open_clip_config.json`` and ``open_clip_model.safetensors`` (float16) for ``local-dir:``.

    Args:
        weights: state dict of the ``CLIP``, names without the ``clip.`` prefix.
        config: its shape.
        folder: made if absent.
        metadata: goes into the safetensors header.

    Raises:
        OutputError: the folder can't be written.
    """
    half = {name: value.detach().to(torch.float16).contiguous().clone() for name, value in weights.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(open_clip_config(config), indent=2)
        (folder / "open_clip_config.json").write_text(text + "\n", encoding="utf-8")
        save_file(half, folder / "open_clip_model.safetensors", metadata=metadata)
    except Exception as error:  # safetensors raises its own type for a full disk
        raise OutputError(f"{folder}: can't be written ({error}); free space or choose another folder") from None
