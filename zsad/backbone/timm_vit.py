"""Vision transformers from timm, ``timm:NAME``: image features without a text space."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zsad.backbone.openclip import Loaded
from zsad.backbone.state_dict import read_tensors
from zsad.backbone.tower import BackboneInfo, Reading, VisionTower, fingerprint, resize_positions
from zsad.backbone.value_attention import timm_blocks, two_streams
from zsad.documents import Entries, read_json
from zsad.errors import ModelError, first_line
from zsad.outside import printable
from zsad.paths import hub


class TimmVision(VisionTower):
    """A timm ViT on the plain path, or on the value-value path where its attention is plain.

    Args:
        vit: the model, without a classifier.
        reading: the size that its position table is resized to; None keeps its own.
    """

    def __init__(self, vit: Any, reading: Reading | None = None) -> None:
        super().__init__()
        self._native = (vit,)  # in a tuple, so that it is no second submodule
        self.depth = len(vit.blocks)
        self.patch_size = int(vit.patch_embed.patch_size[0])
        self.native_size = int(vit.patch_embed.img_size[0])
        self.vv_problem = _vv_problem(vit)
        self.vit = vit if reading is None else _resized(vit, reading)

    def at(self, reading: Reading) -> TimmVision:
        """Return the same weights with the position table resized to ``reading.image_size``."""
        return TimmVision(self._native[0], reading)

    def kept_in_float32(self) -> list[nn.Module | Tensor]:
        """Return the first and last norms and the position table."""
        vit = self.vit
        parts = [getattr(vit, name, None) for name in ("norm_pre", "norm", "fc_norm", "pos_embed")]
        return [part for part in parts if part is not None]

    def forward(self, image: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Map ``(B, 3, S, S)`` to float32 ``(B, D)`` and ``(B, L, N, D)``, not normalised.

        The class feature is the model's own pooled feature on the plain path and where ``class_norm`` is set,
        else the class token without the final norm.
        """
        vit = self.vit
        image = image.to(vit.patch_embed.proj.weight.dtype)
        if reading.vv_blocks:
            x = vit.norm_pre(vit._pos_embed(vit.patch_embed(image))).float()  # (B, P + N, W)
            cls, features = two_streams(x, timm_blocks(vit), reading.vv_blocks, reading.layers)
            cls = vit.norm(cls) if reading.class_norm else cls  # (B, D)
            chosen = [features[layer][:, vit.num_prefix_tokens :] for layer in reading.layers]
        else:
            indices = sorted({layer - 1 for layer in reading.layers})
            last, read = vit.forward_intermediates(image, indices=indices, output_fmt="NLC")  # (B, P + N, W), list
            cls = vit.forward_head(last, pre_logits=True)  # (B, D)
            chosen = [read[indices.index(layer - 1)] for layer in reading.layers]
        patches = torch.stack([vit.norm(x) for x in chosen], dim=1)  # (B, L, N, D)
        return cls.float(), patches.float()


def load_timm(name: str, quick_gelu: bool | None) -> Loaded:
    """Load a ViT of timm.

    Args:
        name: ``timm:NAME`` with its pretrained weights, ``timm:NAME/FILE`` with those of a file in timm's or Meta's
            layout, or ``random:timm:NAME`` with seeded random ones.
        quick_gelu: what activation to expect, or None.

    Raises:
        ModelError: an unknown model, one that is not a ViT on square patches, or weights that can't be had.
    """
    random = name.startswith("random:")
    arch, _, file = name.removeprefix("random:").removeprefix("timm:").partition("/")
    if random and file:
        raise ModelError(f"{name}: random weights come from no file; use timm:{arch}/{file}")
    if file:
        return _loaded(name, arch, quick_gelu, lambda: _from_file(name, arch, Path(file)))
    with hub(needed=not random) as why:
        return _loaded(name, arch, quick_gelu, lambda: _created(name, arch, not random, why), random=random)


def load_folder(name: str, quick_gelu: bool | None) -> Loaded:
    """Load ``local-dir:PATH``, a folder as timm's repositories on the hub are: ``config.json`` beside the weights.

    Raises:
        ModelError: no such folder, no architecture in its configuration, or as :func:`load_timm`.
    """
    folder = Path(name.removeprefix("local-dir:"))
    config = Entries.of(read_json(folder / "config.json", ModelError), folder / "config.json", ModelError)
    arch = config.text("architecture", 200)
    files = [folder / file for file in ("model.safetensors", "pytorch_model.bin")]
    file = next((path for path in files if path.is_file()), None)
    if file is None:
        raise ModelError(f"{name}: no model.safetensors or pytorch_model.bin in it")
    return _loaded(name, arch, quick_gelu, lambda: _from_file(name, arch, file))


