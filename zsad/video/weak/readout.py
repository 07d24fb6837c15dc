"""What a model's logits say: scores in [0, 1] of snippets and of anomalous classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zsad.video.weak.banks import Banks, History
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

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Score a batch."""
        return self.read(self.model(x, valid))

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


class BankReadout(Readout):
    """The same with banks: what they hold of the video's earlier pieces comes in, what the clips add to it goes out."""

    def forward(  # type: ignore[override]
        self, x: Tensor, valid: Tensor, tokens: Tensor, probability: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score a batch.

        Args:
            x: tokens of frames ``(B, T, q, D)``.
            valid: bool ``(B, T)``.
            tokens: of earlier clips ``(B, h, n)``; see :class:`~zsad.video.weak.banks.History`.
            probability: of their being abnormal ``(B, h)``.

        Returns:
            Scores ``(B, c)``, classes ``(B, c, 0)``, and how abnormal each clip is by itself ``(B, c)``.
        """
        scored = self.model(x, valid, History(tokens, probability))
        return *self.read(scored), scored.inner["probability"]


def readout_of(model: WeakModel) -> Readout:
    """Return the readout of a model's kind."""
    return BankReadout(model) if isinstance(model.context, Banks) else Readout(model)
