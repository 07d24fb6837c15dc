"""VitWeights: a plain ViT's parameters as numpy arrays, by timm's names."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zsad.errors import ModelError
from zsad.types import FloatArray

_BLOCK = (
    "norm1.weight",
    "norm1.bias",
    "attn.qkv.weight",
    "attn.qkv.bias",
    "attn.proj.weight",
    "attn.proj.bias",
    "ls1.gamma",
    "norm2.weight",
    "norm2.bias",
    "mlp.fc1.weight",
    "mlp.fc1.bias",
    "mlp.fc2.weight",
    "mlp.fc2.bias",
    "ls2.gamma",
)
_OUTSIDE = ("cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "norm.bias")
UNUSED = ("mask_token",)
"""What Meta's files hold beside the network itself: the token that masked patches had in pre-training."""


@dataclass(frozen=True)
class VitWeights:
    """A pre-norm ViT with a class token, layer scale and one position table, as DINOv2 is.

    Attributes:
        tensors: float32 arrays by timm's names: ``cls_token (1, 1, W)``, ``pos_embed (1, 1 + N, W)``,
            ``patch_embed.proj.*``, ``blocks.I.*``, ``norm.*``; linear weights are ``(out, in)``.
        where: their file, for errors.

    Raises:
        ModelError: a tensor is missing, surplus, not finite, or of a shape that does not fit the others.
    """

    tensors: Mapping[str, FloatArray]
    where: str

    def __post_init__(self) -> None:
        for name in ("cls_token", "pos_embed", "patch_embed.proj.weight"):
            if name not in self.tensors:
                raise ModelError(f"{self.where}: no {name} in it; give the weights of a DINOv2 ViT without registers")
        wanted = self._shapes()
        odd = sorted(wanted.keys() ^ self.tensors.keys())
        if odd:
            what = "lacks" if odd[0] in wanted else "has an unknown"
            raise ModelError(
                f"{self.where}: {what} tensor {odd[0]!r:.80}; give the weights of a DINOv2 ViT without registers"
            )
        for name, shape in wanted.items():
            value = self.tensors[name]
            if value.shape != shape or value.dtype != np.float32 or not np.isfinite(value).all():
                raise ModelError(
                    f"{self.where}: {name} is {value.dtype} {value.shape}, needed is finite float32 {shape}"
                )

    @property
    def width(self) -> int:
        """Width W of tokens and features."""
        return int(self.tensors["cls_token"].shape[-1])

    @property
    def patch(self) -> int:
        """Side of a patch in pixels."""
        return int(self.tensors["patch_embed.proj.weight"].shape[-1])

    @property
    def grid(self) -> int:
        """Side of the grid that the position table was trained at."""
        return math.isqrt(int(self.tensors["pos_embed"].shape[1]) - 1)

    @property
    def depth(self) -> int:
        """Number of blocks."""
        found = (re.match(r"blocks\.(\d{1,3})\.", name) for name in self.tensors)
        return len({match[1] for match in found if match})

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name these weights; those of :func:`zsad.backbone.tower.fingerprint`."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            value = self.tensors[name]
            flat = value.reshape(-1)
            places = evenly_spaced(flat.size)
            digest.update(f"{name}{tuple(value.shape)}".encode())
            digest.update(np.ascontiguousarray(flat[places], dtype=np.float32).tobytes())
        return digest.hexdigest()[:16]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        W, p = self.width, self.patch
        hidden = self.tensors["blocks.0.mlp.fc1.bias"].shape[0] if "blocks.0.mlp.fc1.bias" in self.tensors else 4 * W
        block: dict[str, tuple[int, ...]] = {
            "attn.qkv.weight": (3 * W, W),
            "attn.qkv.bias": (3 * W,),
            "attn.proj.weight": (W, W),
            "mlp.fc1.weight": (hidden, W),
            "mlp.fc1.bias": (hidden,),
            "mlp.fc2.weight": (W, hidden),
        }
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_OUTSIDE, (W,))
        shapes |= {"cls_token": (1, 1, W), "pos_embed": (1, 1 + self.grid**2, W)}
        shapes["patch_embed.proj.weight"] = (W, 3, p, p)
        for i in range(max(1, self.depth)):
            shapes |= {f"blocks.{i}.{name}": block.get(name, (W,)) for name in _BLOCK}
        return shapes


def evenly_spaced(size: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return up to 64 evenly spaced places of a flat array, as ``torch.linspace(0, size - 1, 64).long()`` does.

    torch goes up from the start for the first half and down from the end for the second, with one rounding to
    float32 for product and sum together.

    >>> evenly_spaced(3).tolist(), evenly_spaced(100)[[0, 1, -1]].tolist()
    ([0, 1, 2], [0, 1, 99])
    """
    count = min(64, size)
    step = np.float64(np.float32(size - 1) / np.float32(max(1, count - 1)))
    index = np.arange(count, dtype=np.float64)
    rising = (step * index).astype(np.float32)
    falling = (np.float64(np.float32(size - 1)) - step * (count - 1 - index)).astype(np.float32)
    return np.asarray(np.where(index < count // 2, rising, falling).astype(np.int64))
