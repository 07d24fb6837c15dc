"""A learned video model as a method: a folder or an ONNX file scores videos, whose features it extracts itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from zsad.errors import MissingExtraError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.learned.card import CARD
from zsad.video.learned.from_disk import score_stored
from zsad.video.learned.reading import Reading
from zsad.video.learned.scoring import Network, score_rows, series_of
from zsad.video.scorer import OnFrame
from zsad.video.series import ScoreSeries
from zsad.video.source import open_video


def is_learned(path: str | Path) -> bool:
    """Return whether a path can be a learned video model: a folder with a card, or an ONNX file."""
    return (Path(path) / CARD).is_file() or (Path(path).suffix.lower() == ".onnx" and Path(path).is_file())


def load_learned(path: str | Path) -> Network:
    """Read a model: an ONNX file without torch, or a folder with it.

    Raises:
        ModelError: it is absent or damaged.
        MissingExtraError: a folder needs torch.
    """
    if Path(path).suffix.lower() == ".onnx":
        from zsad.video.learned.onnx_network import OnnxNetwork

        return OnnxNetwork(path)
    if find_spec("torch") is None:
        raise MissingExtraError(f"model {printable(path)}", "torch")
    from zsad.video.weak.folder import load_weak

    return load_weak(path)


class LearnedScorer:
    """A :class:`~zsad.video.scorer.VideoScorer` with a learned model.

    Args:
        network: the model.
        name: its folder or file.
        backbone: what gives features; by default the one that its card names.
        device: where the backbone runs.
        folder_fps: frames per second of folders of pictures, which can't say so themselves; 0 where nobody knows.
        features: folder of ``zsad video extract``, whose features are scored in place of the videos' frames.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        *,
        backbone: str | None = None,
        device: str = "cpu",
        folder_fps: float = 0.0,
        features: Path | None = None,
    ) -> None:
        self.network, self._name, self._fps, self._features = network, name, folder_fps, features
        self._reading = None if features is not None else Reading(network.card, name, backbone, device)

    @property
    def name(self) -> str:
        """The model's folder or file."""
        return self._name

    def score(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> ScoreSeries:
        """Score one video; see :class:`~zsad.video.scorer.VideoScorer`."""
        if self._features is not None:
            return score_stored(self.network, self._features, Path(source), Path(self._name).name)
        assert self._reading is not None
        positions: list[int] = []
        timestamps: list[float] = []
        with open_video(source, fps=self._fps) as video, closing(self._reading.pieces(video, on_frame)) as pieces:

            def rows() -> Iterator[FloatArray]:
                for part, chunk in pieces:
                    positions.extend(chunk.positions)
                    timestamps.extend(chunk.timestamps)
                    yield part

            scores = score_rows(self.network, rows(), printable(source))
        return series_of(
            scores, self.network.card, np.array(positions, np.int64), np.array(timestamps, np.float64), video.read,
            video.fps, model=Path(self._name).name, fault=video.fault,
        )  # fmt: skip
