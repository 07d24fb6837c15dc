"""Labels and scores brought to one length, or refused with the likely cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zsad.errors import DatasetError
from zsad.metrics.frames import VideoFrames
from zsad.metrics.spans import LabelledSpan
from zsad.outside import printable
from zsad.video.evaluation.score_files import VideoScores
from zsad.video.labels.label import Labels, VideoLabel, joined_spans, of_frames

SNIPPET = 16
_STRIDES = tuple(dict.fromkeys((16, 8, 32, 4, 2, 64, *range(3, 64))))
"""The usual ones first: short videos leave a choice."""
_HALF_FRAME = 0.5


@dataclass(frozen=True)
class Settled:
    """One video, its label and scores of one length.

    Attributes:
        label: with its length and its spans in frames.
        frames: which frames are anomalous, and their scores.
        scores: where they came from.
        rate: frames per second, 0 where nobody knows.
    """

    label: VideoLabel
    frames: VideoFrames
    scores: VideoScores
    rate: float


def settle(labels: Labels, scores: Mapping[str, VideoScores], fps: float = 0.0) -> list[Settled]:
    """Bring labels and scores together, video by video; those without scores are left out.

    Args:
        labels: the test set.
        scores: by name of the video.
        fps: frames per second where neither scores nor labels have them; 0 for unknown.

    Raises:
        DatasetError: scores of another length (both are named, and the likely cause), or spans past the end.
    """
    videos = _unjoined(labels, scores) if labels.joined is not None else labels.videos
    found = []
    for video in videos:
        if video.name in scores:
            mine = scores[video.name]
            rate = (mine.series.fps if mine.series else 0.0) or video.fps or labels.fps or fps
            label = _known(video, mine, rate)
            values = fitted(mine.values, label, mine)
            found.append(Settled(label, VideoFrames(label.truth(), values), mine, rate))
    return found


def fitted(values: NDArray[np.float64], label: VideoLabel, scores: VideoScores) -> NDArray[np.float64]:
    """Return values of a label's length: as they are, or cut or held where the field cuts or pads the video.

    Raises:
        DatasetError: they are of another length.
    """
    wanted = label.n_frames or 0
    if len(values) == wanted:
        return values
    if len(values) == label.raw_frames:
        return np.pad(values[:wanted], (0, max(0, wanted - len(values))), mode="edge")
    raise DatasetError(f"{scores.where}: scores of {len(values):,} frames, but the labels of {printable(label.name)} "
                       f"have {wanted:,}; {_cause(len(values), label, scores)}")  # fmt: skip


def _cause(given: int, label: VideoLabel, scores: VideoScores) -> str:
    """Say why scores are probably of another length."""
    frames = label.raw_frames or label.n_frames or 0
    if scores.series is not None and scores.series.partial:
        return "the scores are partial, as the video broke off: score it again"
    for stride in _STRIDES:
        if given in (frames // stride, -(-frames // stride), (frames - 1) // stride, (label.n_frames or 0) // stride):
            return f"one score per {stride} frames? repeat each {stride} times, or write scores.json with positions"
    for factor in _STRIDES:
        if given // factor == frames:
            return f"{factor} scores per frame, such as those of crops? give their mean"
    if given == frames // SNIPPET * SNIPPET:
        return f"whole snippets of {SNIPPET} frames only? hold the last score to the end, or compare by compat cut16"
    if abs(given - frames) <= SNIPPET:
        return "the decoder counted other frames than the labels do; cut or hold the end, if the start agrees"
    return "another video, or another version of it, under this name"


def _known(video: VideoLabel, scores: VideoScores, rate: float) -> VideoLabel:
    """Return a label with its length and its spans in frames."""
    if video.n_frames is None:
        video = replace(video, n_frames=len(scores.values))
    frames = video.n_frames or 0
    if video.timed:
        video = _timed(video, scores, rate, frames)
    for start, end in video.spans:
        if end > frames:
            raise DatasetError(f"{printable(video.name)}: the span {start:,} to {end:,} lies past the {frames:,} "
                               "frames of its scores")  # fmt: skip
    return video


def _timed(video: VideoLabel, scores: VideoScores, rate: float, frames: int) -> VideoLabel:
    times = frame_times(scores, rate, frames)
    if times is None:
        raise DatasetError(f"{printable(video.name)}: its spans are in seconds, and nobody says how many frames a "
                           "second it has; add a column fps, or give scores.json")  # fmt: skip
    step = float(times[-1] - times[-2]) if frames > 1 else 1.0
    events = []
    for one in video.timed:
        start, end = (int(np.searchsorted(times, t - step * 1e-3)) for t in (one.start, one.end))
        if one.end > times[-1] + step * (1 + _HALF_FRAME) or start >= end:
            raise DatasetError(f"{printable(video.name)}: the span {one.start:g} to {one.end:g} s lies past the video, "
                               f"of {times[-1] + step:.3g} s, or between two of its frames")  # fmt: skip
        events.append(LabelledSpan(start, end, one.label))
    return replace(video, spans=joined_spans((s, e) for s, e, _ in events), events=tuple(events), timed=())


def frame_times(scores: VideoScores, rate: float, frames: int) -> NDArray[np.float64] | None:
    """Return the second of each frame: by the series' timestamps if it has some, else by the rate; None for unknown."""
    series = scores.series
    if series is None or len(series) < 2 or series.timestamps[-1] <= series.timestamps[0]:
        return np.arange(frames) / rate if rate > 0 else None
    places, times = series.positions.astype(np.float64), series.timestamps
    slope = (times[-1] - times[0]) / (places[-1] - places[0])
    found = np.interp(np.arange(frames), places, times)
    before, after = np.arange(frames) < places[0], np.arange(frames) > places[-1]
    found[before] = times[0] - (places[0] - np.arange(frames)[before]) * slope
    found[after] = times[-1] + (np.arange(frames)[after] - places[-1]) * slope
    return found


