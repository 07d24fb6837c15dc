"""Small models of every preset, with texts that need no tower."""

from dataclasses import replace

import torch

from zsad.video.learned.card import VideoCard
from zsad.video.weak.folder import save_weak
from zsad.video.weak.model import FixedText, WeakModel
from zsad.video.weak.presets import PRESETS

WIDTH = 16
NAMES = ("normal", "fire", "fall")


def config(preset, layers=0, **changes):
    found = replace(PRESETS[preset], preset=preset, width=WIDTH, **changes)
    temporal, context = found.temporal, found.context
    if preset == "urdmu":
        temporal = replace(temporal, width=16, heads=2, head_width=8, hidden=16)
        context = replace(context, slots=20)
    if preset == "ovvad":
        context = replace(context, normal=5, abnormal=7)
    if preset == "vador":
        temporal = replace(temporal, heads=2, clip=2, tokens=3, length=16)
    if layers:
        temporal = replace(temporal, layers=layers)
    return replace(found, temporal=temporal, context=context)


def model(preset, seed=0, **changes):
    torch.manual_seed(seed)
    own = config(preset, **changes)
    named = own.head.kind in ("aligned", "attended")
    return WeakModel(own, FixedText(torch.randn(len(NAMES), WIDTH)) if named else None).eval()


def folder(path, preset, seed=0, **changes):
    made = model(preset, seed, **changes)
    return save_weak(path, made, VideoCard(made.config, NAMES if made.text is not None else (), "tiny"))


def features(preset, rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    form = (3, WIDTH) if preset == "vador" else (WIDTH,)
    return torch.randn(rows, *form, generator=generator)
