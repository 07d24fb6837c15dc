"""OVVAD's knowledge and head: phrases of normal life and of anomalies, and classes by what the video attends to.

Source: OVVAD (CVPR 2024), sections 3.3 to 3.5; it has no published code. Where the paper is silent the reading is
ours: the attention's input is the logit, the class temperature is CLIP's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zsad.errors import ModelError
from zsad.video.learned.config import Config, Loss
from zsad.video.weak.graphs import cosine
from zsad.video.weak.heads import Scored
from zsad.video.weak.losses import Terms, highest

SHARE = 0.1
"""Share of the phrases of a kind that a snippet's likeness to the kind is the mean of."""


class Phrases(nn.Module):
    """What learnable phrase embeddings say of a snippet: ``(B, T, D)`` -> ``(B, T, 2 D)``.

    Rows of ``embeddings`` ``(l, D)`` are normal phrases, then abnormal ones; text features are put there to begin with.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.normal = config.context.normal
        count = config.context.normal + config.context.abnormal
        self.embeddings = nn.Parameter(F.normalize(torch.randn(count, config.width), dim=-1))

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Add ``sigmoid(x E^T) E / l`` to ``x (B, T, D)``."""
        known = torch.sigmoid(x @ self.embeddings.mT) @ self.embeddings / len(self.embeddings)
        return torch.cat([x, known], dim=-1)

    def likeness(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return how like each kind ``x (B, T, D)`` is, ``(B, T)`` normal and abnormal: means of the highest tenth."""
        near = cosine(x, self.embeddings)  # (B, T, l)
        kinds = (near[..., : self.normal], near[..., self.normal :])
        top = [kind.topk(max(1, int(SHARE * kind.shape[-1])), dim=-1).values.mean(dim=-1) for kind in kinds]
        return top[0], top[1]


class AttendedHead(nn.Module):
    """One logit per snippet; classes of the snippets' mean, weighed by the softmax of their logits."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.temperature = config.head.temperature
        self.mlp = nn.Sequential(
            nn.Linear(2 * config.width, config.head.hidden), nn.GELU(), nn.Linear(config.head.hidden, 1)
        )

    def forward(self, v: Tensor, valid: Tensor, text: Tensor | None, x: Tensor) -> Scored:
        """Score ``v (B, T, 2 D)`` of features ``x (B, T, D)`` against class texts ``(C, D)``."""
        if text is None:
            raise ModelError("this model compares with class names; give it their text features")
        logits = self.mlp(v).squeeze(-1)  # (B, T)
        attention = torch.softmax(logits.masked_fill(~valid, float("-inf")), dim=-1)
        feature = (attention[:, None] @ x).squeeze(1)  # (B, D)
        inner = {"attention": attention, "feature": feature, "adapted": v[..., : x.shape[-1]]}
        video = cosine(feature, text) / self.temperature  # (B, C)
        return Scored(logits, cosine(x, text) / self.temperature, text, video=video, inner=inner)


def telling(valid: Tensor, abnormal: Tensor) -> Tensor:
    """Return how many snippets tell of a video, int64 ``(B,)``: all of a normal one, a sixteenth of another."""
    lengths = valid.sum(dim=1)
    return torch.where(abnormal, (lengths // 16).clamp(min=1), lengths)


def open_vocabulary(scored: Scored, valid: Tensor, classes: Tensor, phrases: Phrases, settings: Loss) -> Terms:
    """OVVAD's loss: of snippets, of classes, and of phrases.

    Args:
        scored: a model's output for the batch.
        valid: bool ``(B, T)``.
        classes: int64 ``(B,)``, the video's class, -1 for a normal one.
        phrases: the model's phrases.
        settings: weight of the phrases' term.

    Returns:
        ``snippets``, ``classes`` (of abnormal videos) and ``phrases`` (weighed); their sum is the loss.
    """
    assert scored.video is not None and scored.inner is not None
    abnormal = classes >= 0
    counts = telling(valid, abnormal)
    score = torch.sigmoid(highest(scored.logits, valid, counts))  # the mean comes first, as in the paper
    terms = {"snippets": F.binary_cross_entropy(score, abnormal.to(score.dtype))}
    named = scored.video[abnormal]
    terms["classes"] = F.cross_entropy(named, classes[abnormal]) if len(named) else named.sum()
    normal, strange = phrases.likeness(scored.inner["adapted"])  # (B, T)
    both = F.log_softmax(torch.stack([normal, strange], dim=-1) / 0.07, dim=-1)
    rank = scored.logits.detach().masked_fill(~valid, float("-inf")).argsort(dim=1, descending=True).argsort(dim=1)
    taken = (rank < counts[:, None]) & valid  # (B, T)
    each = torch.where(abnormal[:, None], -both[..., 1], -both[..., 0])
    video = (each * taken).sum(dim=1) / counts  # (B,)
    kinds = [video[kind].mean() for kind in (abnormal, ~abnormal) if bool(kind.any())]
    terms["phrases"] = settings.similarity * torch.stack(kinds).sum()
    return terms
