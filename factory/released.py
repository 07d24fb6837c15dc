"""Go on from a released model: its folder of weights, read as the checkpoint of a run that has done no step yet."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from factory.checkpoint import Checkpoint, latest, load
from factory.config import ModelConfig
from zsad.card import CARD_KEY, ModelCard
from zsad.config import to_mapping
from zsad.errors import ModelError, first_line

TOKENS = "token_embedding.weight"
CONFIG = "open_clip_config.json"


def is_released(path: Path) -> bool:
    """Return whether a path is a folder of a released model, not of a run."""
    return (path / CONFIG).is_file()


def read(path: Path) -> Checkpoint:
    """Read a checkpoint file, the newest one of a run's folder, or a released folder.

    Raises:
        ModelError: absent or damaged files.
        CardError: a damaged card.
    """
    if is_released(path):
        return checkpoint_of(path, ModelConfig())
    return load(latest(path) if path.is_dir() else path)


def checkpoint_of(folder: Path, model: ModelConfig) -> Checkpoint:
    """Read a released folder (``zsad/assets/tiny``) as a checkpoint at step 0.

    Weights are the released ones, in float32; the temperature is the card's, the offset is 0, since it was built into
    the weights. Optimiser and probes begin anew, so the run needs a warm-up. Tokens that had been read are those whose
    rows aren't zero.

    Args:
        folder: what ``factory.release`` wrote: ``open_clip_config.json`` and ``open_clip_model.safetensors``.
        model: the run's model; only the first values of its learned scalars are taken over.

    Raises:
        ModelError: files that are absent or damaged, or no model of ``factory``.
        CardError: a damaged card.
    """
    weights, card = _weights(folder / "open_clip_model.safetensors")
    shape = _shape(folder / CONFIG, model, card.reading.vv_blocks)
    named = {f"clip.{name}": value for name, value in weights.items()}
    named |= {"log_scale": torch.tensor(-math.log(card.scoring.temperature)), "offset": torch.tensor(0.0)}
    tensors = {f"{kind}/{name}": value for kind in ("weights", "average") for name, value in named.items()}
    tensors["seen"] = (weights[TOKENS] != 0).any(1)
    entry = {"step": 0, "hardware": card.provenance.details.get("hardware", "unknown")}
    worlds = card.provenance.details.get("world", "unknown").split(", ")
    first = {"released": card.provenance.name, "released_steps": card.provenance.details.get("steps", "unknown")}
    history = [entry | {"world": world} for world in worlds]
    history[0] |= first | {"released_seeds": card.provenance.details.get("seeds", "unknown")}
    return Checkpoint(0, {"model": to_mapping(shape)}, tensors, tuple(history))


def _shape(path: Path, model: ModelConfig, vv_blocks: int) -> ModelConfig:
    """Return the model that ``open_clip_config.json`` and the card describe."""
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
        vision, text = parts["vision_cfg"], parts["text_cfg"]
        return replace(
            model,
            image_size=int(vision["image_size"]),
            patch_size=int(vision["patch_size"]),
            embed_dim=int(parts["embed_dim"]),
            width=int(vision["width"]),
            depth=int(vision["layers"]),
            head_width=int(vision["head_width"]),
            vv_blocks=vv_blocks,
            text_width=int(text["width"]),
            text_depth=int(text["layers"]),
            text_heads=int(text["heads"]),
            context_length=int(text["context_length"]),
        )
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}); give a folder of factory.release") from None
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise ModelError(f"{path}: no config of a model of factory ({first_line(error)}); release it again") from None


def _weights(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a readable safetensors file ({first_line(error)}); release it again") from None
    if CARD_KEY not in metadata or TOKENS not in weights:
        raise ModelError(f"{path}: no model of factory (no card in its header); give a folder of factory.release")
    return weights, ModelCard.from_json(metadata[CARD_KEY], str(path))
