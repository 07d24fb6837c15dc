"""Towers from open_clip: by name and tag, from the hub, from a folder, or seeded random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zsad.backbone.text_tower import TextTower
from zsad.backbone.tower import BackboneInfo, Reading, VisionTower, fingerprint, resize_positions
from zsad.backbone.value_attention import Block, open_clip_blocks, two_streams
from zsad.card import OPENAI_MEAN, OPENAI_STD
from zsad.documents import read_json
from zsad.errors import ModelError, first_line
from zsad.paths import Why, hub

Loaded = tuple[VisionTower, TextTower | None, BackboneInfo]
"""What a loader returns: float32 towers at their native size."""

_TOKEN_TABLE = "token_embedding.weight"


class OpenClipVision(VisionTower):
    """The parameters of an open_clip ``VisionTransformer``, run on the ordinary and the value-value path.

    Args:
        visual: the tower; its own forward is never called.
        position: position table ``(1 + N, W)`` for the size it runs at; its own by default.
    """

    vv_problem = ""
    position: Tensor

    def __init__(self, visual: Any, position: Tensor | None = None) -> None:
        super().__init__()
        self.visual = visual
        self.depth = len(visual.transformer.resblocks)
        self.patch_size = int(visual.patch_size[0])
        self.native_size = int(visual.image_size[0])
        self.register_buffer("position", visual.positional_embedding.detach() if position is None else position)

    def at(self, reading: Reading) -> OpenClipVision:
        """Return the same weights with the position table resized to ``reading.image_size``."""
        grid = reading.image_size // self.patch_size
        return OpenClipVision(self.visual, resize_positions(self.visual.positional_embedding, grid, 1, reading))

    def kept_in_float32(self) -> list[nn.Module | Tensor]:
        """Return the first and last norms, the position table and the projection."""
        visual = self.visual
        return [visual.ln_pre, visual.ln_post, visual.positional_embedding, visual.proj]

    def blocks(self) -> list[Block]:
        """View the blocks through their parameters."""
        return open_clip_blocks(self.visual.transformer)

    def tokens(self, image: Tensor) -> Tensor:
        """Embed an image ``(B, 3, S, S)``: tokens ``(B, 1 + N, W)`` as the first block reads them."""
        visual = self.visual
        patches = visual.conv1(image.to(visual.conv1.weight.dtype)).flatten(2).transpose(1, 2)  # (B, N, W)
        first = visual.class_embedding.to(patches.dtype).expand(image.shape[0], 1, -1)  # (B, 1, W)
        tokens: Tensor = visual.ln_pre(torch.cat([first, patches], dim=1) + self.position)  # (B, 1 + N, W)
        return tokens

    def forward(self, image: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Map ``(B, 3, S, S)`` to float32 ``(B, D)`` and ``(B, L, N, D)``, not normalised."""
        visual = self.visual
        x = self.tokens(image)  # (B, 1 + N, W)
        cls, features = two_streams(x, self.blocks(), reading.vv_blocks, reading.layers)
        if reading.class_norm:
            cls = visual.ln_post(cls)  # (B, W)
        patches = torch.stack([visual.ln_post(features[layer][:, 1:]) for layer in reading.layers], dim=1)
        return cls @ visual.proj, patches @ visual.proj  # (B, D), (B, L, N, D)


def load_pretrained(name: str, quick_gelu: bool | None) -> Loaded:
    """Load ``NAME/TAG`` or ``NAME/FILE``; the activation is what the weights were trained with.

    Raises:
        ModelError: an unknown name or tag, weights that can't be had, or a contradicting activation.
    """
    import open_clip

    arch, _, tag = name.partition("/")
    config = open_clip.get_model_config(arch)
    if config is None:
        raise ModelError(f"{name}: open_clip has no architecture {arch!r}; list them with open_clip.list_models()")
    built = bool(config.get("quick_gelu", False))
    stated = open_clip.get_pretrained_cfg(arch, tag)
    if not stated and not Path(tag).is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(arch)) or "none"
        raise ModelError(f"{name}: {tag!r} is neither a file nor a tag of {arch}; its tags: {tags}")
    trained = bool(stated.get("quick_gelu", False)) if stated else (built if quick_gelu is None else quick_gelu)
    if built and not trained:
        plain = arch.removesuffix("-quickgelu")
        raise ModelError(f"{name}: {arch} uses QuickGELU, these weights were trained with GELU; use {plain}/{tag}")
    with hub(needed=not Path(tag).is_file()) as why:
        model = _create(name, arch, why, pretrained=tag, force_quick_gelu=trained)
    return _towers(name, model, open_clip.get_tokenizer(arch), _agreed(name, trained, quick_gelu))


def load_schema(name: str, quick_gelu: bool | None) -> Loaded:
    """Load ``hf-hub:ORG/REPO`` or ``local-dir:PATH``, a folder with ``open_clip_config.json`` and weights.

    Raises:
        ModelError: no such place, no weights, or a contradicting activation.
    """
    import open_clip

    with hub(needed=name.startswith("hf-hub:")) as why:
        try:
            config = open_clip.get_model_config(name)
        except Exception as error:
            raise ModelError(f"{name}: its open_clip_config.json can't be read ({why(error)})") from None
        model = _create(name, name, why)
        tokenizer = open_clip.get_tokenizer(name)
    trained = bool((config or {}).get("quick_gelu", False))
    return _towers(name, model, tokenizer, _agreed(name, trained, quick_gelu))


