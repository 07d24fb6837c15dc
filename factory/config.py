"""Every knob of a pretraining run, as frozen dataclasses that are read from YAML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zsad.config import knob


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the dual encoder, in open_clip's terms, and how its patch features are read."""

    image_size: int = knob(256, "side S of the square input", low=16, unit="px")
    patch_size: int = knob(16, "side of a patch", low=2, unit="px")
    embed_dim: int = knob(128, "width D of the shared space", low=4)
    width: int = knob(192, "width of the vision tokens", low=8)
    depth: int = knob(8, "vision blocks", low=1)
    head_width: int = knob(64, "width of a vision head", low=4)
    vv_blocks: int = knob(4, "last blocks on the value-value path", low=0)
    text_width: int = knob(80, "width of the text tokens", low=4, high=128)
    text_depth: int = knob(4, "text blocks", low=1)
    text_heads: int = knob(2, "text heads", low=1)
    context_length: int = knob(48, "text positions", low=8, high=77)
    temperature: float = knob(0.25, "divisor of the cosines of map and score at first; it is learned", low=0.001)
    logit_scale: float = knob(4.0, "factor of the contrastive cosines at first; it is learned", low=0.1, high=100)

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.width % self.head_width or self.text_width % self.text_heads:
            raise ValueError("width must be a multiple of head_width, and text_width of text_heads")
        if self.vv_blocks > self.depth:
            raise ValueError(f"vv_blocks {self.vv_blocks} is above depth {self.depth}")

    @property
    def grid(self) -> int:
        """Grid side G."""
        return self.image_size // self.patch_size


@dataclass(frozen=True)
class DataConfig:
    """Which scenes are seen, and how they are varied."""

    seed: int = knob(0, "seed of the procedural world", low=0)
    first: int = knob(0, "first scene of the pool; a run that goes on behind another's pool sees new scenes", low=0)
    pool: int = knob(40_000, "scenes that are reused over epochs", low=1)
    early_size: int = knob(160, "side of the images of the first steps", low=16, unit="px")
    early_least: float = knob(0.0, "smallest defect of the first steps, as a share of the image", low=0, high=1)
    early_paste: float = knob(0.7, "share of the first steps' scenes with a pasted patch", low=0, high=1)
    paste: float = knob(0.2, "share of the later steps' scenes with a pasted patch", low=0, high=1)
    twins: float = knob(0.0, "share of scenes in couples: a faulty one and its good twin", low=0, high=1)
    batch: int = knob(48, "scenes per step", low=2)
    crop_chance: float = knob(0.5, "share of scenes that are cropped and enlarged", low=0, high=1)
    crop_least: float = knob(0.6, "smallest side of a crop, as a fraction of the scene's", low=0.1, high=1)
    incidents: bool = knob(True, "scenes with harmless incidents (seams, labels, reflections) are seen, too")
    light: float = knob(0.15, "largest random change of brightness and contrast", low=0, high=0.9)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the loss terms, and how masks become targets."""

    caption: float = knob(0.5, "contrast between class tokens and captions", low=0)
    focal: float = knob(8.0, "patches against the normal and the anomalous text", low=0)
    dice: float = knob(1.0, "overlap of the map with the mask at twice the grid", low=0)
    image: float = knob(1.0, "class token against the normal and the anomalous text", low=0)
    peak: float = knob(0.5, "highest patches against the image's label", low=0)
    word: float = knob(0.5, "class token and region means against single words", low=0)
    each: bool = knob(False, "of several words that fit, each has to win on its own; else one is enough")
    probe: float = knob(0.0, "linear probes of the features, which are dropped after training", low=0)
    state: float = knob(1.0, "texts of one state, normal or anomalous, against those of the other", low=0)
    gain: float = knob(3.0, "patch target = defect's share of its area times this, at most 1", low=1)
    positive: float = knob(4.0, "weight of a fully defective patch against a normal one", low=1)


@dataclass(frozen=True)
class TrainConfig:
    """Length, optimiser and bookkeeping of a run."""

    seed: int = knob(0, "seed of weights, data order and texts", low=0)
    steps: int = knob(4000, "optimiser steps in all", low=1)
    early: int = knob(0, "first steps, which see small images", low=0)
    warmup: int = knob(200, "steps of linear warm-up", low=0)
    decay: int = knob(1200, "last steps, over which the rate falls to zero by a cosine", low=0)
    rate: float = knob(1e-3, "highest learning rate", low=0)
    optimiser: Literal["adamw", "muon"] = knob("adamw", "muon: the towers' matrices by Muon, the rest by AdamW")
    weight_decay: float = knob(0.05, "decay of matrices", low=0)
    beta2: float = knob(0.98, "AdamW's second moment", low=0, high=1)
    clip: float = knob(1.0, "largest norm of the gradient", low=0.001)
    average: float = knob(0.998, "decay of the moving average of weights that is shipped", low=0, high=1)
    precision: Literal["bfloat16", "float32"] = knob("bfloat16", "arithmetic of the towers and of Muon")
    save_every: int = knob(200, "steps between checkpoints", low=1)
    log_every: int = knob(20, "steps between log lines", low=1)

    def __post_init__(self) -> None:
        if self.warmup + self.decay > self.steps:
            raise ValueError(f"warmup {self.warmup} and decay {self.decay} are longer than steps {self.steps}")


@dataclass(frozen=True)
class RunConfig:
    """One pretraining run."""

    name: str = knob("tiny", "what the model is called")
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        size, patch = self.data.early_size, self.model.patch_size
        if size % patch:
            raise ValueError(f"early_size {size} is not a multiple of patch_size {patch}")
