"""``zsad.VideoDetector``: a video in; scores, events and maps out; or frame by frame while it goes on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zsad.detector.base import Detector
from zsad.errors import UsageError
from zsad.images.postprocess import resize_map
from zsad.near import near
from zsad.types import FloatArray
from zsad.video.events import Event, Tracker, find_events, hint_threshold, video_score
from zsad.video.frames import Video
from zsad.video.live import Causal, Rule
from zsad.video.maps import MapStore
from zsad.video.methods import FrameMethod, FusedMethod, Look, MapMethod, MotionMethod, NormalFootage, Sampling
from zsad.video.motion import MotionKind
from zsad.video.refine import CAUSAL, check_live, refiners_of
from zsad.video.scorer import OnFrame
from zsad.video.scoring import Looked, look_at
from zsad.video.series import ScoreSeries
from zsad.video.source import open_video

METHODS = ("motion", "map", "fused")


class Maps(Sequence[FloatArray]):
    """The maps of a video's positions; each is made, at the size of a frame, when it is asked for."""

    def __init__(self, store: MapStore, width: int, height: int) -> None:
        self._store, self._size = store, (height, width)

    def __len__(self) -> int:
        return len(self._store)

    def __getitem__(self, index: Any) -> Any:
        """Return the map of a position, float32 ``(H, W)``, in the unit of the scores."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return resize_map(self._store[index], self._size)

    def small(self, index: int) -> FloatArray:
        """Return the map of a position as it is kept, float32 ``(h, w)``, its longer side at most 64."""
        return self._store[index]


@dataclass(frozen=True)
class VideoResult:
    """What a method says of one video.

    Attributes:
        path: the video.
        series: its scores, refined; what broke off is ``series.partial``.
        events: in the order of time.
        rule: threshold and lengths by which they are events.
        hint: whether that threshold was only chosen to begin with: such events rank, they accuse nobody.
        maps: one for each position, made when asked for.
        fault: why the video is partial, or ``""``.
    """

    path: Path
    series: ScoreSeries
    events: tuple[Event, ...]
    rule: Rule
    hint: bool
    maps: Maps = field(repr=False)
    fault: str = ""

    @property
    def score(self) -> float:
        """The video's score: the highest of its values."""
        return video_score(self.series)

    def with_rule(self, rule: Rule) -> VideoResult:
        """Return the same scores with the events of another rule."""
        region = self.maps._store.region
        height, width = self.maps._size
        events = find_events(self.series, rule, lambda index: region(index, width, height))
        return replace(self, events=tuple(events), rule=rule, hint=False)


@dataclass(frozen=True)
class Moment:
    """What is said of one frame of a stream; it never changes afterwards.

    Attributes:
        index: the frame, from 0.
        timestamp: its seconds.
        score: refined.
        raw: as the method gave it.
        on: whether an event is on.
        event: one that is over now, or None.
        map: float32 ``(h, w)`` of any size, in the unit of scores.
    """

    index: int
    timestamp: float
    score: float
    raw: float
    on: bool
    event: Event | None
    map: FloatArray = field(repr=False)


