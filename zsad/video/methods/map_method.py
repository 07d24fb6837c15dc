"""Frame scores from a detector's map: the loop of the house on frames, and one number out of each map."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeAlias

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.stream.inspect import inspect
from zsad.types import FloatArray, Result
from zsad.video.frames import Frame, Video
from zsad.video.methods.look import FrameMethod, Look, Sampling
from zsad.video.methods.normal import NormalFootage
from zsad.video.motion import top_mean
from zsad.video.refine import CAUSAL, Refiner
from zsad.video.source import FrameItem, frame_items

Scored: TypeAlias = Callable[[Result], float]


def _area(result: Result) -> float:
    """Share of the frame's pixels whose map value reaches the pixel threshold, or the level of outlines."""
    return float(result.mask.mean())


MAP_SCORES: dict[str, Scored] = {
    "max": lambda result: float(result.counted.max()),
    "top1": lambda result: top_mean(result.counted),
    "area": _area,
    "fused": lambda result: (top_mean(result.counted) + result.score) / 2,
}
"""Name -> score of a frame in [0, 1]: the map's highest value; the mean of its highest 1 %; the share of it above the
pixel threshold; the mean of ``top1`` and the detector's own image score."""


class MapMethod(FrameMethod):
    """``map``: what a detector finds in each frame by itself.

    Args:
        detector: any detector.
        score: one of :data:`MAP_SCORES`.
        sampling: which frames are looked at.
        refiners: what scores are refined by.
        normal: footage without anomalies: the detector then scores by a memory of its patches.

    Raises:
        UsageError: another score.
    """

    unit_maps = True

    def __init__(
        self,
        detector: Detector,
        score: str = "top1",
        sampling: Sampling | None = None,
        refiners: Sequence[Refiner] = CAUSAL,
        normal: NormalFootage | None = None,
    ) -> None:
        super().__init__(sampling, refiners)
        if score not in MAP_SCORES:
            raise UsageError(f"score of a map {score!r:.40}: give {', '.join(MAP_SCORES)}")
        self._detector, self._score = detector, score
        self._normal = normal or NormalFootage()

    @property
    def name(self) -> str:
        """``map``."""
        return "map"

    @property
    def model(self) -> str:
        """The detector's name, how maps are scored, and the normal footage."""
        return f"{self._detector.card.label}, {self._score}{self._normal.told}"

    def looks(self, video: Video) -> Generator[Look, None, None]:
        """Yield one look for each frame."""
        detector = self._normal.detector(self._detector, video, self.sampling)
        score = MAP_SCORES[self._score]
        for frame, result in results(detector, video, self.sampling):
            yield Look(frame, score(result), result.counted)


def results(detector: Detector, video: Video, sampling: Sampling) -> Generator[tuple[Frame, Result], None, None]:
    """Yield what a detector says of each frame, decoded ahead of it.

    Raises:
        InputError: a frame can't be used.
    """
    items = frame_items(video, sampling.stride, sampling.fps)
    with closing(inspect(detector, items)) as outcomes:
        for outcome in outcomes:
            if outcome.failure is not None or outcome.value is None:
                raise outcome.failure or RuntimeError(outcome.error)
            assert isinstance(outcome.item, FrameItem)
            yield outcome.item.frame, outcome.value


def resized(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return a map at another size ``(h, w)``: means of blocks where it becomes smaller."""
    from zsad.video.motion import opencv

    cv2 = opencv()
    small = cv2.resize(np.ascontiguousarray(values), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
