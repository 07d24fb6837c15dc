"""Fit the text tower to a finished vision tower: ``python -m factory.fit_texts --run RUN/last.ckpt --out FILE``.

Pretraining moves both towers at once, and its words lag behind what the features can tell. Here images are encoded
once and only texts are trained, which takes minutes; of several words that fit, each has to win on its own. What the
map is made of stays: the vision tower is not touched, and normal and anomalous texts are held where they were.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from factory import checkpoint as ckpt
from factory import losses
from factory.command import remake
from factory.config import RunConfig
from factory.model import DualEncoder, is_text
from factory.optimiser import descend
from factory.pool import ScenePool
from factory.texts import TextSampler, Words, pair_texts
from factory.validate import encoder_of, text_pair
from zsad.config import from_mapping
from zsad.errors import UsageError

SCENES, STEPS = 6000, 600
"""Training scenes that are looked at and optimiser steps, unless asked otherwise."""
BATCH = 192
RATE = 1e-3
WARMUP = 50
HELD = 4000
"""Normal and anomalous texts that are held, beside those of the ensemble."""
HOLD = 10.0
"""Weight of holding them."""
IMAGES = 16
"""Scenes that are encoded at a time."""


@dataclass(frozen=True)
class Known:
    """What the frozen vision tower says of n scenes, and what is true.

    Attributes:
        views: unit vectors ``(n, D)`` each.
        captions: their captions.
        defects: bool ``(n, Vd)``, the defect words that fit, or none.
        materials: bool ``(n, Vm)``, the material words that fit, or none.
        held: normal and anomalous texts about these scenes, without repetition.
    """

    views: losses.Views
    captions: tuple[str, ...]
    defects: npt.NDArray[np.bool_]
    materials: npt.NDArray[np.bool_]
    held: tuple[str, ...]


def look(encoder: DualEncoder, pool: ScenePool, words: Words, count: int, config: RunConfig) -> Known:
    """Encode the pool's first ``count`` scenes, each once and as it is, in float32."""
    rng = np.random.default_rng((config.train.seed, 4))
    sampler = TextSampler(words, rng)
    held = dict.fromkeys(text for side in pair_texts() for text in side)
    seen, captions, defects, materials = [], [], [], []
    for start in track(range(0, count, IMAGES), "scenes", disable=not sys.stderr.isatty()):
        scenes = [pool[i] for i in range(start, min(start + IMAGES, count))]
        pixels = torch.from_numpy(np.stack([s.image for s in scenes])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([s.mask for s in scenes])).float()
        with torch.inference_mode():
            cls, patches = encoder.encode_images(pixels)
            share = losses.share(masks, config.model.grid, config.loss.gain).flatten(1)  # (B, N)
            seen.append(losses.views_of(cls, patches, share))
        captions += [scene.caption for scene in scenes]
        defects += [words.fitting_defects(scene) for scene in scenes]
        materials += [words.fitting_materials(scene) for scene in scenes]
        if len(held) < HELD:
            held |= dict.fromkeys(text for scene in scenes for text in sampler.pair(scene))
    views = losses.Views(*(torch.cat([getattr(v, name) for v in seen]) for name in ("cls", "inside", "outside")))
    return Known(views, tuple(captions), np.stack(defects), np.stack(materials), tuple(held))


