"""Words -> two unit vectors, without training.

Source: the prompt ensembles of CLIP (2021), section 3.1.4, and of WinCLIP (CVPR 2023), section 4.1: the unit
vectors of all sentences for one state are averaged, and the average is made a unit vector again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from zsad.backbone import Backbone, TextTower
from zsad.errors import PromptError
from zsad.prompt.bank import PromptBank
from zsad.types import PromptVectors

CHUNK = 64
"""Sentences that go through the text tower together."""


def mean_direction(text: TextTower, texts: Sequence[str]) -> Tensor:
    """Return the unit vector ``(D,)``, float32, that stands for all of ``texts`` together.

    Raises:
        PromptError: no text, an empty one, or one that is too long.
    """
    if not texts or any(not t.strip() for t in texts):
        raise PromptError("a prompt text is empty; say what normal and anomalous look like")
    with torch.no_grad():
        parts = [text.encode_texts(texts[i : i + CHUNK]) for i in range(0, len(texts), CHUNK)]
        units = F.normalize(torch.cat(parts).float(), dim=-1)  # (P, D)
        return F.normalize(units.mean(dim=0), dim=-1)  # (D,)


def unit_vectors(text: TextTower, texts: Sequence[str]) -> Tensor:
    """Return a unit vector per text ``(P, D)``, float32; what is beyond the tower's positions is left out."""
    with torch.no_grad():
        parts = [text.encode_texts(texts[i : i + CHUNK], cut=True) for i in range(0, len(texts), CHUNK)]
        return F.normalize(torch.cat(parts).float(), dim=-1).cpu()  # (P, D)


def bank_vectors(backbone: Backbone, bank: PromptBank, noun: str | None = None) -> PromptVectors:
    """Encode a prompt bank for a backbone.

    Args:
        backbone: a backbone with a text tower.
        bank: the words.
        noun: what to call the object; the bank's own noun by default.

    Raises:
        ModelError: the backbone has no text tower.
        PromptError: a text that can't be encoded.
    """
    normal, anomalous = bank.texts(noun)
    return text_vectors(backbone, normal, anomalous)


def text_vectors(backbone: Backbone, normal: str | Sequence[str], anomalous: str | Sequence[str]) -> PromptVectors:
    """Encode free texts for normal and anomalous for a backbone; several texts are averaged.

    Raises:
        ModelError: the backbone has no text tower.
        PromptError: a text that can't be encoded, or the same vector for both.
    """
    text = backbone.text_tower()
    sides = [[side] if isinstance(side, str) else side for side in (normal, anomalous)]
    pair = torch.stack([mean_direction(text, side) for side in sides])  # (2, D)
    values = np.asarray(pair.cpu().numpy(), dtype=np.float32)
    if np.abs(values[0] - values[1]).max() < 1e-6:
        raise PromptError("normal and anomalous say the same; give two different texts")
    return PromptVectors.shared(values, len(backbone.layers))