class VideoDetector:
    """A video in, its scores and events out.

    Args:
        detector: what looks at frames; needed by the methods ``map`` and ``fused``.
        method: ``"map"``, ``"motion"`` or ``"fused"``; by default ``map`` with a detector, ``motion`` without one. Or a
            method that is made already, such as a learned model's; what concerns methods is left out then.
        threshold: score from which an event begins; None for one to begin with, of each video's own scores.
        low: score below which it ends.
        min_frames: shortest event that counts.
        gap: events that are so many frames apart at most are one.
        stride: every so many frames are looked at.
        fps: instead, so many frames a second.
        folder_fps: frames per second of folders of pictures.
        refiners: as :func:`zsad.video.refine.refiners_of` takes them; by default the causal mean of nine scores.
        normal: clips without anomalies, of the same camera.
        normal_seconds: instead, so many seconds at the beginning of each video.
        map_score: of ``map``: ``"top1"``, ``"max"``, ``"area"`` or ``"fused"``.
        motion: ``"flow"`` or ``"difference"``.

    Raises:
        UsageError: options that contradict each other, or a method without what it needs.
        MissingExtraError: OpenCV or PyAV is not installed.
    """

    def __init__(
        self,
        detector: Detector | None = None,
        *,
        method: str | FrameMethod | None = None,
        threshold: float | None = None,
        low: float | None = None,
        min_frames: int = 1,
        gap: int = 0,
        stride: int = 1,
        fps: float | None = None,
        folder_fps: float = 0.0,
        refiners: Sequence[Any] = CAUSAL,
        normal: Sequence[str | Path] = (),
        normal_seconds: float | None = None,
        map_score: str = "top1",
        motion: MotionKind = "flow",
    ) -> None:
        footage = NormalFootage(tuple(map(Path, normal)), normal_seconds)
        name = method or ("motion" if detector is None else "map")
        sampling = Sampling(stride, fps, folder_fps)
        self.method = (
            name
            if isinstance(name, FrameMethod)
            else frame_method(name, detector, sampling, refiners, footage, map_score, motion)
        )
        self._rule = Rule(0.0 if threshold is None else threshold, low, min_frames, gap)
        self._hint = threshold is None

    def __call__(self, source: str | Path, on_frame: OnFrame = lambda done, total: None) -> VideoResult:
        """Score a video and find its events.

        Args:
            source: a video file, or a folder of numbered frames.
            on_frame: told of frames read and, where it is known, frames in all.

        Raises:
            InputError: the video can't be used. What breaks off midway is a result with ``series.partial``.
        """
        looked = look_at(self.method, source, on_frame, maps=MapStore())
        if looked.interrupted is not None:
            raise looked.interrupted
        return result_of(Path(source), looked, self._rule, hint=self._hint)

    def stream(self, source: str | Path | Video) -> Generator[Moment, None, None]:
        """Yield what is said of each frame as soon as it is known; memory stays the same however long it goes on.

        An event that is on when the stream ends comes with the last frame once more. Without a threshold there is none.

        Args:
            source: a video file, a folder of numbered frames, or an open video, such as a camera.

        Raises:
            UsageError: refiners that look ahead.
            InputError: the video can't be used.
        """
        check_live(self.method.refiners)
        if isinstance(source, Video):
            yield from self._moments(source)
            return
        with open_video(source, fps=self.method.sampling.folder_fps) as video:
            yield from self._moments(video)

    def _moments(self, video: Video) -> Generator[Moment, None, None]:
        smooth = [_live(refiner.name, int(refiner.options["size"])) for refiner in self.method.refiners]
        tracker = Tracker(replace(self._rule, threshold=np.finfo(float).max, low=None) if self._hint else self._rule)
        look: Look | None = None
        score = 0.0
        with closing(self.method.looks(video)) as looks:
            for look in looks:
                score = look.score
                for step in smooth:
                    score = step(score)
                yield _moment(
                    look, score, *tracker(score, look.frame.index, look.frame.timestamp, classes=look.classes)
                )
        if look is None:
            return
        end = look.frame.timestamp + (1 / video.fps if video.fps else 0.0)
        event = tracker.close(max(video.read, look.frame.index + 1), end)
        if event is not None:
            yield _moment(look, score, False, event)


def frame_method(
    name: str,
    detector: Detector | None,
    sampling: Sampling,
    refiners: Sequence[Any] = CAUSAL,
    normal: NormalFootage | None = None,
    map_score: str = "top1",
    motion: MotionKind = "flow",
) -> FrameMethod:
    """Return a method that looks at frames; arguments and errors as :class:`VideoDetector`."""
    if name not in METHODS:
        raise UsageError(f"method {name!r:.40}: there is none{near(name, METHODS)}; known: {', '.join(METHODS)}")
    chosen = refiners_of(refiners)
    if name == "motion":
        return MotionMethod(motion, sampling, chosen, normal)
    if detector is None:
        raise UsageError(f"method {name}: needs a detector, such as zsad.load()")
    if name == "map":
        return MapMethod(detector, map_score, sampling, chosen, normal)
    return FusedMethod(detector, motion, sampling, chosen, normal)


def result_of(path: Path, looked: Looked, rule: Rule, *, hint: bool) -> VideoResult:
    """Return the events beside the scores.

    Args:
        path: the video.
        looked: what is known of it, with maps.
        rule: by which events are found.
        hint: whether the rule's threshold is taken from the video's own scores instead.
    """
    if hint:
        rule = replace(rule, threshold=hint_threshold(looked.series.values), low=None)
    maps = Maps(looked.maps or MapStore(), looked.width, looked.height)
    empty = VideoResult(path, looked.series, (), rule, hint, maps, looked.fault)
    return replace(empty.with_rule(rule), hint=hint)


def _live(name: str, size: int) -> Causal:
    return Causal("mean" if name == "causal_mean" else "median", size)


def _moment(look: Look, score: float, on: bool, event: Event | None) -> Moment:
    return Moment(look.frame.index, look.frame.timestamp, score, look.score, on, event, look.map)
