"""A learned video model as an ONNX file, run without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zsad.errors import ModelError, first_line
from zsad.files import is_file
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.learned.card import ONNX_KEY, VideoCard, parse_card

INPUTS, OUTPUTS = ("features", "valid"), ("scores", "classes")


class OnnxNetwork:
    """Run an exported model.

    Args:
        path: a file of ``zsad video export``.
        threads: of onnxruntime; 0 for as many as there are processors.

    Raises:
        ModelError: no such file, a damaged one, or one of another kind.
    """

    def __init__(self, path: str | Path, *, threads: int = 0) -> None:
        import onnxruntime

        where = printable(path)
        if not is_file(path):
            raise ModelError(f"{where}: no such file; give an exported model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever the runtime meets in a damaged file
            raise ModelError(f"{where}: not a readable ONNX file ({first_line(error)})") from None
        said = self._session.get_modelmeta().custom_metadata_map.get(ONNX_KEY)
        if said is None:
            raise ModelError(f"{where}: no learned video model (it has no card); give an exported one")
        self._card = parse_card(said, where)

    @property
    def card(self) -> VideoCard:
        """What it reads and knows."""
        return self._card

    def begin(self) -> None:
        """Forget nothing: blocks are independent."""

    def run(self, x: FloatArray, lengths: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Score blocks; see :class:`~zsad.video.learned.scoring.Network`."""
        valid = np.arange(x.shape[1]) < np.asarray(lengths)[:, None]
        found = self._session.run(list(OUTPUTS), dict(zip(INPUTS, (x, valid), strict=True)))
        return np.asarray(found[0]), np.asarray(found[1])
