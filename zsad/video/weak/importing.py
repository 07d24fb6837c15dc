"""Published checkpoints of VadCLIP read into a model's folder; nothing in them is unpickled but tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zsad.errors import ModelError, UsageError, first_line
from zsad.files import is_file
from zsad.outside import printable
from zsad.prompt.class_learner import ClassLearner
from zsad.video.learned.card import VideoCard
from zsad.video.learned.config import Config
from zsad.video.weak.folder import save_weak
from zsad.video.weak.model import WeakModel
from zsad.video.weak.presets import PRESETS, UCF, XD
from zsad.video.weak.published import VADCLIP, VADCLIP_DEAD, renamed
from zsad.video.weak.towers import text_tower

PREFIX = "vadclip:"
CLASSES = {"vadclip-ucf": UCF, "vadclip-xd": XD}
BACKBONE, WIDTH = "ViT-B-16/openai", 512
"""What the authors took features from."""


def import_vadclip(
    source: str, out: str | Path, *, preset: str = "", classes: Sequence[str] = (), text_heads: int | None = None
) -> VideoCard:
    """Convert a checkpoint in the authors' layout, such as ``model_ucf.pth``.

    Args:
        source: ``vadclip:PATH``.
        out: folder for the model.
        preset: ``"vadclip-ucf"`` or ``"vadclip-xd"``; by default the one with as many local layers.
        classes: names, the normal one first; by default the preset's.
        text_heads: attention heads of its text tower; by default one for each 64 of the width, as CLIP has.

    Raises:
        UsageError: an unknown source or preset.
        ModelError: a file that is absent, damaged or of another layout.
        OutputError: the folder can't be written.
    """
    if not source.startswith(PREFIX):
        raise UsageError(f"{printable(source)}: unknown; give {PREFIX}PATH of a checkpoint such as model_ucf.pth")
    path = Path(source.removeprefix(PREFIX))
    state = _state(path)
    own = renamed(printable(path), state, VADCLIP, VADCLIP_DEAD)
    config = _config(printable(path), own, preset)
    names = tuple(classes) or CLASSES[config.preset]
    clip = {k.removeprefix("clipmodel."): v for k, v in state.items() if k.startswith("clipmodel.")}
    learner = ClassLearner(
        text_tower(printable(path), clip, text_heads), names, config.head.prefix, config.head.postfix
    )
    model = WeakModel(config, learner)
    try:
        model.load_state_dict(own)
    except RuntimeError as error:
        line = str(error).splitlines()[1].strip()[:160]
        raise ModelError(f"{printable(path)}: no checkpoint of VadCLIP's layout ({line})") from None
    backbone = BACKBONE if config.width == WIDTH else ""
    card = VideoCard(config, names, backbone, 16, {"imported": "VadCLIP checkpoint", "file": path.name})
    save_weak(out, model, card)
    return card


def _config(where: str, own: dict[str, Tensor], preset: str) -> Config:
    """Return the configuration that shapes tell of, and the preset the rest."""
    layers = len({name.split(".")[2] for name in own if name.startswith("temporal.layers.")})
    known = {PRESETS[name].temporal.layers: name for name in CLASSES}
    preset = preset or known.get(layers, "")
    if preset not in CLASSES:
        raise UsageError(f"{where}: {layers} local layers; say which preset it is of: {', '.join(CLASSES)}")
    base = PRESETS[preset]
    try:
        (length, width), (inner, _) = own["temporal.position"].shape, own["context.similar.0.weight"].shape
    except (KeyError, ValueError):
        raise ModelError(f"{where}: no checkpoint of VadCLIP's layout; give model_ucf.pth or model_xd.pth") from None
    if inner != width:
        raise ModelError(f"{where}: its tensors are {width} and {inner} wide; give an undamaged checkpoint")
    temporal = replace(base.temporal, layers=layers, length=length)
    return replace(base, preset=preset, width=width, compat=True, temporal=temporal)


def _state(path: Path) -> dict[str, Tensor]:
    if not is_file(path):
        raise ModelError(f"{printable(path)}: no such file; give a checkpoint such as model_ucf.pth")
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # Whatever the unpickler meets in a foreign or damaged file, it is not a checkpoint.
        raise ModelError(
            f"{printable(path)}: not a checkpoint that torch.load(weights_only=True) reads ({first_line(error)})"
        ) from None
    state = loaded.get("model_state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise ModelError(f"{printable(path)}: no state dict of tensors; give model_ucf.pth or model_xd.pth")
    bad = [k for k, v in state.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if bad:
        raise ModelError(f"{printable(path)}: {printable(str(bad[0]))[:60]} holds values that are not finite")
    return {str(name).removeprefix("module."): value.float() for name, value in state.items()}
