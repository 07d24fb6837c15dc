"""Make the text tower narrower: ``python -m factory.narrow --run RUN/last.ckpt --width 64 --out FILE``.

Nearly all of a released text tower is the table of its vocabulary, whose bytes go with the width; vision blocks use
them better. A narrower tower is taught to say of texts what the wider one says; the vision tower is not touched.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from factory import checkpoint as ckpt
from factory.command import remake
from factory.config import ModelConfig, RunConfig
from factory.model import DualEncoder, is_text
from factory.optimiser import descend
from factory.pool import ScenePool
from factory.texts import TextSampler, Words, pair_texts, stored_phrases
from factory.validate import encoder_of
from zsad.config import from_mapping, to_mapping
from zsad.errors import UsageError

SCENES, STEPS = 6000, 3000
"""Scenes whose captions are read and optimiser steps, unless asked otherwise."""
BATCH = 192
RATE = 3e-3
WARMUP = 100
SENTENCES = 20
"""How often all single words are put into sentences."""
CHECKED = 10
"""One text in so many is kept aside, to measure on."""


def spoken(pool: ScenePool, words: Words, scenes: int, seed: int) -> list[str]:
    """Return texts about the world, without repetition.

    Args:
        pool: its first scenes give their captions, and normal and anomalous texts about them.
        words: each is put into sentences.
        scenes: how many scenes are read.
        seed: draws the texts.
    """
    sampler = TextSampler(words, np.random.default_rng((seed, 6)))
    found = dict.fromkeys([*(text for side in pair_texts() for text in side), *stored_phrases()])
    for scene in (pool[i] for i in track(range(scenes), "captions", disable=not sys.stderr.isatty())):
        found |= dict.fromkeys([scene.caption, *sampler.pair(scene)])
    for _ in range(SENTENCES):
        found |= dict.fromkeys(sampler.words())
    return list(found)


def narrowed(
    encoder: DualEncoder, texts: Sequence[str], read_tokens: Tensor, width: int, steps: int, seed: int
) -> DualEncoder:
    """Return the encoder with a narrower text tower that gives texts the features the old one gives them.

    The tables of tokens and positions begin as their principal components; all else of the tower begins anew.

    Args:
        encoder: any dual encoder; left as it is.
        texts: what the towers shall agree on.
        read_tokens: bool ``(V,)``, tokens that the old tower knows; all others stay zero.
        width: text width of the result.
        steps: optimiser steps.
        seed: draws the new weights and the order of texts.

    Returns:
        An encoder with the same vision tower, temperature, offset and contrastive factor, which nothing is trained in.
    """
    rng = np.random.default_rng((seed, 7))
    ids = encoder.text.tokenize(list(texts))  # (K, T)
    wanted = _said(encoder, ids)  # (K, D)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        made = DualEncoder(replace(encoder.config, text_width=width))
    _begin(made, encoder, read_tokens)
    made.requires_grad_(False)
    weights = [weight.requires_grad_(True) for name, weight in made.named_parameters() if is_text(name)]

    def loss_at(step: int) -> Tensor:
        rows = torch.from_numpy(rng.choice(len(ids), min(BATCH, len(ids)), replace=False))
        return 1 - (made.encode_ids(ids[rows]) * wanted[rows]).sum(-1).mean()

    descend(weights, loss_at, steps, RATE, WARMUP)
    return made.requires_grad_(False)


def agreement(first: DualEncoder, second: DualEncoder, texts: Sequence[str]) -> Tensor:
    """Return the cosine of what two encoders say of each text, float32 ``(K,)``."""
    ids = first.text.tokenize(list(texts))
    return (_said(first, ids) * _said(second, ids)).sum(-1)


@torch.no_grad()
def _said(encoder: DualEncoder, ids: Tensor) -> Tensor:
    return torch.cat([encoder.encode_ids(part) for part in torch.split(ids, 256)])


@torch.no_grad()
def _begin(made: DualEncoder, old: DualEncoder, read_tokens: Tensor) -> None:
    """Copy all that isn't the text tower's, and give its tables their principal components."""
    before = dict(old.named_parameters())
    for name, weight in made.named_parameters():
        if not is_text(name) or name == "clip.logit_scale":
            weight.copy_(before[name])
    known = old.clip.token_embedding.weight[read_tokens]  # (K, old W)
    axes = torch.linalg.svd(known - known.mean(0), full_matrices=False).Vh[: made.config.text_width]  # (A, old W)
    made.clip.token_embedding.weight.zero_()
    made.clip.token_embedding.weight[read_tokens, : len(axes)] = known @ axes.T
    made.clip.positional_embedding.zero_()
    made.clip.positional_embedding[:, : len(axes)] = old.clip.positional_embedding @ axes.T


def narrow(
    saved: ckpt.Checkpoint, width: int, scenes: int, steps: int, cache: Path | None, where: str
) -> ckpt.Checkpoint:
    """Return a checkpoint with a narrower text tower; what the optimiser remembered is gone.

    Args:
        saved: a finished run, an average, or a released model.
        width: the new text width.
        scenes: how many training scenes give their captions.
        steps: optimiser steps.
        cache: folder that keeps drawn scenes, or None.
        where: what the checkpoint is called in errors.

    Raises:
        ConfigError: a config of another version.
        UsageError: no scene or no step; a width that is no narrower, or not shared out evenly by the heads.
    """
    config = from_mapping(RunConfig, saved.config, where)
    model = _checked(config.model, width)
    if scenes < 1 or steps < 1:
        raise UsageError(f"{scenes} scenes and {steps} steps teach nothing; give at least one of each")
    encoder, seed = encoder_of(saved, config), config.train.seed
    pool = ScenePool(model.image_size, config.data.seed, "train", cache)
    texts = spoken(pool, Words.of_world(held_out=False), scenes, seed)
    order = np.random.default_rng((seed, 8)).permutation(len(texts))
    aside, taught = ([texts[i] for i in part] for part in np.split(order, [len(texts) // CHECKED]))
    made = narrowed(encoder, taught, saved.tensors["seen"], width, steps, seed)
    cosine = float(agreement(encoder, made, aside).mean())
    kept = {name: value.detach() for name, value in made.named_parameters()}
    tensors = {f"{kind}/{name}": value.clone() for kind in ("weights", "average") for name, value in kept.items()}
    fact = {
        "text_width": f"{config.model.text_width} to {width}, {steps} steps on {len(taught)} texts",
        "cosine_of_texts_kept_aside": round(cosine, 4),
    }
    return replace(
        saved,
        config={**saved.config, "model": to_mapping(model)},
        tensors={**tensors, "seen": saved.tensors["seen"]},
        history=(*saved.history, {**saved.history[-1], **fact}),
    )


def _checked(model: ModelConfig, width: int) -> ModelConfig:
    if not 4 <= width < model.text_width or width % model.text_heads:
        raise UsageError(
            f"text width {width}: give a multiple of the {model.text_heads} heads from 4 to below {model.text_width}"
        )
    return replace(model, text_width=width)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, narrow, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.narrow", description="Make the text tower narrower.")
    parser.add_argument("--width", type=int, required=True, help="the new text width")

    def make(saved: ckpt.Checkpoint, options: argparse.Namespace) -> ckpt.Checkpoint:
        return narrow(saved, options.width, options.scenes, options.steps, options.cache, str(options.run))

    return remake(parser, make, arguments, SCENES, STEPS)


if __name__ == "__main__":
    sys.exit(main())
