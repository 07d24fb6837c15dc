"""``zsad video watch``: a live source in, its events out while it goes on."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsad.cli import options
from zsad.cli.video import shared_options as shared
from zsad.terminal import say

if TYPE_CHECKING:
    from zsad.video.detector import VideoDetector
    from zsad.video.methods import FrameMethod
    from zsad.video.watch import Watched

_EVENTS, _TELL, _SOURCE = "Events", "Who is told", "Source"


def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="rtsp://, http:// or another address; the number of a camera; - for a pipe; a video file, as if live.",
            show_default=False,
        ),
    ],
    method: shared.Method = "motion",
    model: shared.Model = None,
    prompt: options.Prompt = None,
    noun: options.Noun = None,
    stride: shared.Stride = None,
    fps: shared.Rate = None,
    delay: Annotated[
        float | None,
        options.option(
            "Of a learned model: seconds that a score waits for what follows; 2 (1.92 at 25 frames a second: "
            "3 rows of 16 frames). It is stated at the start; a score never changes.",
            "Method",
            min=0,
        ),
    ] = None,
    motion_kind: shared.MotionKind = "flow",
    refine: shared.Refine = None,
    normal: shared.NormalClips = None,
    threshold: Annotated[float | None, options.option("Score from which an event begins.", _EVENTS)] = None,
    low: shared.Low = None,
    min_frames: shared.MinFrames = 1,
    gap: shared.Gap = 0,
    thresholds: shared.ThresholdFile = None,
    on_event: Annotated[
        list[str] | None,
        options.option(
            "Program that gets each event as JSON on standard input when it is over: one text, split into words as a "
            "shell would, run without one. Repeatable.",
            _TELL,
            metavar="CMD",
        ),
    ] = None,
    on_start: Annotated[
        list[str] | None, options.option("The same, when an event has begun.", _TELL, metavar="CMD")
    ] = None,
    record: Annotated[Path | None, options.option("Folder for a clip of each event (WebM).", _TELL)] = None,
    before: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds of a clip before its event.", rich_help_panel=_TELL)
    ] = 5.0,
    after: Annotated[
        float, typer.Option(min=0, max=60, help="Seconds of a clip after its event.", rich_help_panel=_TELL)
    ] = 3.0,
    give_up: Annotated[
        float | None,
        options.option("End with an error after so many seconds without a frame; by default never.", _SOURCE),
    ] = None,
    report: Annotated[
        float,
        typer.Option(
            min=0, help="Seconds from one line on how things are to the next; 0: none.", rich_help_panel=_SOURCE
        ),
    ] = 60.0,
    device: options.Device = "cpu",
    dtype: options.Dtype = None,
) -> None:
    """Watch a camera: each event is a line of JSON on standard output when it is over.

    --method is motion, map, fused, or a learned model: its folder or ONNX file, which looks at every 16th frame.

    A source that is lost is connected again, after 0.5 s, then 1, 2 and up to 30 s. Frames that nobody has time for
    are dropped and counted. Ctrl-C and SIGTERM end the watch: an event that is on is told, its clip finished.

    Exit code: 0 ended, 1 the source has vanished or could not be opened, 2 wrong usage.

    [bold]Examples[/bold]

      [cyan]zsad video watch rtsp://camera/live --threshold 2.5[/cyan]
      [cyan]zsad video watch 0 --thresholds t.json --record clips/ --on-event "python notify.py"[/cyan]
      [cyan]zsad video watch hall.mp4 --method fused --threshold 1.2 --min-frames 5[/cyan]
      [cyan]zsad video watch rtsp://camera/live --method model.onnx --threshold 0.6 --delay 4[/cyan]
    """
    from zsad.errors import UsageError
    from zsad.video.camera import Camera
    from zsad.video.commands import Commands, parse_command
    from zsad.video.feeds import feed_of
    from zsad.video.learned.live_method import LiveLearned
    from zsad.video.recorder import Recorder
    from zsad.video.watch import watch as run

    if thresholds is None and threshold is None:
        raise UsageError("nothing is an event without a limit: give --threshold, or --thresholds FILE")
    shared.check_events(threshold, low, min_frames, gap, thresholds)
    ended, begun = ([parse_command(text) for text in texts or ()] for texts in (on_event, on_start))
    feed = feed_of(source)
    rule = {"threshold": threshold, "low": low, "min_frames": min_frames, "gap": gap}
    words = {"prompt": prompt, "object": noun, "device": device, "dtype": dtype}
    detector = _detector(method, model, words, thresholds, rule, stride=stride, fps=fps, refine=refine,
                         normal=normal or (), motion=motion_kind, delay=delay)  # fmt: skip
    recorder = None if record is None else Recorder(record, feed.name, before=before, after=after, say=say)
    with _told(Commands(ended, say), Commands(begun, say)) as (over, start):

        def tell(event: Mapping[str, Any]) -> None:
            _print(event)
            over(event)

        with Camera(
            feed, give_up=give_up, say=say, tap=(lambda frame: None) if recorder is None else recorder.tap
        ) as camera:
            if isinstance(detector.method, LiveLearned):
                say(detector.method.told(camera.fps))
                if recorder is not None:
                    recorder.wait_for(detector.method.late(camera.fps))
            try:
                with _ending_gently(camera.stop):
                    seen = run(detector, camera, on_event=tell, on_start=start, recorder=recorder,
                               on_report=lambda seen: say(_line(feed.shown, seen)),
                               every=report or float("inf"))  # fmt: skip
            finally:
                if recorder is not None:
                    recorder.close()
    say(_line(feed.shown, seen))
    if camera.fault:
        say(camera.fault)
        raise typer.Exit(1)


def _detector(
    method: str,
    model: str | None,
    words: Mapping[str, Any],
    thresholds: Path | None,
    rule: dict[str, Any],
    *,
    refine: Path | None,
    delay: float | None,
    **how: Any,
) -> VideoDetector:
    """Build what looks at frames, and check that a file of thresholds was measured with the same."""
    from dataclasses import asdict

    from zsad.errors import UsageError
    from zsad.video.detector import VideoDetector
    from zsad.video.learned.scorer import is_learned
    from zsad.video.refine import CAUSAL, check_live, read_refiners
    from zsad.video.series import ScoreSeries
    from zsad.video.thresholds import check_same, read_video_thresholds

    file = None if thresholds is None else read_video_thresholds(thresholds)
    if method == "motion" and (model is not None or words["prompt"] or words["object"]):
        raise UsageError("--method motion looks at no model; leave --model and words out, or take --method fused")
    refiners = None if refine is None else read_refiners(refine)
    check_live(refiners or ())
    limits = rule if file is None else asdict(file.rule)
    if is_learned(method):
        found = VideoDetector(method=_learned(method, model, words, delay, refiners, how), **limits)
    else:
        if delay is not None:
            raise UsageError(f"--method {method} waits for nothing; leave --delay out")
        looks = options.load(model, **words) if method in ("map", "fused") else None
        how["stride"] = how["stride"] or 1
        found = VideoDetector(looks, method=method, refiners=CAUSAL if refiners is None else refiners, **limits, **how)
    if file is not None and thresholds is not None:
        made, named = found.method, tuple(map(str, found.method.refiners))
        same = ScoreSeries([], [], [], 0, 0.0, made.name, made.model, named)  # type: ignore[arg-type]
        check_same(file, same, thresholds)
    return found


def _learned(
    method: str,
    model: str | None,
    words: Mapping[str, Any],
    delay: float | None,
    refiners: Sequence[Any] | None,
    how: Mapping[str, Any],
) -> FrameMethod:
    """Build a learned model, which looks at frames that are as far apart as those it learned from."""
    from zsad.errors import UsageError
    from zsad.video.learned.live_method import DELAY, LiveLearned
    from zsad.video.learned.scorer import load_learned

    if words["prompt"] or words["object"] or how["stride"] or how["fps"] or how["normal"]:
        raise UsageError("a learned model has its own words and frames; leave --prompt, --object, --stride, --fps and "
                         "--normal out")  # fmt: skip
    waits = DELAY if delay is None else delay
    made = LiveLearned(load_learned(method), method, delay=waits, backbone=model, device=words["device"])
    made.refiners = tuple(refiners or ())
    return made


@contextmanager
def _told(*commands: Any) -> Iterator[Sequence[Callable[[Mapping[str, Any]], None]]]:
    """Give what tells programs of events; at the end, all of them have been told."""
    try:
        yield [each.send for each in commands]
    finally:
        for each in commands:
            each.close()


@contextmanager
def _ending_gently(stop: Callable[[], None]) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the stream, so that what is on is finished; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ending(number: int, frame: Any) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        stop()

    for number in before:
        signal.signal(number, ending)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(event: Mapping[str, Any]) -> None:
    """Write a line of JSON, which is ASCII, for whoever reads standard output at this moment."""
    sys.stdout.buffer.write(f"{json.dumps(event, allow_nan=False)}\n".encode())
    sys.stdout.buffer.flush()


def _line(shown: str, seen: Watched) -> str:
    """Say how things are."""
    late = f"{seen.latency:.2f} s late at most"
    again = f", connected {seen.connections} times" if seen.connections > 1 else ""
    return (f"{shown}: {seen.frames:,} frames in {seen.seconds:,.0f} s, {seen.dropped:,} dropped, {late}, "
            f"{seen.events:,} events{again}")  # fmt: skip
