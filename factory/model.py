"""The dual encoder: an open_clip ``CLIP`` read through the same value-value path as the detector's."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from factory.config import ModelConfig
from factory.grow import stretched
from zsad.backbone import Reading, TextTower
from zsad.backbone.openclip import OpenClipVision
from zsad.backbone.value_attention import two_streams
from zsad.card import OPENAI_MEAN, OPENAI_STD
from zsad.errors import OutputError

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
        _initialise(self.clip.visual)
        nn.init.constant_(self.clip.logit_scale, math.log(config.logit_scale))
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.offset = nn.Parameter(torch.tensor(-2.0))
        tokenizer = open_clip.SimpleTokenizer(context_length=config.context_length)
        self._text = [TextTower(self.clip, tokenizer)]  # in a list: its parameters are the clip's, listed once

    @property
    def temperature(self) -> Tensor:
        """The learned divisor of the cosines of map and image score, above 0.

        It starts high: while the features know nothing, the cheapest way to shrink wrong logits would otherwise be
        to make all features the same.
        """
        return (-self.log_scale).exp()

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
        cls, patches = self.features(pixels)
        return F.normalize(cls.float(), dim=-1), F.normalize(patches.float(), dim=-1)

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return class and patch features ``(B, D)`` and ``(B, N, D)``, not normalised."""
        reading = Reading(pixels.shape[-1], self.config.vv_blocks, (self.config.depth,))
        cls, patches = self._vision(pixels.shape[-1])(normalise(pixels), reading)  # (B, D), (B, 1, N, D)
        return cls, patches[:, 0]

    @torch.no_grad()
    def centre(self, pixels: Tensor, ids: Tensor) -> None:
        """Shift biases so that the mean features of these images and texts are zero before projection.

        Fresh towers give nearly the same vector for everything; cosines of such vectors have hardly a gradient.

        Args:
            pixels: uint8 ``(B, 3, S, S)``.
            ids: token ids ``(P, T)``.
        """
        visual, depth = self.clip.visual, self.config.depth
        vision = self._vision(pixels.shape[-1])
        cls, features = two_streams(vision.tokens(normalise(pixels)), vision.blocks(), self.config.vv_blocks, (depth,))
        visual.transformer.resblocks[-1].mlp.c_proj.bias -= cls.mean(0)  # (W,)
        visual.ln_post.bias -= visual.ln_post(features[depth][:, 1:]).mean((0, 1))  # (W,)
        read: list[Tensor] = []
        hook = self.text.ln_final.register_forward_hook(lambda module, given, result: read.append(result))
        self.encode_ids(ids)
        hook.remove()
        self.clip.ln_final.bias -= read[0].mean(0)  # (W,)

    @torch.no_grad()
    def fold_offset(self, pixels: Tensor, pair: Tensor) -> float:
        """Build the learned offset of the patch logits into the weights, and set it to zero.

        All patch features share a large component m. The projection is changed so that it also moves features
        against the pair's direction, in proportion to m: the median logit then is what the offset made it. The
        class token's bias takes the mean of this back.

        Args:
            pixels: uint8 ``(B, 3, S, S)``, images to measure on.
            pair: unit vectors ``(2, D)``, normal and anomalous.

        Returns:
            The share of m that is moved.
        """
        if not self.offset:  # a released model: it was built in before
            return 0.0
        cls, patches = self.features(pixels)
        patches = patches.flatten(0, 1).float()  # (B N, D)
        direction = pair[1] - pair[0]
        unit = F.normalize(direction, dim=0)
        shared = F.normalize(patches, dim=-1).mean(0)
        shared = F.normalize(shared - (shared @ unit) * unit, dim=0)  # (D,)
        wanted = (F.normalize(patches, dim=-1) @ direction).median() + self.offset * self.temperature
        low, high = -10.0, 10.0
        for _ in range(50):  # the median falls as the share grows
            middle = (low + high) / 2
            moved = F.normalize(patches - middle * (patches @ shared)[:, None] * unit, dim=-1)
            low, high = (middle, high) if (moved @ direction).median() > wanted else (low, middle)
        visual = self.clip.visual
        visual.proj -= low * (visual.proj @ shared)[:, None] * unit  # (W, D)
        back = low * (cls.float() @ shared).mean() * unit
        visual.transformer.resblocks[-1].mlp.c_proj.bias += back @ torch.linalg.pinv(visual.proj)
        self.offset.zero_()
        return low

    def _vision(self, size: int) -> OpenClipVision:
        return OpenClipVision(self.clip.visual, self._positions(size // self.config.patch_size))

    def _positions(self, grid: int) -> Tensor:
        """Return the position table for a grid, ``(1 + G², W)``; differentiable."""
        table: Tensor = self.clip.visual.positional_embedding.clone()
        if grid == self.config.grid:
            return table
        return stretched(table, grid)

    def encode_ids(self, ids: Tensor) -> Tensor:
        """Encode token ids ``(P, T)`` to unit vectors, float32 ``(P, D)``."""
        return F.normalize(self.text.encode(self.text.embed(ids), self.text.ends(ids)).float(), dim=-1)

    def encode_texts(self, texts: list[str]) -> Tensor:
        """Encode strings to unit vectors, float32 ``(P, D)``."""
        return self.encode_ids(self.text.tokenize(texts))


def is_text(name: str) -> bool:
    """Return whether a parameter of the encoder is the text tower's, or the factor of the contrastive cosines."""
    return name.startswith("clip.") and not name.startswith("clip.visual.")


@torch.no_grad()
def _initialise(visual: Any) -> None:
    """Draw a vision tower's weights as CLIP draws the text tower's; open_clip leaves them to torch's defaults."""
    blocks = visual.transformer.resblocks
    width = int(visual.proj.shape[0])
    into, out = width**-0.5, width**-0.5 * (2 * len(blocks)) ** -0.5
    for block in blocks:
        for weight, std in (
            (block.attn.in_proj_weight, into),
            (block.attn.out_proj.weight, out),
            (block.mlp.c_fc.weight, (2 * width) ** -0.5),
            (block.mlp.c_proj.weight, out),
        ):
            nn.init.normal_(weight, std=std)
        for layer in (block.attn.out_proj, block.mlp.c_fc, block.mlp.c_proj):
            nn.init.zeros_(layer.bias)


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
        (folder / "open_clip_model.safetensors").write_bytes(save(half, metadata=metadata))
    except OSError as error:
        raise OutputError(f"{folder}: can't be written ({error}); free space or choose another folder") from None
