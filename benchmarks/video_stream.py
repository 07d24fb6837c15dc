"""Memory of a watch that never ends, and what is kept of a stream that is faster than its reader.

    python benchmarks/video_stream.py [--frames N] [--kind difference|flow] [--json FILE]

100,000 drawn frames of 160 x 120 pixels go through all of ``zsad video watch``: a camera, motion scores, events (one
every 2,000 frames), clips around them, a program told of each. Resident memory is read every 10,000 frames. Then a
source ten times as fast as its reader: frames dropped, and how old those are that are read. Exit code 1 if memory grows
by more than 10 % from the second reading to the last, an event or clip is lost, or a frame read is older than a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from zsad.suites import record
from zsad.types import ByteArray
from zsad.video.camera import Camera
from zsad.video.commands import Commands
from zsad.video.detector import VideoDetector
from zsad.video.feeds import Feed, Shot
from zsad.video.frames import Frame
from zsad.video.recorder import Recorder
from zsad.video.watch import watch

WIDTH, HEIGHT, EACH, LASTS = 160, 120, 2000, 50
GROWTH, AGE = 1.10, 1.0
MB = 1e6


@lru_cache(maxsize=50)
def noise(seed: int) -> ByteArray:
    """Draw faint noise, uint8 ``(120, 160, 3)``."""
    return np.random.default_rng(seed).integers(100, 104, (HEIGHT, WIDTH, 3), np.uint8)


def drawn(index: int) -> ByteArray:
    """Draw a frame, uint8 ``(120, 160, 3)``: noise, and in 50 of 2,000 frames a square that moves."""
    frame = noise(index % 50).copy()
    at = index % EACH - EACH // 2
    if 0 <= at < LASTS:
        frame[40:80, 2 * at : 2 * at + 30] = 230
    return frame


def shots(count: int, wanted: Callable[[], bool] = lambda: True, pause: float = 0.0) -> Callable[[Any], Iterator[Shot]]:
    """Return a feed of drawn frames that waits while nobody wants one."""

    def feed(stopped: Callable[[], bool]) -> Iterator[Shot]:
        for index in range(count):
            while not wanted() and not stopped():
                time.sleep(0.0005)
            if stopped():
                return
            time.sleep(pause)
            pixels = drawn(index)
            yield Shot(None, 0.0, (WIDTH, HEIGHT), lambda i, t, p=pixels: Frame(i, t, lambda: p))  # type: ignore[misc]

    return feed


def endless(frames: int, kind: Literal["flow", "difference"]) -> dict[str, Any]:
    """Watch so many frames; return memory, events, clips and speed."""
    detector = VideoDetector(method="motion", motion=kind, threshold=3.0, min_frames=5, gap=10)
    process, memory, told = psutil.Process(), [], []
    holder: list[Camera] = []
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(Path(folder), "drawn", before=0.05, after=0.05)  # faster than life: some twenty frames
        commands = Commands([[sys.executable, "-c", ""]])

        def tell(event: Mapping[str, Any]) -> None:
            told.append(event["clip"])
            commands.send(event)
            Path(event["clip"]).unlink()

        def tap(frame: Frame) -> None:
            recorder.tap(frame)
            if frame.index % (frames // 10) == frames // 10 - 1:
                memory.append(round(process.memory_info().rss / MB, 1))
                print(f"{frame.index + 1:,} frames: {memory[-1]} MB")

        start = time.perf_counter()
        feed = Feed("drawn", "drawn", False, shots(frames, lambda: not holder or len(holder[0]._waiting) < 32))
        with Camera(feed, waiting=64, tap=tap) as camera:
            holder.append(camera)
            seen = watch(detector, camera, on_event=tell, recorder=recorder)
        recorder.close()
        commands.close()
    return {"frames": seen.frames, "scored": seen.scored, "dropped": seen.dropped, "events": seen.events,
            "clips": len(told), "rss_mb": memory, "frames_per_second": round(frames / (time.perf_counter() - start), 1),
            "untold": commands.dropped, "kind": kind}  # fmt: skip


def overrun(seconds: float = 5.0) -> dict[str, Any]:
    """Read a source of 500 frames a second at 50; return what was dropped, and the ages of what was read."""
    with Camera(Feed("fast", "fast", False, shots(1_000_000, pause=0.002))) as camera:
        ages = []
        for frame in islice(camera.frames(), round(seconds * 50)):
            time.sleep(0.02)
            ages.append(camera.age(frame.index))
        camera.stop()
        found = {"received": camera.received, "read": len(ages), "dropped": camera.dropped}
    return {**found, "age_p50_s": float(np.median(ages)), "age_max_s": max(ages)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--kind", choices=("flow", "difference"), default="difference")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(argv)
    stream, fast = endless(given.frames, given.kind), overrun()
    memory = stream["rss_mb"]
    faults = []
    if len(memory) > 2 and memory[-1] > GROWTH * memory[1]:
        faults.append(f"memory grows: {memory[1]} to {memory[-1]} MB")
    due = len(range(EACH // 2, given.frames - LASTS, EACH))
    if not due <= stream["events"] == stream["clips"] <= due + 1:
        faults.append(f"{stream['events']} events and {stream['clips']} clips where {due} were due")
    if fast["age_max_s"] > AGE:
        faults.append(f"a frame was {fast['age_max_s']:.2f} s old when it was read")
    result = {"stream": stream, "overrun": fast, "faults": faults}
    result |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    print(json.dumps({key: result[key] for key in ("stream", "overrun", "faults")}, indent=1))
    if given.json:
        given.json.write_text(f"{json.dumps(result, indent=1)}\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
