"""Scores of a test set's videos, as files: ``NAME.json``, ``NAME/scores.json``, or ``NAME.npy``, a value a frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zsad.errors import DatasetError
from zsad.images.files import is_clutter
from zsad.near import near_path
from zsad.outside import printable
from zsad.video.labels.label import Labels, VideoLabel
from zsad.video.labels.reading import read_array
from zsad.video.series import ScoreSeries, read_series
from zsad.video.source import video_name

_VIDEO_ENDINGS = ("", ".mp4", ".avi", ".mkv")


@dataclass(frozen=True)
class VideoScores:
    """Scores of one video.

    Attributes:
        values: ``(n,)`` finite, one per frame.
        where: the file, for messages.
        series: what they came from, if it was no bare array.
    """

    values: NDArray[np.float64]
    where: str
    series: ScoreSeries | None = None

    @classmethod
    def of(cls, series: ScoreSeries, where: str) -> VideoScores:
        """Spread a series over its frames."""
        return cls(series.to_frames(), where, series)


@dataclass(frozen=True)
class ScoresFound:
    """Scores of a test set.

    Attributes:
        scores: name of a video -> its scores.
        absent: names of videos without any, in the order of the labels.
        others: number of files of scores that belong to no video, and the first of them.
    """

    scores: dict[str, VideoScores]
    absent: tuple[str, ...] = ()
    others: tuple[int, str] = (0, "")


def read_scores(folder: str | Path, labels: Labels, *, partial: bool = False) -> ScoresFound:
    """Read the scores of every video of a test set.

    Args:
        folder: holds the files.
        labels: the test set.
        partial: leave videos without scores out, instead of refusing.

    Raises:
        DatasetError: no such folder, scores that are absent, given twice, damaged or not finite.
        InputError: a ``scores.json`` that contradicts itself.
    """
    folder = Path(folder)
    try:
        there = {entry.name for entry in os.scandir(folder) if not is_clutter(entry.name)}
    except (OSError, ValueError):
        raise DatasetError(f"{printable(folder)}: no such folder of scores{near_path(folder)}") from None
    places = {video.name: _place(folder, video, there) for video in labels.videos}
    absent = [name for name, place in places.items() if place is None]
    if len(absent) == len(places) or (absent and not partial):
        raise DatasetError(f"{printable(folder)}: no scores of {len(absent):,} of {len(places):,} videos, first "
                           f"{printable(absent[0])}; they are NAME.json, NAME/scores.json or NAME.npy")  # fmt: skip
    used = {place.relative_to(folder).parts[0] for place in places.values() if place is not None}
    rest = sorted(name for name in there - used if _is_score(folder, name))
    return ScoresFound(
        {name: _read(place) for name, place in places.items() if place is not None},
        tuple(absent),
        (len(rest), rest[0] if rest else ""),
    )


def _place(folder: Path, video: VideoLabel, there: set[str]) -> Path | None:
    """Return the one file with a video's scores, or None.

    Raises:
        DatasetError: there are two.
    """
    found = []
    for name in (f"{name}{ending}" for name in names_of(video) for ending in _VIDEO_ENDINGS):
        found += [folder / file for file in (f"{name}.json", f"{name}.npy") if file in there]
        if name in there and (folder / name / "scores.json").is_file():
            found.append(folder / name / "scores.json")
    if len(found) > 1:
        both = " and ".join(printable(path.relative_to(folder)) for path in found[:2])
        raise DatasetError(f"{printable(folder)}: the video {printable(video.name)} has {both}; keep one")
    return found[0] if found else None


def _is_score(folder: Path, name: str) -> bool:
    return name.endswith((".json", ".npy")) or (folder / name / "scores.json").is_file()


def names_of(video: VideoLabel) -> tuple[str, ...]:
    """Return what a video may be called: by the labels, and as scoring calls its results, without odd signs.

    >>> names_of(VideoLabel("v=x__#1_label_A", 17))
    ('v=x__#1_label_A', 'v=x___1_label_A')
    """
    names = (video.name, *video.also)
    return tuple(dict.fromkeys((*names, *(video_name(f"{name}.mp4") for name in names))))


def _read(path: Path) -> VideoScores:
    if path.suffix == ".json":
        return VideoScores.of(read_series(path), printable(path))
    array = read_array(path)
    if array.ndim != 1 or not array.size:
        shape: Sequence[object] = array.shape
        raise DatasetError(f"{printable(path)}: must be one score per frame, (frames,); it holds "
                           f"{' x '.join(map(str, shape)) or 'a single value'}")  # fmt: skip
    values = array.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise DatasetError(f"{printable(path)}: {wrong.size:,} of {values.size:,} scores are NaN or infinite, first at "
                           f"frame {int(wrong[0]):,}")  # fmt: skip
    return VideoScores(values, printable(path))
