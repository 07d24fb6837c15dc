"""What the models are trained for: losses of labels that say of a whole video what occurs in it.

Sources: VadCLIP (AAAI 2024), section 3.6; details as in the published code. A video's score is the mean of its
``floor(L / 16) + 1`` highest snippets.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.video.learned.config import Loss
from zsad.video.weak.heads import Scored

Terms = dict[str, Tensor]


def highest(values: Tensor, valid: Tensor, counts: Tensor) -> Tensor:
    """Return the mean of each video's highest valid values.

    Args:
        values: ``(B, T)`` or ``(B, T, C)``; each class has its own highest.
        valid: bool ``(B, T)``.
        counts: int64 ``(B,)``, how many; at least 1, at most the valid ones.

    Returns:
        ``(B,)`` or ``(B, C)``.
    """
    flat = values if values.ndim == 3 else values[..., None]  # (B, T, C)
    most = int(counts.max())
    hidden = flat.masked_fill(~valid[..., None], float("-inf"))
    top = hidden.topk(most, dim=1).values  # (B, most, C)
    taken = torch.arange(most, device=values.device) < counts[:, None]  # (B, most)
    mean = torch.where(taken[..., None], top, 0.0).sum(dim=1) / counts[:, None]
    return mean if values.ndim == 3 else mean[:, 0]


def top_counts(valid: Tensor) -> Tensor:
    """Return ``floor(L / 16) + 1`` for every video, int64 ``(B,)``."""
    return valid.sum(dim=1) // 16 + 1


def text_likeness(text: Tensor) -> Tensor:
    """Return the mean over anomalous classes of ``|cos|`` with the normal one, class 0; ``text (C, D)``."""
    unit = F.normalize(text, dim=-1)
    return (unit[1:] @ unit[0]).abs().mean()


def aligned(scored: Scored, valid: Tensor, labels: Tensor, settings: Loss) -> Terms:
    """VadCLIP's loss: binary, by class, and of the text features.

    Args:
        scored: a model's output for the batch.
        valid: bool ``(B, T)``.
        labels: ``(B, C)``, 1 for every class that occurs; class 0 is normal.
        settings: weights.

    Returns:
        ``binary``, ``classes`` and ``prompt`` (weighed); their sum is the loss.
    """
    assert scored.classes is not None and scored.text is not None
    counts = top_counts(valid)
    score = highest(torch.sigmoid(scored.logits), valid, counts)  # (B,)
    binary = F.binary_cross_entropy(score, 1 - labels[:, 0])
    target = labels / labels.sum(dim=1, keepdim=True)
    by_class = F.log_softmax(highest(scored.classes, valid, counts), dim=1)  # (B, C)
    classes = -(target * by_class).sum(dim=1).mean()
    return {"binary": binary, "classes": classes, "prompt": settings.prompt * text_likeness(scored.text)}


def total(terms: Terms) -> Tensor:
    """Return the sum of weighed terms."""
    return torch.stack(list(terms.values())).sum()


def top_rows(values: Tensor, by: Tensor) -> Tensor:
    """Return the mean of each video's ``T // 16 + 1`` rows with the highest ``by``: ``(B, T, D)`` -> ``(B, D)``."""
    places = by.topk(by.shape[1] // 16 + 1, dim=1).indices  # (B, k)
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1])).mean(dim=1)
