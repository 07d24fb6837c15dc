"""Scores of a video, held against the video, and its events: by a threshold, an earlier run, or a hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zsad.documents import is_number, is_whole
from zsad.errors import InputError
from zsad.language.footage import Footage
from zsad.outside import printable
from zsad.video.events import Event, find_events, hint_threshold
from zsad.video.live import Rule
from zsad.video.output import EVENTS, read_events
from zsad.video.series import ScoreSeries, read_series

if TYPE_CHECKING:
    from zsad.detector.base import Detector

_WHOLE, _TIMES = ("start", "end", "peak", "key"), ("start_s", "end_s", "peak_s")
MOST = 5
"""Events whose place a detector is asked for."""


@dataclass(frozen=True)
class Judged:
    """Scores and what they mean.

    Attributes:
        series: of the video.
        events: in the order of time.
        threshold: from which a score is an event.
        known: whether somebody has set it; else it was only chosen to begin with.
    """

    series: ScoreSeries
    events: tuple[Event, ...]
    threshold: float
    known: bool


def read_judged(path: Path, footage: Footage, threshold: float | None = None) -> Judged:
    """Read scores of a video, and find its events.

    Args:
        path: ``scores.json``; ``events.json`` of the same run may lie beside it.
        footage: the video.
        threshold: from which a score is an event; by default that of ``events.json``, else one to begin with.

    Raises:
        InputError: a file that can't be used, or scores of another video.
    """
    series = read_series(path)
    _check_same(series, path, footage)
    if threshold is not None:
        return Judged(series, tuple(find_events(series, Rule(threshold))), threshold, True)
    if path.name == "scores.json" and (path.parent / EVENTS).is_file():
        told = read_events(path.parent)
        if told.n_frames == series.n_frames:
            events = tuple(_event(one, path.parent / EVENTS) for one in told.events)
            return Judged(series, events, told.threshold, not told.hint)
    chosen = hint_threshold(series.values)
    return Judged(series, tuple(find_events(series, Rule(chosen))), chosen, False)


def _check_same(series: ScoreSeries, path: Path, footage: Footage) -> None:
    has, scored = footage.facts.n_frames, series.n_frames
    if not len(series):
        raise InputError(f"{printable(path)}: has no score; score the video again")
    if scored != has and not (series.partial and scored < has):
        raise InputError(
            f"{printable(path)}: is of a video of {scored} frames, {printable(footage.source)} has {has}; "
            "give the scores of this video"
        )


def placed(events: Sequence[Event], footage: Footage, detector: Detector) -> list[Event]:
    """Return events with the place where a detector's map is highest in the frame of their peak.

    Only the highest events without a place get one.

    Args:
        events: of the video.
        footage: the video.
        detector: looks at frames.
    """
    lacking = sorted((one for one in events if one.region is None), key=lambda one: -one.score)[:MOST]
    wanted = {one.key: one for one in lacking}
    if not wanted:
        return list(events)
    from zsad.video.maps import MapStore

    found: dict[int, Any] = {}
    for frame in footage.frames(set(wanted)):
        if frame.index not in wanted:
            continue
        store = MapStore()
        store.add(np.maximum(detector(frame.image).map, 0.0))
        found[frame.index] = store.region(0, frame.image.width, frame.image.height)
    return [replace(one, region=found.get(one.key)) if one in lacking else one for one in events]


def in_words(judged: Judged, evidence_places: Sequence[tuple[str, str]] = ()) -> str:
    """Return what a detector has found, for a prompt."""
    if not judged.events:
        return "no event."
    told = []
    for event in judged.events[:20]:
        label = f", {printable(event.label)[:60]}" if event.label else ""
        told.append(f"from {event.start_s:.1f} s to {event.end_s:.1f} s (score up to {event.score:.3g}{label})")
    places = ", ".join(f"{row} {col}" for row, col in dict.fromkeys(evidence_places))
    return f"events {'; '.join(told)}" + (f"; highest at the {places}." if places else ".")


def _event(row: Mapping[str, Any], where: Path) -> Event:
    """Return an event of ``events.json``, whose values may be anything."""
    region = row.get("region")
    good = all(is_whole(row.get(key), 0, 1 << 53) for key in _WHOLE)
    good &= all(is_number(row.get(key), 0, 1e9) for key in _TIMES) and is_number(row.get("score"), -1e300, 1e300)
    good &= isinstance(row.get("label"), str)
    box = isinstance(region, list) and len(region) == 4 and all(is_whole(one, 0, 1 << 31) for one in region)
    if not good or not (region is None or box):
        raise InputError(f"{printable(where)}: not what `zsad video score` writes; score the video again")
    values = {key: row[key] for key in (*_WHOLE, *_TIMES, "score", "label")}
    return Event(**values, region=tuple(region) if region else None)
