"""Heads: snippets with their context -> a logit per snippet, and logits of classes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from zsad.errors import ModelError
from zsad.video.learned.config import Config
from zsad.video.weak.graphs import cosine
from zsad.video.weak.windows import FeedForward, quick_gelu


@dataclass
class Scored:
    """What a model gives for a batch.

    Attributes:
        logits: ``(B, T)`` of a snippet being anomalous, before the sigmoid.
        classes: ``(B, T, C)`` logits of the classes, or None where the model knows none.
        text: ``(C, D)`` features of the class names as learned, not normalised, or None.
        inner: further values that a loss or a test reads, by name.
        video: ``(B, C)`` logits of the classes of the whole video, where they are not the snippets'.
    """

    logits: Tensor
    classes: Tensor | None = None
    text: Tensor | None = None
    inner: dict[str, Tensor] | None = None
    video: Tensor | None = None


class AlignedHead(nn.Module):
    """VadCLIP's heads: a binary one, and cosines with class texts that the video itself has shifted.

    Source: VadCLIP (AAAI 2024), sections 3.3 to 3.5.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        D = config.width
        self.compat, self.temperature = config.compat, config.head.temperature
        self.snippet_mlp, self.text_mlp = FeedForward(D), FeedForward(D)
        self.classifier = nn.Linear(D, 1)

    def binary(self, v: Tensor) -> Tensor:
        """Return the binary logits ``(B, T)`` of ``v (B, T, D)``: ``classifier(v + snippet_mlp(v))``.

        Both last layers are linear and only one value comes out, so that they are joined: a product with a vector.
        """
        weight, back = self.classifier.weight[0], self.snippet_mlp.back
        hidden = quick_gelu(self.snippet_mlp.wide(v))
        logits: Tensor = v @ weight + hidden @ (weight @ back.weight) + weight @ back.bias + self.classifier.bias
        return logits

    def visual_prompt(self, v: Tensor, logits: Tensor, valid: Tensor) -> Tensor:
        """Return the video's unit vector ``(B, D)``: its snippets, weighed by their raw logits."""
        weights = logits if self.compat else logits * valid
        return nn.functional.normalize((weights[:, None] @ v).squeeze(1), dim=-1)

    def texts(self, text: Tensor, prompt: Tensor) -> Tensor:
        """Return the class texts of every video ``(B, C, D)``."""
        shifted = text + prompt[:, None]
        out: Tensor = shifted + self.text_mlp(shifted)
        return out

    def forward(self, v: Tensor, valid: Tensor, text: Tensor | None, x: Tensor | None = None) -> Scored:
        """Score ``v (B, T, D)`` against class texts ``(C, D)``."""
        if text is None:
            raise ModelError("this model compares with class names; give it their text features")
        logits = self.binary(v)
        texts = self.texts(text, self.visual_prompt(v, logits, valid))
        return Scored(logits, cosine(v, texts) / self.temperature, text)


class MemoryHead(nn.Module):
    """UR-DMU's head: two layers on every snippet with what the memories say of it.

    Source: UR-DMU (AAAI 2023), section 3.4.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * config.inner, config.head.hidden), nn.ReLU(), nn.Linear(config.head.hidden, 1)
        )

    def forward(self, v: Tensor, valid: Tensor, text: Tensor | None = None, x: Tensor | None = None) -> Scored:
        """Score ``v (B, T, 2 D)``."""
        return Scored(self.mlp(v).squeeze(-1))
