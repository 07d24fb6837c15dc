"""What a scorer is: a small object that turns features into maps and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from zsad.card import CardScoring
from zsad.errors import ModelError
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


@runtime_checkable
class Fusing(Scorer, Protocol):
    """A scorer that needs what the network says by itself, too; detectors hand both on, from one pass."""

    def fuse(self, features: Features, maps: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Score features as :meth:`Scorer.score`, with the network's own maps ``(B, S, S)`` and scores ``(B,)``."""
        ...

    def fusing_module(self, own: nn.Module) -> nn.Module:
        """Return the torch twin, as :meth:`Exportable.module`, around the network's own head."""
        ...


class Unscored:
    """Stands where a network is asked for its features alone."""

    def card(self) -> CardScoring:
        """Return a scoring group that says so."""
        return CardScoring(head="none")

    def score(self, features: Features) -> tuple[FloatArray, FloatArray]:
        """Refuse.

        Raises:
            ModelError: always.
        """
        raise ModelError("this model gives features only; fit good images to it (zsad fit), or give a prompt")