def _created(name: str, arch: str, pretrained: bool, why: Callable[[BaseException], str] = first_line) -> Any:
    """Build a model of timm; random weights are those of seed 0."""
    import timm

    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return timm.create_model(arch, pretrained=pretrained, num_classes=0)
    except Exception as error:
        raise ModelError(f"{name}: its weights can't be loaded ({why(error)})") from None


def _from_file(name: str, arch: str, file: Path) -> Any:
    """Build a model of timm with the weights of a file; a classifier in it is left out."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    vit = _created(name, arch, pretrained=False)
    tensors = {key: value.float() for key, value in read_tensors(file).items() if not key.startswith("head.")}
    try:
        fitting = checkpoint_filter_fn(tensors, vit)
        missing, surplus = vit.load_state_dict(fitting, strict=False)
    except Exception as error:  # timm's filter looks at any key of a foreign file
        raise ModelError(f"{name}: {printable(file.name)} does not fit {arch} ({first_line(error)})") from None
    odd = [*(f"no {key}" for key in missing), *(f"unknown {key:.80}" for key in surplus)]
    if odd:
        raise ModelError(f"{name}: {printable(file.name)} does not fit {arch} ({odd[0]}, {len(odd)} in all)")
    return vit


def _loaded(name: str, arch: str, quick_gelu: bool | None, build: Callable[[], Any], *, random: bool = False) -> Loaded:
    """Check an architecture, build it, and say what it is."""
    import timm

    if quick_gelu is not None and quick_gelu != ("quickgelu" in arch):
        raise ModelError(f"{name}: timm states the activation in the name (clip_quickgelu); leave quick_gelu out")
    if not timm.is_model(arch.partition(".")[0]):
        raise ModelError(f"{name}: timm has no model {arch!r:.80}; list them with timm.list_models('vit*')")
    vit = build()
    if not (hasattr(vit, "blocks") and hasattr(vit, "forward_intermediates") and hasattr(vit, "patch_embed")):
        raise ModelError(f"{name}: {type(vit).__name__} is not a ViT; list them with timm.list_models('vit*')")
    sides = (vit.patch_embed.patch_size, vit.patch_embed.img_size or (0, 1))
    if any(side[0] != side[1] for side in sides):
        raise ModelError(f"{name}: its patches or its native image are not square")
    vision = TimmVision(vit)
    config = vit.pretrained_cfg
    info = BackboneInfo(
        id=name,
        native_size=vision.native_size,
        patch_size=vision.patch_size,
        embed_dim=int(vit.num_features),
        width=int(vit.embed_dim),
        depth=vision.depth,
        heads=int(vit.blocks[0].attn.num_heads),
        mean=tuple(float(v) for v in config["mean"]),  # type: ignore[arg-type]
        std=tuple(float(v) for v in config["std"]),  # type: ignore[arg-type]
        quick_gelu="quickgelu" in arch,
        fingerprint=fingerprint(vit.named_parameters()),
        note="random weights (seed 0): for speed measurements and tests, its verdicts mean nothing" if random else "",
    )
    return vision, None, info


def _vv_problem(vit: Any) -> str:
    """Say why the value-value path can't read a model, or return an empty string."""
    if getattr(vit, "cls_token", None) is None:
        return "has no class token"
    if getattr(vit, "rope", None) is not None:
        return "its attention rotates queries and keys by position"
    for block in vit.blocks:
        attention = block.attn
        if getattr(attention, "qkv", None) is None or not hasattr(block, "ls1") or not hasattr(attention, "q_norm"):
            return f"its blocks ({type(block).__name__}) are not timm's plain pre-norm blocks"
        if getattr(attention, "gate", None) is not None:
            return "its attention is gated"
        norm = getattr(attention, "norm", None)
        if norm is not None and not isinstance(norm, nn.Identity):
            return "its attention has a norm before the output projection"
        if attention.proj.in_features * 3 != attention.qkv.out_features:
            return "its attention has fewer keys than queries"
    return ""


def _resized(vit: Any, reading: Reading) -> Any:
    """Return a shallow copy that shares every weight but the position table and the size of its grid."""
    if reading.image_size == int(vit.patch_embed.img_size[0]):
        return vit
    if getattr(vit, "pos_embed", None) is None or getattr(vit, "rope", None) is not None:
        raise ModelError(f"its position encoding has no table to resize; run it at {vit.patch_embed.img_size[0]} px")
    resized = copy.copy(vit)
    resized._parameters = dict(vit._parameters)
    resized._modules = dict(vit._modules)
    resized.patch_embed = copy.copy(vit.patch_embed)
    resized.patch_embed.set_input_size(img_size=(reading.image_size, reading.image_size))
    prefix = 0 if vit.no_embed_class else int(vit.num_prefix_tokens)
    grid = reading.image_size // int(vit.patch_embed.patch_size[0])
    table = resize_positions(vit.pos_embed[0], grid, prefix, reading).to(vit.pos_embed.dtype)
    resized.pos_embed = nn.Parameter(table[None], requires_grad=False)
    return resized
