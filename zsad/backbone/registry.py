"""Ids of backbones and what loads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zsad.backbone.openclip import Loaded, load_pretrained, load_random, load_schema
from zsad.backbone.state_dict import load_file
from zsad.backbone.timm_vit import load_folder, load_timm
from zsad.backbone.tower import DTYPES, Backbone, Reading, cast, default_vv_blocks, torch_device
from zsad.card import ModelCard
from zsad.errors import ModelError
from zsad.files import check_name
from zsad.near import near_path

LOADERS: dict[str, Callable[[str, bool | None], Loaded]] = {
    "random:timm:": load_timm,
    "random:": load_random,
    "timm:": load_timm,
    "hf-hub:": load_schema,
    "local-dir:": lambda id, quick_gelu: _folder(id)(id, quick_gelu),
}
"""Loader of each id that starts with a schema; other ids are files or open_clip's NAME/TAG."""


def load_backbone(
    id: str,
    *,
    image_size: int | None = None,
    vv_blocks: int | None = None,
    layers: tuple[int, ...] | None = None,
    pos_interp: str = "bilinear",
    pos_antialias: bool = False,
    class_norm: bool = False,
    device: str = "cpu",
    dtype: str = "float32",
    quick_gelu: bool | None = None,
) -> Backbone:
    """Load a frozen backbone.

    Args:
        id: ``NAME/TAG`` or ``NAME/FILE`` of open_clip, ``hf-hub:ORG/REPO``, ``local-dir:PATH``, the path of a
            CLIP state dict in OpenAI's layout (``.safetensors``, ``.pt``, or OpenAI's own archive),
            ``timm:NAME`` or ``timm:NAME/FILE``, or ``random:NAME`` (seeded random weights, for speed and tests).
        image_size: side S of the input in pixels, any multiple of the patch; the native size by default.
        vv_blocks: number of last blocks on the value-value path; by default 19 of 24, or 0 where the
            attention is not plain.
        layers: 1-based blocks whose features are read; the last by default.
        pos_interp: ``"bilinear"`` (published) or ``"bicubic"``, how the position table is resized, once.
        pos_antialias: whether that resize is anti-aliased.
        class_norm: whether the class token passes the final norm (CLIP's own image feature); published: no.
        device: ``"cpu"`` or ``"cuda"``.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"``, what matrix products run in. Norms, the stream
            between blocks and the text tower stay float32.
        quick_gelu: what activation to expect; needed only for a state dict that is not OpenAI's.

    Raises:
        ModelError: an unknown id, weights that can't be read, or a setting that the tower can't do.
        ProviderError: the device is absent.
    """
    check_name(id, ModelError)
    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is unknown; use {', '.join(DTYPES)}")
    place = torch_device(device)
    vision, text, info = _loader(id)(id, quick_gelu)
    default = 0 if vision.vv_problem else default_vv_blocks(info.depth)
    reading = Reading(
        image_size=info.native_size if image_size is None else image_size,
        vv_blocks=default if vv_blocks is None else vv_blocks,
        layers=(info.depth,) if layers is None else tuple(layers),
        pos_interp=pos_interp,
        pos_antialias=pos_antialias,
        class_norm=class_norm,
    )
    vision.requires_grad_(False)
    cast(vision, DTYPES[dtype], keep=vision.kept_in_float32())
    return Backbone(vision, text, info, reading).to(place)


def backbone_of(card: ModelCard, *, device: str = "cpu", dtype: str = "float32") -> Backbone:
    """Load the backbone that a card names, read as the card says.

    Raises:
        ModelError: it can't be loaded, or is not what the card describes.
    """
    backbone = load_backbone(
        card.provenance.backbone,
        image_size=card.input.image_size,
        vv_blocks=card.reading.vv_blocks,
        layers=card.reading.layers,
        pos_interp=card.reading.pos_interp,
        pos_antialias=card.reading.pos_antialias,
        class_norm=card.reading.class_norm,
        device=device,
        dtype=dtype,
    )
    info = backbone.info
    for name, have, want in (
        ("embed_dim", info.embed_dim, card.reading.embed_dim),
        ("patch_size", info.patch_size, card.reading.patch_size),
        ("quick_gelu", info.quick_gelu, card.reading.quick_gelu),
        ("fingerprint", info.fingerprint, card.provenance.details.get("backbone_fingerprint", info.fingerprint)),
    ):
        if have != want:
            where = card.provenance.backbone
            raise ModelError(f"{where}: its {name} is {have}, the card says {want}; use its own weights")
    return backbone


def _loader(name: str) -> Callable[[str, bool | None], Loaded]:
    for prefix, loader in LOADERS.items():
        if name.startswith(prefix):
            return loader
    if Path(name).is_file() or name.endswith((".pt", ".pth", ".bin", ".safetensors")):
        # An existing file wins over open_clip's NAME/FILE form, which starts with an architecture.
        return load_file if Path(name).is_file() else load_pretrained if _names_architecture(name) else load_file
    if "/" not in name:
        raise ModelError(
            f"{name}: no such file{near_path(name)}, and open_clip's names need a tag, as in ViT-L-14-336/openai"
        )
    return load_pretrained


def _folder(name: str) -> Callable[[str, bool | None], Loaded]:
    """Return what reads a folder: open_clip's by its own configuration file, timm's by ``config.json`` alone."""
    folder = Path(name.removeprefix("local-dir:"))
    timms = (folder / "config.json").is_file() and not (folder / "open_clip_config.json").is_file()
    return load_folder if timms else load_schema


def _names_architecture(name: str) -> bool:
    import open_clip

    return name.partition("/")[0] in open_clip.list_models()
