"""What a scored video leaves in its folder: scores, table, events; key frames, video and page beside them.

``events.json`` is written last, and says with what settings: by it an earlier run is known, and gone on with.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zsad.documents import Limits, read_json
from zsad.errors import InputError, OccupiedError
from zsad.files import write_whole
from zsad.outputs import begins, check_folder, check_output, holds, is_page
from zsad.outside import printable
from zsad.stream.item import stamp_of
from zsad.video.detector import VideoResult
from zsad.video.maps_file import MAPS
from zsad.video.series import ScoreSeries, read_series, write_series

SCORES, TABLE, EVENTS, PAGE, KEYS, VIDEO = (
    "scores.json", "scores.csv", "events.json", "index.html", "keyframes", "annotated.webm",
)  # fmt: skip
KIND = "zsad video events"
_HEAD = b"frame,seconds,score"
_LIMITS = Limits(size=64 << 20, entries=2_000_000)
_REMEDY = "choose another --out"


@dataclass(frozen=True)
class Told:
    """What ``events.json`` says of a video.

    Attributes:
        name: of the video's folder.
        path: the video, as it was given.
        score: the video's score.
        threshold: by which events were found.
        hint: whether that was only chosen to begin with.
        n_frames: frames of the video.
        fps: frames per second.
        partial: whether it was not read to its end.
        fault: why.
        events: as :meth:`zsad.video.events.Event.to_dict` says them, each with the name of its ``picture`` or None.
        video: the annotated video's name, or ``""``.
        stamp: of the video's file, when it was read.
        settings: whatever else tells one run from another.
    """

    name: str
    path: str
    score: float
    threshold: float
    hint: bool
    n_frames: int
    fps: float
    partial: bool
    fault: str = ""
    events: tuple[Mapping[str, Any], ...] = ()
    video: str = ""
    stamp: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of the video; 0 where nobody knows."""
        return self.n_frames / self.fps if self.fps else 0.0


def check_place(folder: Path) -> None:
    """Refuse a folder whose files were not written by an earlier run.

    Raises:
        OccupiedError: such a file is there.
    """
    check_folder(folder, _REMEDY)
    check_output(folder / SCORES, holds(b'"n_frames": '), _REMEDY)
    check_output(folder / TABLE, begins(_HEAD), _REMEDY)
    check_output(folder / EVENTS, holds(KIND.encode()), _REMEDY)
    check_output(folder / PAGE, is_page, _REMEDY)
    check_output(folder / MAPS, begins(b"\x93NUMPY"), _REMEDY)
    ours = any((folder / name).is_file() for name in (SCORES, EVENTS))
    for other in (folder / KEYS, folder / VIDEO):
        if other.exists() and not ours:
            raise OccupiedError(f"{printable(other)}: was not written by zsad and is not replaced; {_REMEDY}")


def told_of(
    name: str, result: VideoResult, keys: Mapping[int, str], video: str, stamp: str, settings: Mapping[str, Any]
) -> Told:
    """Return what is written of a result.

    Args:
        name: of the video's folder.
        result: scores and events.
        keys: frame -> name of its picture.
        video: the annotated video's name, or ``""``.
        stamp: of the video's file.
        settings: whatever else tells one run from another.
    """
    events = tuple({**event.to_dict(), "picture": keys.get(event.key)} for event in result.events)
    series = result.series
    return Told(
        name, str(result.path), result.score, result.rule.threshold, result.hint, series.n_frames, series.fps,
        series.partial, result.fault, events, video, stamp, settings,
    )  # fmt: skip


def write_scores(folder: Path, series: ScoreSeries) -> ScoreSeries:
    """Write ``scores.json`` and ``scores.csv``; where the same scores are there, they keep their counts of calls.

    Returns:
        The scores as they stand in the file.

    Raises:
        OutputError: they can't be written.
    """
    series = _with_calls_of(folder / SCORES, series)
    write_series(folder / SCORES, series)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["frame", "seconds", "score", *map(_cell, series.classes)])
    columns = [series.positions.tolist(), series.timestamps.round(6).tolist(), series.values.tolist()]
    columns += [column.tolist() for column in series.classes.values()]
    table.writerows(zip(*columns, strict=True))
    write_whole(folder / TABLE, text.getvalue().encode())
    return series


def _with_calls_of(path: Path, series: ScoreSeries) -> ScoreSeries:
    """Return scores with the calls that were counted when they were paid for: a second run sends nothing."""
    if not series.calls or not path.is_file():
        return series
    try:
        old = read_series(path)
    except InputError:
        return series
    same = {**old.to_dict(), "calls": None} == {**series.to_dict(), "calls": None}
    return replace(series, calls=old.calls) if same else series


def write_events(folder: Path, told: Told) -> None:
    """Write ``events.json``, which says that all is there."""
    data = {"kind": KIND, **{key: getattr(told, key) for key in told.__dataclass_fields__}}
    data["events"] = list(told.events)
    write_whole(folder / EVENTS, f"{json.dumps(data, indent=1, allow_nan=False, default=str)}\n".encode())


def read_events(folder: Path) -> Told:
    """Read ``events.json`` of an earlier run.

    Raises:
        InputError: it is not there, or says something else.
    """
    data = read_json(folder / EVENTS, InputError, _LIMITS)
    known = set(Told.__dataclass_fields__)
    if not isinstance(data, dict) or data.pop("kind", None) != KIND or set(data) != known:
        raise InputError(f"{printable(folder / EVENTS)}: not what `zsad video score` writes")
    if not isinstance(data["events"], list) or not all(isinstance(event, dict) for event in data["events"]):
        raise InputError(f"{printable(folder / EVENTS)}: events must be a list")
    numbers = all(isinstance(data[key], int | float) for key in ("score", "threshold", "n_frames", "fps"))
    if not numbers or not all(isinstance(data[key], str) for key in ("name", "path", "video", "stamp")):
        raise InputError(f"{printable(folder / EVENTS)}: not what `zsad video score` writes")
    return Told(**{**data, "events": tuple(data["events"])})


def earlier(folder: Path, path: Path, settings: Mapping[str, Any]) -> tuple[Told, ScoreSeries] | None:
    """Return what an earlier run has left of a video, if it is whole and its settings are the same; else None."""
    try:
        told, series = read_events(folder), read_series(folder / SCORES)
    except InputError:
        return None
    if told.partial or told.stamp != stamp_of(path) or _plain(told.settings) != _plain(settings):
        return None
    return told, series


def _plain(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)


def _cell(label: str) -> str:
    """Return a label that no spreadsheet takes for a formula."""
    text = printable(label)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
