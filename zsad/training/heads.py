"""What is learned: two directions for the image and two for each feature layer, from text or free of language."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.backbone import Backbone
from zsad.errors import ModelError, UsageError
from zsad.prompt.learner import PromptLearner
from zsad.prompt.store import Array
from zsad.training.config import TrainConfig
from zsad.types import PromptVectors


@dataclass(frozen=True)
class Vectors:
    """Unit vectors, *normal* (index 0) and *anomalous* (index 1), still differentiable.

    Attributes:
        image: ``(2, D)``.
        pixel: ``(L, 2, D)``.
        layers: weight of each layer's map ``(L,)``, summing to 1.
    """

    image: Tensor
    pixel: Tensor
    layers: Tensor


class Head(nn.Module, ABC):
    """Parameters -> :class:`Vectors`.

    Args:
        layers: number of feature layers L.
        learn_layer_weights: whether the weight of each layer's map is learned; equal otherwise.
    """

    def __init__(self, layers: int, learn_layer_weights: bool) -> None:
        super().__init__()
        self.layers = layers
        self.layer_logits = nn.Parameter(torch.zeros(layers)) if learn_layer_weights and layers > 1 else None

    @abstractmethod
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return the image pair ``(2, D)`` and the pixel pairs ``(L, 2, D)``, of any length."""

    @abstractmethod
    def learned(self) -> dict[str, Array]:
        """Return values that a prompt file keeps beside the finished vectors, or nothing."""

    def forward(self) -> Vectors:
        """Return unit vectors and layer weights."""
        image, pixel = self.pairs()
        learned = self.layer_logits
        logits = torch.zeros(self.layers, device=image.device) if learned is None else learned
        return Vectors(F.normalize(image, dim=-1), F.normalize(pixel, dim=-1), logits.softmax(0))

    def finished(self) -> tuple[PromptVectors, tuple[float, ...]]:
        """Return the vectors as numpy, and the layer weights; empty if they are equal."""
        with torch.no_grad():
            now = self()
        image, pixel = (np.ascontiguousarray(t.float().cpu().numpy()) for t in (now.image, now.pixel))
        weights = now.layers.double()
        equal = self.layer_logits is None
        return PromptVectors(image, pixel), () if equal else tuple((weights / weights.sum()).tolist())


class PromptHead(Head):
    """Learned text prompts in front of the frozen text tower: one pair, or one for each of the two decisions.

    Args:
        backbone: gives the text tower.
        config: sizes, seed and switches.
        decoupled: whether image and pixels have prompts of their own.

    Raises:
        ModelError: the backbone has no text tower.
    """

    def __init__(self, backbone: Backbone, config: TrainConfig, decoupled: bool) -> None:
        super().__init__(len(backbone.layers), config.learn_layer_weights)
        try:
            text = backbone.text_tower()
        except ModelError:
            raise UsageError(f"{backbone.info.id}: has no text tower for learned prompts; use --head weights") from None

        def learner(seed: int) -> PromptLearner:
            return PromptLearner(text, config.learner, half_compat=config.half_prompts, seed=seed)

        self.image = learner(config.seed)
        self.pixel = learner(config.seed + 1) if decoupled else None

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Encode the prompts, once per step."""
        image = self.image()  # (2, D)
        pixel = image if self.pixel is None else self.pixel()  # (2, D)
        return image, pixel.expand(self.layers, -1, -1)

    def learned(self) -> dict[str, Array]:
        """Return the learner's values if there is one learner; a file has room for one."""
        return self.image.tensors() if self.pixel is None else {}


class WeightsHead(Head):
    """Language-free vectors: one pair for the image, one for the pixels of each layer, for any backbone.

    Args:
        backbone: gives the width.
        config: seed and switches.
        pixels: whether pixel vectors are learned; else the image's are used for the map.
    """

    def __init__(self, backbone: Backbone, config: TrainConfig, pixels: bool) -> None:
        super().__init__(len(backbone.layers), config.learn_layer_weights)
        generator = torch.Generator().manual_seed(config.seed)
        width, layers = backbone.info.embed_dim, len(backbone.layers)
        # The length only sets how far one Adam step turns a vector: 0.02 per component, as in the prompts.
        self.image = nn.Parameter(torch.randn(2, width, generator=generator) * 0.02)
        self.pixel = nn.Parameter(torch.randn(layers, 2, width, generator=generator) * 0.02) if pixels else None

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return the parameters."""
        return self.image, self.image.expand(self.layers, -1, -1) if self.pixel is None else self.pixel

    def learned(self) -> dict[str, Array]:
        """Return nothing: the vectors are all there is."""
        return {}


def make_head(backbone: Backbone, config: TrainConfig, pixels: bool) -> Head:
    """Build the head that a run trains.

    Args:
        backbone: the frozen backbone, read as the run reads it.
        config: the run's settings.
        pixels: whether any example has a mask; without, the map must share the image's vectors.
    """
    device = next(backbone.parameters()).device
    if config.head == "weights":
        return WeightsHead(backbone, config, pixels).to(device)
    return PromptHead(backbone, config, pixels and config.decoupled).to(device)
