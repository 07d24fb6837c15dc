"""Backbone: a frozen vision tower, how its features are read, and its text tower if it has one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from zsad.backbone.text_tower import TextTower
from zsad.card import ModelCard
from zsad.errors import ModelError, ProviderError, TextlessError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class BackboneInfo:
    """What a backbone is, whatever size it is run at.

    Attributes:
        id: what it was loaded by.
        native_size: side in pixels that its position table was trained at.
        patch_size: side of a patch in pixels.
        embed_dim: D, width of its features.
        width: width of its tokens.
        depth: number of vision blocks.
        heads: number of attention heads.
        mean: per-channel RGB mean of its input.
        std: per-channel RGB divisor of its input.
        quick_gelu: whether its activation is ``x * sigmoid(1.702 x)``.
        fingerprint: 16 hex digits of a hash of its parameters; the same for every size and ``dtype``.
        note: what a user must know, such as that the weights are random; or ``""``.
    """

    id: str
    native_size: int
    patch_size: int
    embed_dim: int
    width: int
    depth: int
    heads: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    quick_gelu: bool
    fingerprint: str
    note: str = ""


@dataclass(frozen=True)
class Reading:
    """How features are read from a vision tower.

    Attributes:
        image_size: side S of the input in pixels.
        vv_blocks: number of last blocks on the value-value path.
        layers: 1-based blocks whose features are read.
        pos_interp: ``"bilinear"`` or ``"bicubic"``.
        pos_antialias: whether the position table is resized with anti-aliasing.
        class_norm: whether the class token passes the final norm, as in CLIP's own image feature; the
            published method skips it.
    """

    image_size: int
    vv_blocks: int
    layers: tuple[int, ...]
    pos_interp: str = "bilinear"
    pos_antialias: bool = False
    class_norm: bool = False


class VisionTower(nn.Module, ABC):
    """Image -> class feature and patch features; one subclass for each library that towers come from."""

    depth: int
    native_size: int
    patch_size: int
    vv_problem: str
    """Why the value-value path can't read this tower, or an empty string."""

    @abstractmethod
    def at(self, reading: Reading) -> VisionTower:
        """Return the same weights with the position table resized to ``reading.image_size``."""

    @abstractmethod
    def forward(self, image: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
        """Map ``(B, 3, S, S)`` to float32 ``(B, D)`` and ``(B, L, N, D)``, not normalised."""

    @abstractmethod
    def kept_in_float32(self) -> list[nn.Module | Tensor]:
        """Return the first and last norms and what else stays float32 in every ``dtype``."""


class Backbone(nn.Module):
    """A frozen tower in evaluation mode: ``(B, 3, S, S)`` -> class feature ``(B, D)``, patches ``(B, L, N, D)``.

    Args:
        vision: the vision tower with its native position table.
        text: its text tower, or None.
        info: what it is.
        reading: how its features are read.

    Raises:
        ModelError: a size, layer or number of blocks that the tower does not have.
    """

    def __init__(self, vision: VisionTower, text: TextTower | None, info: BackboneInfo, reading: Reading) -> None:
        super().__init__()
        _check(vision, info, reading)
        self.vision = vision.at(reading)
        self.text = text
        self.info = info
        self.reading = reading
        self.requires_grad_(False)
        super().train(False)

    @property
    def image_size(self) -> int:
        """Side S of the input in pixels."""
        return self.reading.image_size

    @property
    def grid(self) -> int:
        """Grid side G."""
        return self.reading.image_size // self.info.patch_size

    @property
    def layers(self) -> tuple[int, ...]:
        """1-based blocks whose features are read."""
        return self.reading.layers

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Read features.

        Args:
            image: network input ``(B, 3, S, S)`` from :mod:`zsad.images.preprocess`.

        Returns:
            ``(cls, patches)``: float32 ``(B, D)`` and ``(B, L, N, D)``, not normalised; N in row-major order.
        """
        cls, patches = self.vision(image, self.reading)  # (B, D), (B, L, N, D)
        return cls, patches

    def configured(self, **changes: Any) -> Backbone:
        """Return a backbone that shares these weights and reads them differently.

        Args:
            changes: fields of :class:`Reading`, such as ``image_size=518`` or ``layers=(6, 12)``.
        """
        device = next(self.vision.parameters()).device
        return Backbone(self.vision, self.text, self.info, replace(self.reading, **changes)).to(device)

    def text_tower(self) -> TextTower:
        """Return the text tower.

        Raises:
            ModelError: this backbone has none.
        """
        if self.text is None:
            raise TextlessError(
                f"{self.info.id}: has no CLIP text tower, so that words can't be read; use stored vectors"
            )
        return self.text

    def card(self, **changes: Any) -> ModelCard:
        """Return a card that describes this backbone as it is read; ``changes`` fill in the rest."""
        info, reading = self.info, self.reading
        details = {"backbone_fingerprint": info.fingerprint, **changes.pop("details", {})}
        if info.note:
            details["backbone_note"] = info.note
        values: dict[str, Any] = {
            "name": info.id,
            "backbone": info.id,
            "patch_size": info.patch_size,
            "embed_dim": info.embed_dim,
            "mean": info.mean,
            "std": info.std,
            "quick_gelu": info.quick_gelu,
            "details": details,
            **asdict(reading),
        }
        return ModelCard.of(**(values | changes))

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: a backbone is frozen."""
        return self


def default_vv_blocks(depth: int) -> int:
    """Return the published share of value-value blocks, 19 of 24, for another depth.

    >>> default_vv_blocks(24), default_vv_blocks(12)
    (19, 9)
    """
    return max(1, depth * 19 // 24)


def resize_positions(table: Tensor, grid: int, prefix: int, reading: Reading) -> Tensor:
    """Resize a position table ``(P + N, W)`` to another grid, float32 ``(P + G², W)``."""
    from timm.layers import resample_abs_pos_embed

    resized: Tensor = resample_abs_pos_embed(
        table.detach().float()[None],
        [grid, grid],
        num_prefix_tokens=prefix,
        interpolation=reading.pos_interp,
        antialias=reading.pos_antialias,
    )
    return resized[0].clone()


def fingerprint(parameters: Iterable[tuple[str, Tensor]]) -> str:
    """Hash names, shapes and 64 evenly spaced float32 values of each parameter; 16 hex digits.

    Taken before any cast, and from float16 checkpoints without loss, so that it does not depend on the
    arithmetic that a backbone runs in.
    """
    digest = hashlib.sha256()
    for name, value in sorted(parameters, key=lambda item: item[0]):
        flat = value.detach().reshape(-1)
        picked = flat[torch.linspace(0, flat.numel() - 1, min(64, flat.numel())).long()]
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(picked.float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


class Float32Norm(nn.Module):
    """A norm computed in float32 whatever its input is, with output in ``dtype``."""

    def __init__(self, norm: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.norm = norm
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(..., W)``."""
        y: Tensor = self.norm(x.float())
        return y.to(self.dtype)


def cast(module: nn.Module, dtype: torch.dtype, keep: Sequence[nn.Module | Tensor] = ()) -> None:
    """Cast a tower's parameters in place; norms stay float32, and so does the stream between blocks.

    Args:
        module: the tower, float32.
        dtype: what its matrix products run in.
        keep: norms whose output stays float32 (the first and the last), and parameters that are not cast.
    """
    if dtype == torch.float32:
        return
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if "norm" in type(child).__name__.lower():
                wrapped = Float32Norm(child, torch.float32 if any(child is k for k in keep) else dtype)
                setattr(parent, name, wrapped)
    kept = {id(p) for m in module.modules() if isinstance(m, Float32Norm) for p in m.parameters()}
    kept |= {id(k) for k in keep}
    for parameter in module.parameters():
        if id(parameter) not in kept:
            parameter.data = parameter.data.to(dtype)


def torch_device(name: str) -> torch.device:
    """Return a device that this machine has.

    Raises:
        ProviderError: it has not.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ProviderError(f"device {name!r} is unknown; use cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ProviderError(f"device {name!r}: this machine has no usable CUDA device; use cpu")
    return device


def _check(vision: VisionTower, info: BackboneInfo, reading: Reading) -> None:
    size, patch, depth = reading.image_size, info.patch_size, info.depth
    if size < patch or size % patch:
        below = max(patch, size // patch * patch)
        near = str(below) if below > size else f"{below} or {below + patch}"
        raise ModelError(f"{info.id}: image size {size} is not a multiple of its patch of {patch} px; use {near}")
    if not reading.layers or any(not 1 <= layer <= depth for layer in reading.layers):
        raise ModelError(f"{info.id}: feature layers {reading.layers} are not blocks of it; use 1 to {depth}")
    if not 0 <= reading.vv_blocks <= depth:
        raise ModelError(f"{info.id}: vv_blocks {reading.vv_blocks} is not in 0..{depth}, its number of blocks")
    if reading.vv_blocks and vision.vv_problem:
        raise ModelError(f"{info.id}: {vision.vv_problem}; use vv_blocks=0")
    if reading.pos_interp not in ("bilinear", "bicubic"):
        raise ModelError(
            f"{info.id}: position interpolation {reading.pos_interp!r} is unknown; use bilinear or bicubic"
        )
