"""``motion``: how fast something moves in each frame; ``fused``: where it also looks anomalous."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import numpy as np

from zsad.detector.base import Detector
from zsad.types import ByteArray, FloatArray
from zsad.video.frames import Frame, Video
from zsad.video.methods.look import FrameMethod, Look, Sampling
from zsad.video.methods.map_method import resized, results
from zsad.video.methods.normal import NormalFootage
from zsad.video.motion import LONGEST, Motion, MotionKind, top_mean
from zsad.video.refine import CAUSAL, Refiner
from zsad.video.source import read_ahead


class MotionMethod(FrameMethod):
    """``motion``: the mean of the highest 1 % of a map of speeds. For a fixed camera.

    The first frame, which has none before it, repeats the second.

    Args:
        kind: ``"flow"``, or ``"difference"``, the cheap form.
        sampling: which frames are looked at.
        refiners: what scores are refined by.
        normal: footage without anomalies: speeds are then told in those that are usual in each row of the picture.
    """

    def __init__(
        self,
        kind: MotionKind = "flow",
        sampling: Sampling | None = None,
        refiners: Sequence[Refiner] = CAUSAL,
        normal: NormalFootage | None = None,
    ) -> None:
        super().__init__(sampling, refiners)
        self._kind = kind
        self._normal = normal or NormalFootage()
        Motion(kind)  # what is absent or unknown is said before a video is opened

    @property
    def name(self) -> str:
        """``motion``."""
        return "motion"

    @property
    def model(self) -> str:
        """The kind of motion and the normal footage."""
        return f"{_NAMES[self._kind]}{self._normal.told}"

    def looks(self, video: Video) -> Generator[Look, None, None]:
        """Yield one look for each frame."""
        rows = self._normal.rows(self._kind, video, self.sampling)
        frames = ((frame, frame.grey(LONGEST)) for frame in self.sampling.of(video))  # read in a thread of its own
        with closing(read_ahead(frames, most=video.ahead)) as ahead:
            for frame, values in moved(ahead, Motion(self._kind, video.fps)):
                values = values if rows is None else rows.relative(values)
                yield Look(frame, top_mean(values), values)


class FusedMethod(FrameMethod):
    """``fused``: a detector's map times the map of motion, pixel by pixel: what looks odd and moves.

    Args:
        detector: any detector.
        kind: of motion.
        sampling: which frames are looked at.
        refiners: what scores are refined by.
        normal: footage without anomalies, for both maps.
    """

    def __init__(
        self,
        detector: Detector,
        kind: MotionKind = "flow",
        sampling: Sampling | None = None,
        refiners: Sequence[Refiner] = CAUSAL,
        normal: NormalFootage | None = None,
    ) -> None:
        super().__init__(sampling, refiners)
        self._detector, self._kind = detector, kind
        self._normal = normal or NormalFootage()
        Motion(kind)

    @property
    def name(self) -> str:
        """``fused``."""
        return "fused"

    @property
    def model(self) -> str:
        """The detector, the kind of motion and the normal footage."""
        return f"{self._detector.card.label} x {_NAMES[self._kind]}{self._normal.told}"

    def looks(self, video: Video) -> Generator[Look, None, None]:
        """Yield one look for each frame."""
        rows = self._normal.rows(self._kind, video, self.sampling)
        detector = self._normal.detector(self._detector, video, self.sampling)
        motion = Motion(self._kind, video.fps)
        held: tuple[Frame, FloatArray] | None = None
        with closing(results(detector, video, self.sampling)) as found:
            for frame, result in found:
                speed = motion(frame.grey(LONGEST), frame.timestamp)
                if speed is None:
                    held = frame, result.counted
                    continue
                speed = speed if rows is None else rows.relative(speed)
                if held is not None:
                    yield _product(*held, speed)
                    held = None
                yield _product(frame, result.counted, speed)
        if held is not None:
            yield _product(*held, np.zeros((1, 1), np.float32))


def moved(frames: Iterator[tuple[Frame, ByteArray]], motion: Motion) -> Generator[tuple[Frame, FloatArray], None, None]:
    """Yield frames with their maps of motion; the first one's is that of the second, or zeros if it is alone."""
    first: Frame | None = None
    grey = np.zeros((1, 1), np.uint8)
    for frame, grey in frames:
        values = motion(grey, frame.timestamp)
        if values is None:
            first = frame
            continue
        if first is not None:
            yield first, values
            first = None
        yield frame, values
    if first is not None:
        yield first, np.zeros(grey.shape, np.float32)


def _product(frame: Frame, values: FloatArray, speed: FloatArray) -> Look:
    both = resized(values, speed.shape) * speed
    return Look(frame, top_mean(both), both)


_NAMES = {"flow": "DIS flow", "difference": "frame difference"}