def load_random(name: str, quick_gelu: bool | None) -> Loaded:
    """Build ``random:NAME`` or ``random:CONFIG.json`` with seeded random weights, for speed and tests only.

    Raises:
        ModelError: an unknown architecture.
    """
    import open_clip

    arch = name.removeprefix("random:")
    if arch.endswith(".json"):
        config = read_json(arch, ModelError)
        config = config.get("model_cfg", config) if isinstance(config, dict) else None
    else:
        config = open_clip.get_model_config(arch)
    if config is None or "hf_model_name" in config.get("text_cfg", {}):
        raise ModelError(f"{name}: open_clip has no such architecture with a text tower of its own")
    activation = bool(config.pop("quick_gelu", False)) if quick_gelu is None else quick_gelu
    config.pop("quick_gelu", None)
    kind = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = kind(**config, quick_gelu=activation)
    except (TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{name}: not the configuration of a CLIP of two towers ({first_line(error)})") from None
    context = int(config["text_cfg"].get("context_length", 77))
    note = "random weights (seed 0): for speed measurements and tests, its verdicts mean nothing"
    return _towers(name, model, open_clip.SimpleTokenizer(context_length=context), activation, note=note)


def from_model(
    name: str, model: Any, tokenizer: Any, quick_gelu: bool, note: str = "", has_tokens: bool = True
) -> Loaded:
    """View an open_clip model as towers; see :func:`zsad.backbone.load_backbone`."""
    return _towers(name, model, tokenizer, quick_gelu, note, has_tokens)


def _towers(name: str, model: Any, tokenizer: Any, quick_gelu: bool, note: str = "", has_tokens: bool = True) -> Loaded:
    visual = model.visual
    problem = _unreadable(visual)
    if problem:
        raise ModelError(f"{name}: {problem}; choose a CLIP ViT with a class token, such as ViT-L-14-336/openai")
    preprocess = getattr(visual, "preprocess_cfg", None) or {}
    vision = OpenClipVision(visual)
    try:
        text: TextTower | None = TextTower(model, tokenizer, has_tokens)
    except ModelError:
        text = None  # Backbone.text_tower() says so when words are asked for.
    info = BackboneInfo(
        id=name,
        native_size=vision.native_size,
        patch_size=vision.patch_size,
        embed_dim=int(visual.proj.shape[1]),
        width=int(visual.proj.shape[0]),
        depth=vision.depth,
        heads=int(visual.transformer.resblocks[0].attn.num_heads),
        mean=_three(preprocess.get("mean", OPENAI_MEAN)),
        std=_three(preprocess.get("std", OPENAI_STD)),
        quick_gelu=quick_gelu,
        fingerprint=fingerprint((n, p) for n, p in model.named_parameters() if _TOKEN_TABLE not in n),
        note=note,
    )
    return vision, text, info


def _create(name: str, arch: str, why: Why, **options: Any) -> Any:
    """Build and load through open_clip at the native size, in float32."""
    import open_clip

    try:
        return open_clip.create_model(arch, precision="fp32", device="cpu", require_pretrained=True, **options)
    except Exception as error:
        # open_clip wraps every cause, from a missing file to no network, in its own words.
        raise ModelError(
            f"{name}: its weights can't be loaded ({why(error)}); on a machine without network, copy the "
            "weights here and give their path"
        ) from None


def _unreadable(visual: Any) -> str:
    """Say why the two-stream path can't read a tower, or return an empty string."""
    kind = type(visual).__name__
    if not hasattr(visual, "transformer") or not hasattr(visual, "conv1") or not hasattr(visual, "class_embedding"):
        return f"its vision tower ({kind}) is not a CLIP ViT"
    if getattr(visual, "attn_pool", None) is not None or getattr(visual, "pool_type", "tok") != "tok":
        return "its image feature is pooled from the patches, not read from a class token"
    if visual.proj is None:
        return "its vision tower has no projection to the text space"
    if visual.patch_size[0] != visual.patch_size[1] or visual.image_size[0] != visual.image_size[1]:
        return "its patches or its native image are not square"
    for block in visual.transformer.resblocks:
        attention = block.attn
        odd = [
            part
            for owner, part in [
                (block, "ln_attn"),
                (attention, "ln_q"),
                (attention, "ln_k"),
                (attention, "ln_inner"),
                (attention, "logit_scale"),
                (attention, "head_scale"),
                (attention, "bias_k"),
            ]
            if not isinstance(getattr(owner, part, None), nn.Identity | None)
        ]
        if odd or getattr(attention, "in_proj_weight", None) is None:
            return f"its attention has a {odd[0] if odd else 'split projection'}, which is not plain CLIP"
    return ""


def _agreed(name: str, trained: bool, asked: bool | None) -> bool:
    """Return the activation that the weights were trained with, or raise if another is asked for."""
    if asked is not None and asked != trained:
        raise ModelError(
            f"{name}: was trained with {'QuickGELU' if trained else 'GELU'}, but quick_gelu={asked} is asked for; "
            "leave quick_gelu out"
        )
    return trained


def _three(values: Any) -> tuple[float, float, float]:
    r, g, b = (float(v) for v in values)
    return r, g, b
