"""UBnormal's test set: lists of names, and the tracks of what is anomalous, in the form of the dataset's archive."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from zsad.data.text_files import read_text
from zsad.errors import DatasetError
from zsad.metrics.spans import LabelledSpan
from zsad.outside import printable, shown
from zsad.video.labels.label import ANOMALY, Labels, VideoLabel, joined_spans, of_frames
from zsad.video.labels.reading import Source, check_span, unique, video_name

ROOT = "UBnormal"
LISTS = {True: "abnormal_test_video_names.txt", False: "normal_test_video_names.txt"}
FRAME_FILE = "ground_truth_frame_level.txt"


def ubnormal(source: Source, compat: Collection[str] = ()) -> Labels:
    """UBnormal: spans are those of the tracks, ``SceneN/NAME_annotations/NAME_tracks.txt``, last frame included.

    Where the labels per frame are there, as the dataset's script writes them (``NAME/ground_truth_frame_level.txt``),
    they are read instead, and lengths are known; else they come with the scores.
    """
    videos = []
    for abnormal, file in LISTS.items():
        path, rows = source.lines(f"{ROOT}/scripts/{file}", f"{ROOT}/{file}")
        names = [video_name(words[0], path) for _, words in rows]
        unique(names, path)
        videos += [_video(source, name, abnormal) for name in names]
    if any(video.n_frames is None for video in videos):
        source.notes.append("lengths come with the scores: the labels are tracks")
    return Labels("ubnormal", "", tuple(videos))


def _video(source: Source, name: str, abnormal: bool) -> VideoLabel:
    per_frame = f"{ROOT}/{name}/{FRAME_FILE}"
    if source.has(per_frame):
        return of_frames(name, _per_frame(source.file(per_frame)))
    if not abnormal:
        return VideoLabel(name, None)
    words = name.split("_")
    scene = words[2] if len(words) > 2 else "?"
    path = source.file(f"{ROOT}/Scene{scene}/{name}_annotations/{name}_tracks.txt", per_frame)
    spans = []
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if not text.strip():
            continue
        _, first, last, *_ = _numbers(text, f"{printable(path)}:{line}", 3)
        check_span(f"{printable(path)}:{line}", first, last + 1)
        spans.append((int(first), int(last) + 1))
    found = joined_spans(spans)
    events = tuple(LabelledSpan(start, end, ANOMALY) for start, end in found)
    return VideoLabel(name, None, found, (ANOMALY,), True, events)


def _per_frame(path: Path) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    values = [_numbers(text, f"{printable(path)}:{i}", 1)[0] for i, text in enumerate(read_text(path).split(), 1)]
    if not values or not {*values} <= {0.0, 1.0}:
        raise DatasetError(f"{printable(path)}: must be one 0 or 1 per frame")
    return np.array(values) > 0


def _numbers(text: str, where: str, least: int) -> list[float]:
    try:
        found = [float(word) for word in text.split(",")]
    except ValueError:
        raise DatasetError(f"{where}: {shown(text)} must be numbers with commas between") from None
    if len(found) < least or not np.isfinite(found).all():
        raise DatasetError(f"{where}: must be {least} finite numbers, such as track, first and last frame")
    return found
