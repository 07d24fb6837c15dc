"""Pseudo-anomalies: a clip of an anomaly set into a normal video, with labels of its snippets.

Source: OVVAD (CVPR 2024), section 3.6: the sequence gets longer by the clip.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.floating]


def inserted(sequence: Floats, clip: Floats, place: int) -> tuple[Floats, NDArray[np.float32]]:
    """Set a clip into a sequence of features, or of frames.

    Args:
        sequence: ``(T, ...)``, all normal.
        clip: ``(L, ...)``, all anomalous.
        place: what stands before it, 0 to T.

    Returns:
        ``(T + L, ...)``, and 1 where the clip is, ``(T + L,)``.
    """
    labels = np.zeros(len(sequence) + len(clip), np.float32)
    labels[place : place + len(clip)] = 1
    return np.concatenate([sequence[:place], clip, sequence[place:]]), labels


def snippets(logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
    """Return the cross entropy of labelled snippets ``(B, T)``: its mean over a video, then over videos."""
    each = F.binary_cross_entropy_with_logits(logits, labels, reduction="none") * valid
    return (each.sum(dim=1) / valid.sum(dim=1)).mean()
