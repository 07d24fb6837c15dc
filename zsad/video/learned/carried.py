"""What the banks of a model carry from one piece of a video to the next: the surest clips, and the last ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zsad.types import FloatArray
from zsad.video.learned.config import Config


class Carried:
    """Clips that later ones can still retrieve: the K surest of both groups, and the last K; ``3 K`` places.

    Places that hold nothing stand in front, with tokens of 0 and a probability of NaN.

    Args:
        config: of the model.
    """

    def __init__(self, config: Config) -> None:
        self._keep, self._clip = config.context.keep, config.temporal.clip
        size = config.temporal.clip * config.temporal.tokens * config.read
        self._tokens = np.zeros((0, size), np.float32)
        self._probability = np.zeros(0, np.float32)

    def of(self, batch: int) -> tuple[FloatArray, FloatArray]:
        """Return tokens ``(batch, 3 K, n)`` and probabilities ``(batch, 3 K)``, the same for each of the batch."""
        short = 3 * self._keep - len(self._probability)
        tokens = np.pad(self._tokens, ((short, 0), (0, 0)))
        probability = np.pad(self._probability, (short, 0), constant_values=np.nan)
        return np.repeat(tokens[None], batch, 0), np.repeat(probability[None], batch, 0)

    def add(self, x: FloatArray, probability: FloatArray, lengths: Sequence[int]) -> None:
        """Take what a piece of the video adds.

        Args:
            x: tokens of its frames ``(1, T, q, D)``; of several videos nothing is carried.
            probability: of its clips ``(1, c)``.
            lengths: frames of it that there are.
        """
        if len(x) != 1:
            return
        count = -(-lengths[0] // self._clip)
        frames = np.pad(x[0], ((0, (-x.shape[1]) % self._clip), (0, 0), (0, 0)))
        tokens = np.concatenate([self._tokens, frames.reshape(-1, self._tokens.shape[1])[:count]])
        known = np.concatenate([self._probability, probability[0, :count]])
        last = range(max(0, len(known) - self._keep), len(known))
        wanted = sorted({*_surest(known, self._keep, True), *_surest(known, self._keep, False), *last})
        self._tokens, self._probability = tokens[wanted], known[wanted]


def _surest(probability: NDArray[np.floating], keep: int, abnormal: bool) -> list[int]:
    """Return the places of the surest clips of a group; the earlier one where they are equally sure."""
    score = probability if abnormal else 1 - probability
    group = np.flatnonzero((probability >= 0.5) == abnormal)
    return [int(at) for at in group[np.argsort(-score[group], kind="stable")[:keep]]]