def _unjoined(labels: Labels, scores: Mapping[str, VideoScores]) -> tuple[VideoLabel, ...]:
    """Cut one array of labels into videos, by the lengths of the scores.

    Raises:
        DatasetError: a video without scores, or lengths that don't add up, or anomalous frames in a normal video.
    """
    joined = labels.joined
    assert joined is not None
    absent = [video.name for video in labels.videos if video.name not in scores]
    if absent:
        raise DatasetError(f"{labels.title}: the labels are one array for all videos, so that {len(absent)} videos "
                           f"without scores, first {printable(absent[0])}, leave none to be measured")  # fmt: skip
    given = np.array([len(scores[video.name].values) for video in labels.videos])
    forms = (given, given // SNIPPET * SNIPPET, -(-given // SNIPPET) * SNIPPET)
    counted = next((form for form in forms if form.sum() == len(joined)), None)
    if counted is None:
        factor = len(joined) / max(1, int(given.sum()))
        hint = (f"one score per {round(factor)} frames? repeat each {round(factor)} times" if round(factor) > 1 else
                "videos are counted in whole snippets of 16 frames")  # fmt: skip
        raise DatasetError(f"{labels.title}: the scores have {int(given.sum()):,} frames in all, the labels "
                           f"{len(joined):,}; {hint}")  # fmt: skip
    ends = np.cumsum(counted)
    found = []
    for video, frames, end, raw in zip(labels.videos, counted, ends, given, strict=True):
        truth = joined[end - frames : end]
        if bool(truth.any()) != video.abnormal:
            what = "no anomalous frame falls into" if video.abnormal else "anomalous frames fall into the normal video"
            raise DatasetError(f"{labels.title}: {what} {printable(video.name)}; the lengths of the scores are not "
                               "those of the labels")  # fmt: skip
        found.append(replace(of_frames(video.name, truth, video.label), raw_frames=int(raw), also=video.also))
    return tuple(found)