def fit(
    encoder: DualEncoder,
    known: Known,
    words: Words,
    config: RunConfig,
    steps: int,
    question: Callable[[Tensor, Tensor], Tensor] = losses.pick_each,
) -> list[dict[str, float]]:
    """Train the text tower in place: words and captions move towards what they name, held texts stay.

    Args:
        encoder: its vision tower, temperature and offset are left alone.
        known: what the vision tower says.
        words: the words of ``known``.
        config: gives the seed and the weights of captions and words, of which only the ratio matters.
        steps: optimiser steps.
        question: what is asked of words, :func:`factory.losses.pick_each` or :func:`factory.losses.pick`.

    Returns:
        The unweighted losses of every step.
    """
    rng = np.random.default_rng((config.train.seed, 5))
    sampler, tokenize = TextSampler(words, rng), encoder.text.tokenize
    weights = text_weights(encoder)
    encoder.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    held, captions = tokenize(list(known.held)), tokenize(list(known.captions))
    with torch.no_grad():
        places = torch.cat([encoder.encode_ids(part) for part in torch.split(held, 256)])  # (K, D)
    _, group = np.unique(np.array(known.captions), return_inverse=True)
    share = config.loss.caption / max(config.loss.word, 1e-6)
    history: list[dict[str, float]] = []

    def loss_at(step: int) -> Tensor:
        rows = rng.choice(len(captions), min(BATCH, len(captions)), replace=False)
        kept = torch.from_numpy(rng.choice(len(held), min(BATCH, len(held)), replace=False))
        asked = encoder.encode_ids(tokenize(sampler.words()))  # (Vd + Vm, D)
        defects, materials = torch.split(asked, [len(words.defects), len(words.materials)])
        said = encoder.encode_ids(torch.cat([captions[rows], held[kept]]))
        views = losses.Views(known.views.cls[rows], known.views.inside[rows], known.views.outside[rows])
        same = torch.from_numpy(group[rows][:, None] == group[rows][None])  # (B, B)
        scale = encoder.clip.logit_scale.exp()
        terms = {
            "word": losses.word_losses(
                views,
                (defects, torch.from_numpy(known.defects[rows])),
                (materials, torch.from_numpy(known.materials[rows])),
                scale,
                question,
            ),
            "caption": losses.caption_contrast(views.cls, said[: len(rows)], same, scale),
            "hold": 1 - (said[len(rows) :] * places[kept]).sum(-1).mean(),
        }
        history.append({name: float(value.detach()) for name, value in terms.items()})
        return terms["word"] + share * terms["caption"] + HOLD * terms["hold"]

    descend(weights, loss_at, steps, RATE, WARMUP)
    encoder.requires_grad_(False)
    return history


def text_weights(encoder: DualEncoder) -> list[Tensor]:
    """Return the text tower's parameters and the factor of the contrastive cosines."""
    return [weight for name, weight in encoder.named_parameters() if is_text(name)]


def fitted(saved: ckpt.Checkpoint, scenes: int, steps: int, cache: Path | None, where: str) -> ckpt.Checkpoint:
    """Return a checkpoint whose text tower fits its vision tower.

    Args:
        saved: a finished run, an average, or a released model.
        scenes: how many training scenes are looked at.
        steps: optimiser steps.
        cache: folder that keeps drawn scenes, or None.
        where: what the checkpoint is called in errors.

    Raises:
        ConfigError: a config of another version.
        UsageError: no scene or no step.
    """
    if scenes < 1 or steps < 1:
        raise UsageError(f"{scenes} scenes and {steps} steps fit nothing; give at least one of each")
    config = from_mapping(RunConfig, saved.config, where)
    encoder, words = encoder_of(saved, config), Words.of_world(held_out=False)
    pool = ScenePool(config.model.image_size, config.data.seed, "train", cache)
    before = text_pair(encoder)
    known = look(encoder, pool, words, scenes, config)
    history = fit(encoder, known, words, config, steps)
    after = text_pair(encoder)
    kept = F.cosine_similarity(before[1] - before[0], after[1] - after[0], dim=0)
    last = {name: round(float(np.mean([h[name] for h in history[-50:]])), 4) for name in history[0]}
    new = {name: value.detach() for name, value in encoder.named_parameters() if is_text(name)}
    tensors = {f"{kind}/{name}": value for kind in ("weights", "average") for name, value in new.items()}
    seen = saved.tensors["seen"].clone()
    seen[encoder.text.tokenize([*known.captions, *known.held]).flatten()] = True
    fact = {"texts_fitted": f"{steps} steps on {scenes} scenes", **last, "direction_kept": round(float(kept), 5)}
    # A released model's weights and average are the same tensors; in a file each needs its own.
    whole = {name: value.clone() for name, value in {**saved.tensors, **tensors, "seen": seen}.items()}
    return replace(saved, tensors=whole, history=(*saved.history, {**saved.history[-1], **fact}))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, fit, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.fit_texts", description="Fit texts to frozen images.")

    def make(saved: ckpt.Checkpoint, options: argparse.Namespace) -> ckpt.Checkpoint:
        return fitted(saved, options.scenes, options.steps, options.cache, str(options.run))

    return remake(parser, make, arguments, SCENES, STEPS)


if __name__ == "__main__":
    sys.exit(main())
