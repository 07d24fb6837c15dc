"""The card of a trained prompt."""

from __future__ import annotations

import json
import platform

import torch

import zsad
from zsad.backbone import Backbone
from zsad.card import ModelCard
from zsad.data.examples import digest
from zsad.training.checkpoint import Progress
from zsad.training.config import TrainConfig, exact
from zsad.training.sources import Sources


def make_card(
    tower: Backbone, config: TrainConfig, sources: Sources, progress: Progress, layer_weights: tuple[float, ...]
) -> ModelCard:
    """Return the card of a trained prompt: how it is read and judged, and all that it comes from."""
    recipe = f"{config.recipe}{'' if exact(config) or config.recipe != 'anomalyclip' else ', changed'}"
    details = {
        "recipe": recipe,
        "seed": str(config.seed),
        "epochs": str(progress.epoch),
        "steps": str(progress.total),
        "losses": ", ".join(f"{loss:.6g}" for loss in progress.losses),
        "images": str(len(sources.examples)),
        "data_hash": progress.data,
        "settings_hash": digest(json.dumps(progress.settings, sort_keys=True)),
        "data_licence": config.licence or "not stated",
        "trained": "image and pixels" if sources.pixels else "image only",
        "decoupled": str(config.head == "weights" or (config.decoupled and sources.pixels)).lower(),
        "words_normal": config.learner.normal,
        "words_anomalous": config.learner.anomalous,
        "made_by": f"zsad {zsad.__version__}, torch {torch.__version__}, {platform.machine()}",
    }
    if progress.best is not None:
        details["held_out_loss"] = f"{progress.best:.6g} after epoch {progress.best_epoch}"
    return tower.card(
        head=config.head,
        prompt=f"trained:{'+'.join(sources.names)}",
        layer_weights=layer_weights,
        temperature=config.temperature,
        sigma=config.sigma,
        score_rule="cls" if config.fusion == 0 else "map_top1" if config.fusion == 1 else f"fused({config.fusion:.6f})",
        training_data=", ".join(sources.names),
        licence=config.licence,
        source="trained with zsad train",
        details=details,
    )
