"""What is usual for a camera: speeds in each row of its picture, and a memory of how its patches look.

Learned from footage without anomalies: clips, or the first seconds of each video. Pedestrians far away move fewer
pixels than those near by, so that speeds are told in those that are usual in their row.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from zsad.detector.base import Detector
from zsad.errors import InputError, UsageError
from zsad.outside import printable
from zsad.types import FloatArray
from zsad.video.frames import Frame, Video
from zsad.video.motion import LONGEST, Motion, MotionKind

if TYPE_CHECKING:
    from zsad.video.methods.look import Sampling

T = TypeVar("T")

FRAMES = 48
"""Frames whose patches are learned, spread evenly over the footage, at most."""
PATCHES = 4000
"""Patches of a layer that are kept."""
PARTS = 4
"""Stretches of the footage, each of which is measured against the others: what is usual for it is not at distance 0."""
USUAL = 0.995
"""Quantile of the speeds in a row that counts as usual."""
FLOOR = 0.3
"""Share of the fastest row's speed that counts as usual in every row: where nothing moved, noise is no event."""
_LOW, _HIGH, _BINS = 1e-3, 1e5, 800


@dataclass
class RowSpeeds:
    """Speeds in each row of a picture, gathered in bounded memory; then what is usual in each.

    Attributes:
        counts: int64 ``(h, bins)``: how often each speed, on a logarithmic scale, was seen in a row.
    """

    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, _BINS), np.int64), repr=False)
    _usual: FloatArray | None = field(default=None, repr=False)

    def add(self, values: FloatArray) -> None:
        """Take a map of speeds ``(h, w)``; all have one height."""
        if not len(self.counts):
            self.counts = np.zeros((len(values), _BINS), np.int64)
        if len(values) != len(self.counts):
            raise InputError(f"normal footage: {len(values)} rows beside {len(self.counts)}; give clips of one camera")
        place = np.log(np.maximum(values, _LOW) / _LOW) * ((_BINS - 1) / np.log(_HIGH / _LOW))
        rows = np.arange(len(values))[:, None] * _BINS
        flat = np.minimum(place, _BINS - 1).astype(np.int64) + rows
        self.counts += np.bincount(flat.ravel(), minlength=self.counts.size).reshape(self.counts.shape)
        self._usual = None

    def usual(self) -> FloatArray:
        """Return the speed that is usual in each row at most, smoothed over rows: float32 ``(h,)``, above 0.

        Raises:
            InputError: nothing was added.
        """
        if self._usual is None:
            from scipy.ndimage import gaussian_filter1d

            if not self.counts.sum():
                raise InputError("normal footage: fewer than two frames; give a longer clip")
            seen = self.counts.cumsum(axis=1)
            place = (seen >= USUAL * seen[:, -1:]).argmax(axis=1)
            speeds = _LOW * np.exp((place + 1) * (np.log(_HIGH / _LOW) / (_BINS - 1)))
            smooth = gaussian_filter1d(speeds, 0.05 * len(speeds), mode="nearest")
            self._usual = np.maximum(smooth, FLOOR * smooth.max()).astype(np.float32)
        return self._usual

    def relative(self, values: FloatArray) -> FloatArray:
        """Return speeds ``(h, w)`` in those that are usual in their rows."""
        usual = self.usual()
        if len(usual) != len(values):
            raise InputError(f"{len(values)} rows, but the normal footage has {len(usual)}; give clips of one camera")
        return np.asarray(values / usual[:, None], np.float32)


