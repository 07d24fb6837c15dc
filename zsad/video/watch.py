"""Watching a live source: scores, events as they are over, clips around them, programs that are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from zsad.video.camera import Camera
from zsad.video.detector import Moment, VideoDetector
from zsad.video.recorder import Recorder

OnEvent = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Watched:
    """What a watch has seen so far.

    Attributes:
        frames: that came.
        scored: that were looked at.
        dropped: that nobody had time for.
        events: that are over.
        connections: how often the source was connected.
        seconds: from the first frame to the last that was looked at.
        latency: seconds from a frame's arrival to its score: the longest since the last report.
    """

    frames: int = 0
    scored: int = 0
    dropped: int = 0
    events: int = 0
    connections: int = 1
    seconds: float = 0.0
    latency: float = 0.0


def watch(
    detector: VideoDetector,
    camera: Camera,
    *,
    on_event: OnEvent,
    on_start: OnEvent = lambda event: None,
    on_report: Callable[[Watched], None] = lambda seen: None,
    every: float = 60.0,
    recorder: Recorder | None = None,
) -> Watched:
    """Watch until the source ends or is stopped; memory stays the same however long that takes.

    Args:
        detector: with a threshold, and refiners that don't look ahead.
        camera: the source; its ``tap`` is the recorder's.
        on_event: told of each event when it is over, and its clip written; possibly in another thread.
        on_start: told of each event when it has begun.
        on_report: told now and then how things are.
        every: seconds from one report to the next.
        recorder: writes clips.

    Raises:
        UsageError: refiners that look ahead.
        InputError: the source has vanished for too long.
    """
    seen, reported, was_on = Watched(), 0.0, False
    about = {"source": camera.path, "method": detector.method.name, "model": detector.method.model}
    with closing(detector.stream(camera)) as moments:
        for moment in moments:
            if moment.on and not was_on:
                on_start({"phase": "start", **about, **_begun(moment)})
                if recorder is not None:
                    recorder.begin(moment.timestamp)
            was_on = moment.on
            late = camera.age(moment.index)
            seen = replace(_counts(seen, camera), scored=seen.scored + 1, seconds=moment.timestamp,
                           latency=max(seen.latency, late))  # fmt: skip
            if moment.event is not None:
                seen = replace(seen, events=seen.events + 1)
                _over(moment, about, seen, late, on_event, recorder)
            if moment.timestamp - reported >= every:
                on_report(seen)
                reported, seen = moment.timestamp, replace(seen, latency=0.0)
    return _counts(seen, camera)


def _counts(seen: Watched, camera: Camera) -> Watched:
    return replace(seen, frames=camera.received, dropped=camera.dropped, connections=camera.connections)


def _begun(moment: Moment) -> dict[str, Any]:
    return {"frame": moment.index, "seconds": round(moment.timestamp, 3), "score": moment.score, "at": _at(0.0)}


def _over(
    moment: Moment, about: Mapping[str, Any], seen: Watched, late: float, on_event: OnEvent, recorder: Recorder | None
) -> None:
    """Tell of an event, once its clip is there."""
    event = moment.event
    assert event is not None
    found = {"phase": "end", "number": seen.events, **about, **event.to_dict()}
    found["began_at"] = _at(moment.timestamp - event.start_s + late)
    found["ended_at"] = _at(max(0.0, moment.timestamp - event.end_s) + late)
    found["dropped"] = seen.dropped
    if recorder is None:
        on_event({**found, "clip": None})
        return
    recorder.end(
        event.start_s, event.end_s, lambda path: on_event({**found, "clip": None if path is None else str(path)})
    )


def _at(ago: float) -> str:
    """Return the time so many seconds ago, in UTC."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds")
