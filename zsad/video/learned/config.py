"""Sizes and settings of a weakly supervised model: which blocks it has, and how it is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from zsad.config import knob


@dataclass(frozen=True)
class Temporal:
    """How neighbouring snippets are read."""

    kind: Literal["windows", "distance", "adapter", "queries"] = knob("windows", "which temporal block")
    layers: int = knob(2, "transformer layers", low=1, high=48)
    heads: int = knob(1, "attention heads", low=1, high=64)
    head_width: int = knob(128, "width of a head (distance)", low=1, high=1024)
    hidden: int = knob(512, "width of the feed-forward part (distance)", low=1, high=16384)
    width: int = knob(0, "width of the model; 0 is that of the features", low=0, high=8192)
    window: int = knob(8, "snippets that see each other (windows)", low=1, high=65536)
    length: int = knob(256, "snippets of one input", low=1, high=65536)
    dropout: float = knob(0.0, "share of values left out in training", low=0, high=0.99)
    decay: float = knob(1 / 0.07, "snippets over which a neighbour's weight falls by e (adapter)", low=1e-6, high=1e6)
    queries: int = knob(4, "learned queries of a clip (queries)", low=1, high=256)
    clip: int = knob(8, "frames of a clip (queries)", low=1, high=1024)
    tokens: int = knob(32, "tokens of a frame (queries)", low=1, high=4096)


@dataclass(frozen=True)
class Context:
    """What of the rest of the video, or of the world, a snippet is compared with."""

    kind: Literal["graphs", "memories", "phrases", "banks"] = knob("graphs", "which context block")
    threshold: float = knob(0.7, "cosine from which two snippets are linked (graphs)", low=-1, high=1)
    slots: int = knob(60, "slots of each memory (memories)", low=1, high=65536)
    normal: int = knob(0, "phrases of normal life (phrases)", low=0, high=65536)
    abnormal: int = knob(0, "phrases of anomalies (phrases)", low=0, high=65536)
    keep: int = knob(3, "clips that a bank retrieves (banks)", low=1, high=4096)
    hidden: int = knob(64, "width inside a bank's layers (banks)", low=1, high=8192)


@dataclass(frozen=True)
class Head:
    """How context becomes scores."""

    kind: Literal["aligned", "memory", "attended", "queries"] = knob("aligned", "which head")
    hidden: int = knob(128, "width inside the head (memory, attended, queries)", low=1, high=16384)
    temperature: float = knob(0.07, "divisor of cosines", low=1e-4, high=100)
    prefix: int = knob(10, "learned positions before a class name", low=0, high=64)
    postfix: int = knob(10, "learned positions after a class name", low=0, high=64)
    branch: Literal["binary", "classes"] = knob("binary", "which branch gives the score of a series (aligned)")


@dataclass(frozen=True)
class Loss:
    """What training minimises."""

    kind: Literal["aligned", "memory", "open", "margin"] = knob("aligned", "which loss")
    prompt: float = knob(0.1, "weight of the text features' likeness (aligned)", low=0, high=1000)
    similarity: float = knob(0.1, "weight of the phrases' likeness (open)", low=0, high=1000)
    consistency: float = knob(0.1, "weight of motion and appearance telling the same (motion)", low=0, high=1000)


@dataclass(frozen=True)
class Recipe:
    """How it is trained."""

    optimiser: Literal["adamw", "adam"] = knob("adamw", "which optimiser; adam decays inside the gradient")
    lr: float = knob(2e-5, "step", low=1e-9, high=10)
    weight_decay: float = knob(0.01, "decay of the weights", low=0, high=1)
    beta2: float = knob(0.999, "memory of squared gradients", low=0.5, high=0.99999)
    epochs: int = knob(10, "rounds through the shorter list", low=1, high=100000)
    batch: int = knob(64, "normal videos of a step, and as many anomalous ones", low=1, high=4096)
    milestones: tuple[int, ...] = knob((), "epochs after which the step is a tenth")
    warmup: int = knob(0, "steps that lead up to the step, a tenth of a run at most", low=0, high=1_000_000)
    final: float = knob(1.0, "share of the step at the end, along half a cosine; 1 stays", low=0, high=1)
    segments: int = knob(0, "a longer video becomes this many means; 0 is the input's length", low=0, high=65536)


@dataclass(frozen=True)
class Config:
    """A model: temporal block, context block, head, and what it is trained by.

    ``compat`` repeats the quirks of the published code, as its weights need: each stands where it is computed.
    """

    preset: str = knob("", "name of what it was assembled by")
    width: int = knob(512, "width of the features", low=1, high=8192)
    compat: bool = knob(False, "as the published code computes, with its quirks")
    unit: bool = knob(False, "features are brought to length 1 first")
    motion: int = knob(0, "width of motion features; 0 for a model without them", low=0, high=8192)
    temporal: Temporal = field(default=Temporal())
    context: Context = field(default=Context())
    head: Head = field(default=Head())
    loss: Loss = field(default=Loss())
    recipe: Recipe = field(default=Recipe())

    @property
    def read(self) -> int:
        """Width of what is read: features, and motion features behind them."""
        return self.width + self.motion

    @property
    def inner(self) -> int:
        """Width of the model behind its first layer."""
        return self.temporal.width or self.width

    @property
    def stride(self) -> int:
        """Rows of features that one score stands for: those of a clip, or 1."""
        return self.temporal.clip if self.temporal.kind == "queries" else 1
