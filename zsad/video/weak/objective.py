"""From a batch to its loss: one function for each kind, chosen by the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.video.weak import losses_margin, losses_memory
from zsad.video.weak.clicks import brought, click_mask
from zsad.video.weak.data import Batch
from zsad.video.weak.losses import Terms, aligned
from zsad.video.weak.model import WeakModel
from zsad.video.weak.phrases import open_vocabulary
from zsad.video.weak.tokens import told

Clicked = Mapping[str, Sequence[int]]
"""Name of a video -> rows of its features that were clicked."""


def terms_of(model: WeakModel, batch: Batch, clicks: Clicked, text: Tensor | None = None) -> Terms:
    """Return the weighed terms of a batch; their sum is the loss.

    Args:
        model: in training mode.
        batch: normal videos first.
        clicks: point supervision, which adds a term where a video has some.
        text: class texts ``(C, D)``, where they are known.
    """
    settings = model.config.loss
    if settings.kind == "memory":
        logits, together, terms = _memories(model, batch)
    else:
        scored = model(batch.x, batch.valid, text=text)
        logits, inner = scored.logits, scored.inner or {}
        together = inner.get("consistency")
        if settings.kind == "margin":
            terms = _margin(inner, batch)
        elif settings.kind == "open":
            terms = open_vocabulary(scored, batch.valid, batch.first_class, model.context, settings)
        else:
            assert scored.classes is not None
            terms = aligned(scored, batch.valid, batch.multi_hot(scored.classes.shape[-1]), settings)
    if together is not None:
        terms["consistency"] = settings.consistency * together
    return terms | _clicked(logits, batch, clicks, model.config.stride)


def _memories(model: WeakModel, batch: Batch) -> tuple[Tensor, Tensor | None, Terms]:
    """Return logits ``(B, T)``, the consistency of motion if there is some, and the terms of both memories."""
    x, together = model.seen(batch.x, batch.valid)
    pairs = model.context.pairs(model.temporal(x, batch.valid))
    logits = model.head(pairs.rows, batch.valid).logits
    found = losses_memory.memory(torch.sigmoid(logits), pairs, compat=model.config.compat)
    return logits, together, losses_memory.weighed(found)


def _margin(inner: dict[str, Tensor], batch: Batch) -> Terms:
    """Sum the loss of the three readings: alone, with the long bank, with the short one."""
    found: Terms = {}
    labels = batch.anomalous.long()
    for reading in ("base", "long", "short"):
        clip_logits, _ = told(inner[reading])
        for name, value in losses_margin.weighed(losses_margin.margin(clip_logits, labels, inner["there"])).items():
            found[name] = found.get(name, torch.zeros(())) + value
    return found


def _clicked(logits: Tensor, batch: Batch, clicks: Clicked, stride: int) -> Terms:
    """Return the cross entropy with masks grown from clicks, or nothing where the batch has none.

    Args:
        logits: ``(B, T)``, or ``(B, c)`` of clips.
        batch: what they are of.
        clicks: point supervision.
        stride: rows that one logit stands for.
    """
    scores = torch.sigmoid(logits)
    found = []
    for row, sample in enumerate(batch.samples):
        places = clicks.get(sample.name)
        if places:
            rows = int(batch.valid[row].sum())
            count = -(-rows // stride)
            at = sorted({place // stride for place in brought(places, batch.rows[row], rows)})
            mask = click_mask(scores[row, :count].detach().numpy(), at)
            target = torch.from_numpy(mask.astype(np.float32))
            found.append(F.binary_cross_entropy(scores[row, :count], target))
    return {"clicks": torch.stack(found).mean()} if found else {}


def clicked_count(batch: Batch, clicks: Clicked) -> int:
    """Return how many videos of a batch have clicks."""
    return sum(bool(clicks.get(sample.name)) for sample in batch.samples)
