"""Scores of a test set, made here: its videos are looked for, and one method scores each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zsad.errors import DatasetError
from zsad.outside import printable
from zsad.video.evaluation.score_files import ScoresFound, VideoScores, names_of
from zsad.video.finding import find_videos
from zsad.video.labels.label import Labels
from zsad.video.scorer import VideoScorer
from zsad.video.series import ScoreSeries
from zsad.video.source import video_name

Progress = Callable[[str, int, int | None], None]
"""Told of the video, its frames done and in all."""


def score_videos(
    scorer: VideoScorer,
    labels: Labels,
    data: Path,
    *,
    partial: bool = False,
    progress: Progress = lambda name, done, total: None,
    keep: Callable[[str, ScoreSeries], None] = lambda name, series: None,
) -> ScoresFound:
    """Score the videos of a test set.

    Args:
        scorer: the method.
        labels: the test set.
        data: a folder that has the videos at any depth: files, or folders of frames, named as the labels have them.
        partial: leave videos that are not there out, instead of refusing.
        progress: told how far it is.
        keep: told of each series as soon as it is made.

    Raises:
        DatasetError: videos that are not there, or a name that two have; before any is scored.
        InputError: a video that can't be read.
    """
    there: dict[str, list[Path]] = {}
    for path in find_videos([data]):
        there.setdefault(video_name(path), []).append(path)
    places, absent = {}, []
    for video in labels.videos:
        found = [path for name in names_of(video) for path in there.get(name, ())]
        if len(found) > 1:
            both = " and ".join(printable(path) for path in found[:2])
            raise DatasetError(f"{printable(video.name)}: {both} have its name; leave one of them in {printable(data)}")
        if found:
            places[video.name] = found[0]
        else:
            absent.append(video.name)
    if not places or (absent and not partial):
        raise DatasetError(f"{printable(data)}: no video for {len(absent):,} of {len(labels.videos):,} labels, first "
                           f"{printable(absent[0])}")  # fmt: skip
    scores = {}
    for name, path in places.items():
        series = scorer.score(path, lambda done, total, name=name: progress(name, done, total))  # type: ignore[misc]
        keep(name, series)
        scores[name] = VideoScores.of(series, printable(path))
    return ScoresFound(scores, tuple(absent))
