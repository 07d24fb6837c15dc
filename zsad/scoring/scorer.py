"""What a scorer is: a small object that turns features into maps and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from zsad.card import CardScoring
from zsad.types import Features, FloatArray

if TYPE_CHECKING:
    from torch import nn


class Scorer(Protocol):
    """Features -> maps and scores, with numpy alone; any detector takes one by ``detector.with_scorer(scorer)``."""

    def card(self) -> CardScoring:
        """Return what the model's card says under ``scoring`` while this scorer is in use, thresholds included."""
        ...

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Score each image by itself.

        Args:
            features: of B images.

        Returns:
            ``(maps, scores)``: float32 ``(B, s, s)`` of any side s, such as the grid's or the input's, and ``(B,)``;
            all in [0, 1], higher is more anomalous.
        """
        ...


@runtime_checkable
class Exportable(Scorer, Protocol):
    """A scorer that also runs inside of a torch detector, and goes into an ONNX file."""

    def module(self) -> nn.Module:
        """Return its torch twin: ``(cls (B, D), patches (B, L, N, D))`` -> ``(map (B, S, S), score (B,))``.

        The twin's buffers that ``exchangeable`` names (a tuple, empty if absent) stay replaceable in the ONNX file.
        """
        ...