@dataclass(frozen=True)
class NormalFootage:
    """Footage without anomalies.

    Attributes:
        clips: videos of the same camera.
        seconds: instead, so many seconds at the beginning of each video.

    Raises:
        UsageError: both are given, or seconds that are not above 0.
    """

    clips: tuple[Path, ...] = ()
    seconds: float | None = None
    _known: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.clips and self.seconds is not None:
            raise UsageError("give normal clips, or normal seconds at the beginning of each video, not both")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise UsageError(f"normal seconds must be above 0, got {self.seconds:g}")

    def __bool__(self) -> bool:
        return bool(self.clips) or self.seconds is not None

    @property
    def told(self) -> str:
        """The footage in words, for the name of a model; ``""`` without any."""
        if self.seconds is not None:
            return f", normal: first {self.seconds:g} s"
        return f", normal: {len(self.clips)} clip{'s' * (len(self.clips) != 1)}" if self.clips else ""

    def rows(self, kind: MotionKind, video: Video, sampling: Sampling) -> RowSpeeds | None:
        """Return the usual speeds, or None without footage; of clips they are learned once.

        Raises:
            InputError: footage that can't be used, or of another size.
        """
        if not self:
            return None
        return self._once(f"rows {video.width} x {video.height}", lambda: self._rows(kind, video, sampling))

    def detector(self, detector: Detector, video: Video, sampling: Sampling) -> Detector:
        """Return the detector, scoring by a memory of the footage if there is any; of clips it is learned once."""
        if not self:
            return detector
        return self._once("memory", lambda: remembering(detector, self._frames(video, sampling, self._where(video))))

    def _once(self, key: str, learn: Callable[[], T]) -> T:
        if not self.clips:
            return learn()
        if key not in self._known:
            self._known[key] = learn()
        return self._known[key]  # type: ignore[return-value]

    def _where(self, video: Video) -> str:
        return printable(self.clips[0] if self.clips else video.path)

    def _rows(self, kind: MotionKind, video: Video, sampling: Sampling) -> RowSpeeds:
        rows = RowSpeeds()
        for clip in self._videos(video, sampling):
            motion = Motion(kind, clip.fps)
            for frame in self._of(clip, sampling):
                values = motion(frame.grey(LONGEST), frame.timestamp)
                if values is not None:
                    rows.add(values)
        rows.usual()
        return rows

    def _frames(self, video: Video, sampling: Sampling, where: str) -> list[bytes]:
        """Return frames spread evenly over the footage, as PNG; there may be any number of them."""
        step, seen = 1, 0
        packed: list[bytes] = []
        for clip in self._videos(video, sampling):
            for frame in self._of(clip, sampling):
                if seen % step == 0:
                    packed.append(_png(frame))
                    if len(packed) == 2 * FRAMES:
                        packed, step = packed[::2], 2 * step
                seen += 1
        if not packed:
            raise InputError(f"{where}: no normal frame to learn from")
        every = np.linspace(0, len(packed) - 1, min(FRAMES, len(packed))).round().astype(int)
        return [packed[i] for i in every]

    def _videos(self, video: Video, sampling: Sampling) -> Iterable[Video]:
        from zsad.video.source import open_video

        for path in self.clips or (Path(video.path),):
            clip = open_video(path, fps=sampling.folder_fps)
            if clip.width * video.height != video.width * clip.height:
                raise InputError(
                    f"{printable(path)}: {clip.width} x {clip.height} px, the video has {video.width} x "
                    f"{video.height}; give normal footage of the same camera"
                )
            yield clip

    def _of(self, clip: Video, sampling: Sampling) -> Generator[Frame, None, None]:
        for frame in sampling.of(clip):
            if self.seconds is not None and frame.timestamp >= self.seconds:
                break
            yield frame


def remembering(detector: Detector, frames: list[bytes]) -> Detector:
    """Return a detector that scores by a memory of frames, the first to the last of some footage.

    Raises:
        ModelError: it gives no features.
    """
    from zsad.fitting.learn import SMALLEST, kept
    from zsad.fitting.reading import Collector, unit_features
    from zsad.fitting.settle import Options
    from zsad.scoring import Memory, MemoryScorer
    from zsad.scoring.memory import distances, highest

    collector = Collector(len(frames), 1, 0)
    units = []
    for owner, frame in enumerate(frames):
        units.append(unit_features(detector, [detector.decode(frame)]).astype(np.float16))
        collector.add(owner, units[-1])
    layers, rows, _ = kept(collector.layers(), collector.owners(), Options(patches=PATCHES))
    part = np.arange(len(frames)) * PARTS // len(frames)
    scale = SMALLEST
    for number in np.unique(part):
        others = [layer[part[row] != number] for layer, row in zip(layers, rows, strict=True)]
        if all(len(layer) for layer in others):
            scorer = MemoryScorer(Memory(tuple(others), 1.0), detector.card)
            for index in np.flatnonzero(part == number)[::4]:
                far = scorer.smoothed(distances(units[index][0].astype(np.float32), scorer.memory))
                scale = max(scale, float(highest(far[None])[0]))
    return detector.with_scorer(MemoryScorer(Memory(tuple(layers), scale), detector.card))


def _png(frame: Frame) -> bytes:
    buffer = BytesIO()
    frame.image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
