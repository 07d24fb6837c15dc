"""What a method says of one frame, and what all methods that look at frames have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from zsad.types import FloatArray
from zsad.video.frames import Frame, Video
from zsad.video.refine import CAUSAL, Refiner
from zsad.video.scorer import OnFrame
from zsad.video.scoring import look_at
from zsad.video.series import ScoreSeries


@dataclass(frozen=True)
class Look:
    """What a method says of one frame.

    Attributes:
        frame: the frame.
        score: larger is more anomalous; not refined.
        map: float32 ``(h, w)`` of any size, from 0 on, in the unit of scores; over the whole frame.
        classes: name of a class -> its score, where the method knows some.
    """

    frame: Frame
    score: float
    map: FloatArray = field(repr=False)
    classes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampling:
    """Which frames are looked at.

    Attributes:
        stride: every so many frames.
        fps: instead, so many frames a second; None for the stride.
        folder_fps: frames per second of folders of pictures, which can't say so.
    """

    stride: int = 1
    fps: float | None = None
    folder_fps: float = 0.0

    def of(self, video: Video) -> Generator[Frame, None, None]:
        """Yield the frames of a video that are looked at."""
        return video.frames(self.stride, self.fps)


class FrameMethod(ABC):
    """A method that gives one look for each frame; a :class:`zsad.video.scorer.VideoScorer`.

    Args:
        sampling: which frames are looked at.
        refiners: what scores are refined by.

    Attributes:
        unit_maps: whether maps lie in [0, 1] and are shown as they are; else a threshold of scores becomes 1/2.
    """

    unit_maps = False

    def __init__(self, sampling: Sampling | None = None, refiners: Sequence[Refiner] = CAUSAL) -> None:
        self.sampling = sampling or Sampling()
        self.refiners = tuple(refiners)

    @property
    @abstractmethod
    def name(self) -> str:
        """The method's name, as ``--method`` has it."""

    @property
    @abstractmethod
    def model(self) -> str:
        """What it works with, for people."""

    @abstractmethod
    def looks(self, video: Video) -> Generator[Look, None, None]:
        """Yield one look for each frame of :attr:`sampling`, in order.

        Raises:
            InputError: the video can't be used.
        """

    def score(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> ScoreSeries:
        """Score one video, refined; see :class:`zsad.video.scorer.VideoScorer`."""
        looked = look_at(self, source, on_frame)
        if looked.interrupted is not None:
            raise looked.interrupted
        return looked.series

    def shown(self, values: FloatArray, threshold: float) -> FloatArray:
        """Return a map as it is painted, in [0, 1]."""
        if self.unit_maps:
            return np.clip(values, 0, 1)
        scale = np.float32(threshold if threshold > 0 else 1e-6)
        return np.asarray(values / (values + scale), np.float32)
