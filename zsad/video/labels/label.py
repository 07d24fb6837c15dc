"""What is known of a test set's videos: their names, lengths, anomalous spans and classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zsad.metrics.spans import LabelledSpan, runs

Truth: TypeAlias = NDArray[np.bool_]
ANOMALY, NORMAL = "anomaly", "normal"
"""The class of what has no finer one, and of videos without an anomaly."""


@dataclass(frozen=True)
class TimedSpan:
    """A labelled span in seconds; frames follow from a video's timestamps."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class VideoLabel:
    """One video of a test set.

    Attributes:
        name: as score files are called.
        n_frames: frames that count; None where the labels don't say, so that the scores do.
        spans: anomalous frames as half-open ``(start, end)``, ascending, not overlapping, within ``n_frames``.
        classes: what is in it, most often one class; empty for a normal video.
        abnormal: whether it counts as an abnormal video.
        events: spans with their classes; they may overlap, and differ from ``spans`` where a dataset labels both.
        raw_frames: frames of the video file where the field cuts or pads it to ``n_frames``.
        timed: spans in seconds, in place of ``spans``.
        also: other names that its score files may have.
        fps: frames per second; 0 where nobody knows.
    """

    name: str
    n_frames: int | None
    spans: tuple[tuple[int, int], ...] = ()
    classes: tuple[str, ...] = ()
    abnormal: bool = False
    events: tuple[LabelledSpan, ...] = ()
    raw_frames: int | None = None
    timed: tuple[TimedSpan, ...] = ()
    also: tuple[str, ...] = ()
    fps: float = 0.0

    @property
    def label(self) -> str:
        """Its classes as one text, ``"normal"`` without any."""
        return "-".join(self.classes) or NORMAL

    def truth(self) -> Truth:
        """Return which frames are anomalous, ``(n_frames,)``; the length must be known."""
        flags = np.zeros(self.n_frames or 0, np.bool_)
        for start, end in self.spans:
            flags[start:end] = True
        return flags


@dataclass(frozen=True)
class Labels:
    """A test set.

    Attributes:
        dataset: its name in the catalog, or the file of an own one.
        version: which labels these are; ``""`` where there is one version only.
        videos: in the order of the labels.
        joined: which frames of all videos in that order are anomalous, where only this is known and no single length.
        unknown_frames: frames, in all, of the videos whose length is not known; None where that isn't known either.
        aliases: another name of a class, in lower case -> its name.
        raw: frames and positives before the field's cut, where there is one.
        fps: frames per second, where a video has none of its own; 0 where nobody knows.
        notes: what a reader should know: which files, what was cut.
    """

    dataset: str
    version: str
    videos: tuple[VideoLabel, ...]
    joined: Truth | None = None
    unknown_frames: int | None = None
    aliases: dict[str, str] = field(default_factory=dict)
    raw: tuple[int, int] | None = None
    fps: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name with the version."""
        return f"{self.dataset}@{self.version}" if self.version else self.dataset

    @property
    def frames(self) -> int | None:
        """Frames in all, or None where nobody knows."""
        if self.joined is not None:
            return len(self.joined)
        known = sum(video.n_frames for video in self.videos if video.n_frames is not None)
        if all(video.n_frames is not None for video in self.videos):
            return known
        return None if self.unknown_frames is None else known + self.unknown_frames

    @property
    def positives(self) -> int | None:
        """Anomalous frames in all, or None where spans are in seconds."""
        if self.joined is not None:
            return int(self.joined.sum())
        if any(video.timed for video in self.videos):
            return None
        return sum(end - start for video in self.videos for start, end in video.spans)

    @property
    def abnormal(self) -> int:
        """Number of abnormal videos."""
        return sum(video.abnormal for video in self.videos)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of anomalies, in order of appearance."""
        return tuple(dict.fromkeys(name for video in self.videos for name in video.classes))


def joined_spans(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return spans in order, those that overlap or touch as one.

    >>> joined_spans([(5, 8), (0, 3), (7, 9)])
    ((0, 3), (5, 9))
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def of_frames(name: str, truth: Truth, label: str = ANOMALY, **more: object) -> VideoLabel:
    """Make a label of which frames are anomalous.

    >>> of_frames("01", np.array([False, True, True])).spans
    ((1, 3),)
    """
    spans = tuple(runs(truth))
    events = tuple(LabelledSpan(start, end, label) for start, end in spans)
    return VideoLabel(name, len(truth), spans, (label,) if spans else (), bool(spans), events, **more)  # type: ignore[arg-type]


def cut(video: VideoLabel, n_frames: int) -> VideoLabel:
    """Return a label whose video ends after ``n_frames``; what lies beyond is left out.

    >>> cut(of_frames("01", np.array([False, True, True])), 2).spans
    ((1, 2),)
    """
    spans = tuple((start, min(end, n_frames)) for start, end in video.spans if start < n_frames)
    events = tuple(LabelledSpan(s, min(e, n_frames), label) for s, e, label in video.events if s < n_frames)
    raw = video.raw_frames if video.raw_frames is not None else video.n_frames
    return replace(video, n_frames=n_frames, spans=spans, events=events, raw_frames=raw)
