"""A step's gradients in parts: what stands alone in a batch is computed a few videos at a time, as long as they are.

The gradient is that of the whole batch, but for rounding: terms are means over videos, so that each part counts by its
share of them, and class texts, which all share, are encoded once. Small parts stay in the processor's cache, nothing is
computed of the padding behind a part's longest video, and memory does not grow with the batch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from zsad.video.weak.data import Batch
from zsad.video.weak.losses import Terms, text_likeness, total
from zsad.video.weak.model import WeakModel
from zsad.video.weak.objective import Clicked, clicked_count, terms_of

ROWS = 2048
"""Rows of a part, as long as that is at least one video."""
_ALONE = ("aligned", "margin")
"""Losses whose videos know nothing of each other."""


def gradients(model: WeakModel, batch: Batch, clicks: Clicked) -> Terms:
    """Add the gradients of a batch to the model's; return the weighed terms, without a graph.

    Args:
        model: in training mode.
        batch: normal videos first.
        clicks: point supervision.
    """
    if model.config.loss.kind not in _ALONE:
        terms = terms_of(model, batch, clicks)
        total(terms).backward()  # type: ignore[no-untyped-call]
        return {name: value.detach() for name, value in terms.items()}
    text = None if model.text is None else model.text()
    shared = None if text is None else text.detach().requires_grad_(text.requires_grad)
    clicked = clicked_count(batch, clicks)
    sums: Terms = {}
    for part in parts(batch, trim=not model.config.compat):
        terms = terms_of(model, part, clicks, shared)
        terms.pop("prompt", None)  # of the texts alone
        share = len(part.samples) / len(batch.samples)
        weights = dict.fromkeys(terms, share) | {"clicks": clicked_count(part, clicks) / max(1, clicked)}
        weighed = {name: value * weights[name] for name, value in terms.items()}
        total(weighed).backward()  # type: ignore[no-untyped-call]
        sums = {name: sums.get(name, torch.zeros(())) + value.detach() for name, value in weighed.items()} | {
            name: value for name, value in sums.items() if name not in weighed
        }
    if text is not None:
        prompt = model.config.loss.prompt * text_likeness(text)
        sums["prompt"] = prompt.detach()
        if text.requires_grad and shared is not None:
            torch.autograd.backward([prompt, text], [None, shared.grad])
    return sums


def parts(batch: Batch, *, trim: bool) -> Iterator[Batch]:
    """Yield a batch in parts of at most :data:`ROWS` rows, the longest videos first; all of a batch comes once.

    Args:
        batch: any.
        trim: leave out what is padding in the whole part; else all parts are as long as the batch.
    """
    lengths = batch.valid.sum(dim=1)
    order = lengths.argsort(descending=True, stable=True) if trim else torch.arange(len(lengths))
    at = 0
    while at < len(order):
        most = int(lengths[order[at]]) if trim else batch.x.shape[1]
        some = order[at : at + max(1, ROWS // most)]
        at += len(some)
        yield Batch(_rows(batch.x, some, most), _rows(batch.valid, some, most),
                    [batch.samples[i] for i in some], [batch.rows[i] for i in some])  # fmt: skip


def _rows(values: Tensor, some: Tensor, most: int) -> Tensor:
    return values[some, :most].contiguous()
