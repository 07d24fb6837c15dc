"""CLIP weights in OpenAI's layout from a file: safetensors, a plain .pt, or OpenAI's own TorchScript archive."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zsad.backbone.openclip import Loaded, from_model
from zsad.errors import ModelError, first_line
from zsad.files import is_file
from zsad.outside import shown

OPENAI_ARCHIVES = {
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "ViT-B-32",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "ViT-B-16",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "ViT-L-14",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "ViT-L-14-336",
}
"""SHA-256 of the TorchScript archives that OpenAI published, as in the addresses open_clip lists.

Loading an archive runs code that it carries, hence only these.
"""

_SCALARS = ("input_resolution", "context_length", "vocab_size")
_PREFIXES = ("module.", "text.", "model.")
_HEAD_WIDTH = 64


def load_file(name: str, quick_gelu: bool | None) -> Loaded:
    """Load a state dict in OpenAI's layout; its sizes are read from its shapes.

    Args:
        name: path of a ``.safetensors`` file, a ``torch.save``d state dict, or OpenAI's TorchScript archive.
        quick_gelu: the activation; OpenAI's QuickGELU by default, since such a file does not say.

    Raises:
        ModelError: the file is absent, damaged, of another layout, or an archive that OpenAI did not publish.
    """
    path = Path(name)
    if not is_file(path):
        raise ModelError(f"{name}: no such file, and not a name/tag of open_clip; see zsad.backbone.load_backbone")
    weights = _clean(name, _read(path))
    model, has_tokens = build(name, weights, True if quick_gelu is None else quick_gelu)
    import open_clip

    tokenizer = open_clip.SimpleTokenizer(context_length=int(weights["positional_embedding"].shape[0]))
    return from_model(name, model, tokenizer, True if quick_gelu is None else quick_gelu, has_tokens=has_tokens)


def build(name: str, weights: Mapping[str, Tensor], quick_gelu: bool) -> tuple[Any, bool]:
    """Build an open_clip model from a cleaned state dict in float32.

    Returns:
        The model, and whether the file had a token table (zeros otherwise).

    Raises:
        ModelError: tensors are missing, surplus, or of shapes that do not fit each other.
    """
    import open_clip

    try:
        sizes = _sizes(weights)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        what = f"no {shown(error.args[0])}" if isinstance(error, KeyError) else "tensors of other shapes"
        raise ModelError(f"{name}: not a CLIP ViT in OpenAI's layout ({what}); give such a state dict") from None
    vision, text = sizes["vision_cfg"], sizes["text_cfg"]
    if vision["width"] % _HEAD_WIDTH or text["width"] % _HEAD_WIDTH:
        widths = f"{vision['width']} and {text['width']}"
        raise ModelError(f"{name}: widths {widths} are not multiples of {_HEAD_WIDTH}, the width of CLIP's heads")
    full = {key: value.float() for key, value in weights.items()}
    has_tokens = "token_embedding.weight" in full
    if not has_tokens:
        full["token_embedding.weight"] = torch.zeros(text["vocab_size"], text["width"])
    full.setdefault("logit_scale", torch.tensor(1 / 0.07).log())
    # On the meta device nothing is initialised only to be overwritten.
    with torch.device("meta"):
        model = open_clip.CLIP(**sizes, quick_gelu=quick_gelu)
    try:
        model.load_state_dict(full, strict=True, assign=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise ModelError(f"{name}: not a CLIP ViT in OpenAI's layout ({' '.join(lines)[:200]})") from None
    positions = text["context_length"]
    model.attn_mask = torch.full((positions, positions), float("-inf")).triu_(1)
    return model, has_tokens


def _sizes(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Infer open_clip's configuration from the shapes."""
    width, _, _, patch = weights["visual.conv1.weight"].shape
    grid = round((weights["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    text_width, embed_dim = weights["text_projection"].shape
    vision_mlp = weights["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
    text_mlp = weights["transformer.resblocks.0.mlp.c_fc.weight"].shape[0]
    tokens = weights.get("token_embedding.weight")
    return {
        "embed_dim": embed_dim,
        "vision_cfg": {
            "layers": _count(weights, "visual.transformer.resblocks."),
            "width": width,
            "head_width": _HEAD_WIDTH,
            "mlp_ratio": vision_mlp / width,
            "patch_size": patch,
            "image_size": patch * grid,
        },
        "text_cfg": {
            "context_length": weights["positional_embedding"].shape[0],
            "vocab_size": 49408 if tokens is None else tokens.shape[0],
            "width": text_width,
            "heads": max(1, text_width // _HEAD_WIDTH),
            "layers": _count(weights, "transformer.resblocks."),
            "mlp_ratio": text_mlp / text_width,
        },
    }


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({key.removeprefix(prefix).split(".")[0] for key in weights if key.startswith(prefix)})


def _read(path: Path) -> Any:
    """Read a file's tensors without running anything that it carries."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file as load_safetensors

        try:
            return load_safetensors(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path}: not a readable safetensors file ({error}); fetch it again") from None
    if _is_archive(path):
        digest = _sha256(path)
        if digest not in OPENAI_ARCHIVES:
            raise ModelError(
                f"{path}: a TorchScript archive, which torch.load(weights_only=True) can't read, and its SHA-256 "
                f"{digest[:12]}... is not one that OpenAI published; save its state_dict() as safetensors"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that archives are an old format is known
            return torch.jit.load(str(path), map_location="cpu").state_dict()  # type: ignore[no-untyped-call]
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Whatever the unpickler meets in a foreign or damaged file, it is not a state dict.
        raise ModelError(
            f"{path}: not a state dict that torch.load(weights_only=True) reads ({first_line(error)})"
        ) from None


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict of any network from ``.safetensors`` or a ``torch.save``d file, without running its content.

    Raises:
        ModelError: the file is absent, damaged, or holds no state dict.
    """
    if not is_file(path):
        raise ModelError(f"{path}: no such file; give the weights as .safetensors or .pth")
    return _clean(str(path), _read(Path(path)))


def _clean(name: str, loaded: Any) -> dict[str, Tensor]:
    """Unwrap nesting and prefixes, and drop the integer scalars of OpenAI's archives."""
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ModelError(f"{name}: holds no state dict of tensors; give CLIP weights in OpenAI's layout")
    weights: dict[str, Tensor] = {}
    for key, value in loaded.items():
        if problem := tensor_problem(value):
            raise ModelError(f"{name}: tensor {shown(str(key))} {problem}; save the weights as plain tensors")
        short = str(key)
        for prefix in _PREFIXES:
            short = short.removeprefix(prefix)
        if short not in _SCALARS:
            weights[short] = value
    return weights


def tensor_problem(tensor: Tensor) -> str:
    """Say why a tensor from a file can't be taken as plain numbers, or return an empty string.

    What torch can store, but not turn into weights: sparse and nested tensors, meta tensors without values, complex
    ones (whose imaginary part a conversion drops), quantised ones, and views that claim more than is stored.
    """
    if tensor.is_nested or tensor.layout != torch.strided:
        return "is sparse or nested"
    if tensor.is_meta:
        return "has a shape but no values (device meta)"
    if tensor.is_complex():
        return "is complex"
    if tensor.is_quantized:
        return "is quantised"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "claims more values than are stored"
    return ""


def _is_archive(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive: a zip that carries code."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name or name.endswith("constants.pkl") for name in archive.namelist())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
