"""How large a step of training is: tenths after milestones; a line up at first, half a cosine down to the end."""

from __future__ import annotations

from math import cos, pi

from zsad.video.learned.config import Recipe

FIRST = 0.01
"""Share of the step at the beginning of a line up."""


def rate(recipe: Recipe, done: int, per_epoch: int) -> float:
    """Return the learning rate of a step.

    Args:
        recipe: how a model is trained. The line up has at most a tenth of all steps, so that a short run leaves it.
        done: steps before this one.
        per_epoch: steps of an epoch.

    Source: VAD-LLaMA (Lv & Sun, 2024): 1,000 steps from 1e-7 to 1e-5, then half a cosine to 1e-6; VadCLIP (Wu et al.,
    AAAI 2024): a tenth after milestones.
    """
    every = recipe.epochs * per_epoch
    rising = min(recipe.warmup, every // 10)
    if done < rising:
        return recipe.lr * (FIRST + (1 - FIRST) * done / rising)
    lr = recipe.lr * 0.1 ** sum(milestone <= done // per_epoch for milestone in recipe.milestones)
    share = (done - rising) / max(1, every - rising)
    return lr * (recipe.final + (1 - recipe.final) * (1 + cos(pi * share)) / 2)
