"""One set of golden numbers as the project loads it: backbone, inputs and prompts; see ``parity.py``."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.parity_checks import Files, Fixture
from zsad.backbone import Backbone, load_backbone
from zsad.card import ModelCard
from zsad.prompt.bank import LearnerSettings
from zsad.prompt.learner import PromptLearner

TEMPERATURE = 0.07


class Model:
    """A set's backbone, inputs and prompts, built through the project's own loaders."""

    def __init__(self, fixture: Fixture) -> None:
        self.fixture = fixture
        self.inputs = fixture.arrays("inputs.npz")
        self.backbone = self._backbone()
        self.image = torch.from_numpy(self.inputs["image"])
        self.mask = torch.from_numpy(self.inputs["mask"])
        self.label = torch.from_numpy(self.inputs["label"])
        with torch.no_grad():
            self.cls, self.patches = self.backbone(self.image)  # (B, D), (B, L, N, D)

    def _backbone(self) -> Backbone:
        """Load the set's state dict, completed by its token table, as a user would load a file."""
        from safetensors.torch import load_file, save_file

        fixture, config = self.fixture, self.fixture.config
        weights = load_file(fixture.path("clip_weights.safetensors"))
        weights["token_embedding.weight"] = torch.from_numpy(token_table(config, self.inputs))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.safetensors"
            save_file({name: value.contiguous() for name, value in weights.items()}, path)
            return load_backbone(
                str(path), image_size=int(config["img"]), vv_blocks=fixture.vv_blocks, layers=fixture.layers
            )

    def learner(self, *, half: bool) -> PromptLearner:
        """Return the set's prompts before training."""
        config = self.fixture.config
        settings = LearnerSettings(
            context=int(config["n_ctx"]), depth=int(config["depth"]), deep_length=int(config["t_n_ctx"])
        )
        learner = PromptLearner(self.backbone.text_tower(), settings, half_compat=half)
        values = {ours(name): value for name, value in prompts(self.inputs).items()}
        return learner.load({name: value.reshape(value.shape[-2:]) for name, value in values.items()})

    def card(self) -> ModelCard:
        """Return the card of the published reading with this set's sizes."""
        return self.backbone.card(sigma=float(self.fixture.config["sigma"]), temperature=TEMPERATURE)


def drawn_table(config: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Draw the token table of a set from its seed, float32 ``(49408, W)``."""
    generator = np.random.default_rng([int(config["seed"]), 1])
    return generator.standard_normal((49408, int(config["tw"])), dtype=np.float32) * np.float32(0.02)


def token_table(config: dict[str, Any], inputs: Files) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the token table; where another numpy draws otherwise, only the rows that are read."""
    width, table = int(config["tw"]), drawn_table(config)
    if hashlib.sha256(table.tobytes()).hexdigest() != str(inputs["token_embedding_sha256"]):
        table = np.zeros((49408, width), dtype=np.float32)
        table[inputs["token_ids"]] = inputs["token_embedding_rows"]
    return table


def prompts(inputs: Files) -> Files:
    """Return the learned prompts by their published names."""
    learned = ("ctx_pos", "ctx_neg", "compound_prompts_text.")
    short = {name.removeprefix("prompt."): value for name, value in inputs.items() if name.startswith("prompt.")}
    return {name: value for name, value in short.items() if name.startswith(learned)}


def ours(name: str) -> str:
    """Return this project's name of a published parameter."""
    plain = {"ctx_pos": "context_normal", "ctx_neg": "context_anomalous"}
    return plain.get(name) or name.replace("compound_prompts_text", "deep")
