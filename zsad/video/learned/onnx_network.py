"""A learned video model as an ONNX file, run without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zsad.detector.providers import open_session, resolve
from zsad.errors import ModelError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.learned.card import ONNX_KEY, VideoCard, parse_card
from zsad.video.learned.carried import Carried

INPUTS, OUTPUTS = ("features", "valid"), ("scores", "classes")
CARRIED_IN, CARRIED_OUT = ("earlier_tokens", "earlier_probability"), ("probability",)
"""Further names of a model with banks: clips of the video's earlier pieces, and what is to be known of these."""


class OnnxNetwork:
    """Run an exported model.

    Args:
        path: a file of ``zsad video export``.
        threads: of onnxruntime; 0 for as many as there are processors.

    Raises:
        ModelError: no such file, a damaged one, or one of another kind.
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        where = printable(path)
        self._session = open_session(Path(path), resolve(None), threads or None)
        said = self._session.get_modelmeta().custom_metadata_map.get(ONNX_KEY)
        if said is None:
            raise ModelError(f"{where}: no learned video model (it has no card); give an exported one")
        self._card = parse_card(said, where)
        banks = self._card.config.context.kind == "banks"
        self._inputs, self._outputs = INPUTS + CARRIED_IN * banks, OUTPUTS + CARRIED_OUT * banks
        if [entry.name for entry in self._session.get_inputs()] != list(self._inputs):
            raise ModelError(f"{where}: its inputs are not those of its card; export it again")
        self.begin()

    @property
    def card(self) -> VideoCard:
        """What it reads and knows."""
        return self._card

    def begin(self) -> None:
        """Forget the clips of the video before."""
        self._carried = Carried(self._card.config) if len(self._inputs) > len(INPUTS) else None

    def run(self, x: FloatArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Score blocks; see :class:`~zsad.video.learned.scoring.Network`."""
        if self._carried is not None:
            x = np.pad(x, ((0, 0), (0, -x.shape[1] % self._card.config.temporal.clip), (0, 0), (0, 0)))  # whole clips
        valid = np.arange(x.shape[1]) < np.asarray(lengths)[:, None]
        given = (x, valid) if self._carried is None else (x, valid, *self._carried.of(len(x)))
        found = self._session.run(list(self._outputs), dict(zip(self._inputs, given, strict=True)))
        if self._carried is not None:
            self._carried.add(x, np.asarray(found[2]), lengths)
        return np.asarray(found[0]), np.asarray(found[1])
