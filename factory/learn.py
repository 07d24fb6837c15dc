"""Learn the shipped prompt on frozen features: AnomalyCLIP's object-agnostic prompts, on synthetic scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from factory import losses
from factory.config import RunConfig
from factory.model import DualEncoder
from factory.validate import Collected
from zsad.prompt.bank import load_learner
from zsad.prompt.learner import PromptLearner

STEPS = 500
BATCH = 32
RATE = 1e-3
BETAS = (0.5, 0.999)
"""Adam's rate and moments are the published ones."""


def learn_prompt(
    encoder: DualEncoder, data: Collected, config: RunConfig, steps: int = STEPS, seed: int = 0
) -> PromptLearner:
    """Train context and deep prompts; the encoder stays as it is.

    Args:
        encoder: frozen.
        data: features and masks of training scenes.
        config: gives the weights of focal, dice and image loss.
        steps: optimiser steps.
        seed: of initial values and order.

    Returns:
        The trained prompts.
    """
    settings = load_learner()
    settings = replace(settings, depth=min(settings.depth, encoder.text.depth))
    learner = PromptLearner(encoder.text, settings, seed=seed)
    optimiser = torch.optim.Adam(learner.parameters(), lr=RATE, betas=BETAS)
    rng = np.random.default_rng(seed)
    grid = config.model.grid
    for _ in range(steps):
        picked = rng.choice(len(data.labels), min(BATCH, len(data.labels)), replace=False)
        mask = torch.from_numpy(data.masks[picked]).float()  # (B, S, S)
        label = torch.from_numpy(data.labels[picked]).float()  # (B,)
        direction = _direction(learner, float(encoder.temperature))  # (D,)
        z = (data.patches[picked] @ direction).view(-1, grid, grid)  # (B, G, G)
        focal = losses.soft_focal(z, losses.share(mask, grid, config.loss.gain), config.loss.positive)
        dice = losses.soft_dice(z, losses.share(mask, 2 * grid, config.loss.gain))
        image = F.binary_cross_entropy_with_logits(data.cls[picked] @ direction, label)
        loss = config.loss.focal * focal + config.loss.dice * dice + config.loss.image * image
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return learner


def unit_pair(learner: PromptLearner) -> Tensor:
    """Return the learned unit vectors ``(2, D)``, normal and anomalous."""
    with torch.no_grad():
        pair: Tensor = F.normalize(learner(), dim=-1)
    return pair


def _direction(learner: PromptLearner, temperature: float) -> Tensor:
    pair = F.normalize(learner(), dim=-1)  # (2, D)
    direction: Tensor = (pair[1] - pair[0]) / temperature
    return direction
