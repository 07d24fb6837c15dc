"""What a model's logits say: scores in [0, 1] of snippets and of anomalous classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zsad.video.weak.banks import History
from zsad.video.weak.heads import Scored
from zsad.video.weak.model import WeakModel


class Readout(nn.Module):
    """A model with its scores: features ``(B, T, D)``, ``valid (B, T)`` -> ``(B, T')``, ``(B, T', C)``.

    VadCLIP's binary branch is its score, or for XD-Violence what is not normal; its classes are a softmax, without
    the normal one. OVVAD names the video: a class has the snippet's score times its share of the video. The others
    know no classes: C is 0.
    """

    def __init__(self, model: WeakModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, valid: Tensor, history: History | None = None) -> tuple[Tensor, Tensor]:
        """Score a batch."""
        return self.read(self.model(x, valid, history))

    def read(self, scored: Scored) -> tuple[Tensor, Tensor]:
        """Return the scores that logits stand for."""
        score = torch.sigmoid(scored.logits)
        if scored.video is not None:
            share = torch.softmax(scored.video, dim=-1)  # (B, C)
            return score, score[..., None] * share[:, None]
        if scored.classes is None:
            return score, score[..., None][..., :0]
        by_class = torch.softmax(scored.classes, dim=-1)  # (B, T, C)
        if self.model.config.head.branch == "classes":
            score = 1 - by_class[..., 0]
        return score, by_class[..., 1:]
