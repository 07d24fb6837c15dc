"""How fast videos are scored, in how much memory, and how large their pages are.

    python benchmarks/video_speed.py [--quick] [--json FILE]

- loop: `zsad video score --method map` of the bundled model on a drawn 360 x 240 file, without annotated video, against
  the loop's own rate on the same frames already decoded; at least 0.85 of it.
- high: ten minutes of 1920 x 1080 at stride 8; faster than they last. With --quick, twenty seconds.
- hour: an hour of drawn video (108,000 frames) by frame difference: memory after it and after its first tenth, and the
  size of its page, below 5 MB. With --quick, two minutes.
- stream: 100,000 frames streamed by ``VideoDetector.stream``: memory after a tenth of them and at the end.
  With --quick, 5,000.

Parts that ``--json FILE`` has already, and that are not asked for, stay in it. Exit code 1 if one of these is missed.
Files are drawn into a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from zsad.stream import from_iterable, inspect
from zsad.suites.record import commit, hardware, versions
from zsad.types import ByteArray
from zsad.video.source import open_video

SHARE, PAGE_BYTES, GROWTH_MB = 0.85, 5_000_000, 60
RATE = 30
PARTS = ("stream", "loop", "high", "hour")


def draw(path: Path, frames: int, width: int, height: int, still: int = 60) -> Path:
    """Write a video of a square that moves over noise; pictures repeat after a while, so that it is quick to write."""
    import av

    rng = np.random.default_rng(0)
    ground = rng.integers(90, 140, (height // 8, width // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    ground = np.pad(ground, ((0, height - len(ground)), (0, width - ground.shape[1]), (0, 0)), mode="edge")
    pictures: list[ByteArray] = []
    for i in range(still):
        picture = ground.copy()
        side = height // 6
        left = i * (width - side) // still
        picture[height // 2 : height // 2 + side, left : left + side] = 220
        pictures.append(picture)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "g": "250"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, RATE)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(pictures[index % still], format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def score(*arguments: object) -> dict[str, float]:
    """Run ``zsad video score`` in a process of its own: seconds, and its highest memory in MB."""
    start = time.perf_counter()
    code = (
        "import pathlib, re, sys; from zsad.cli import app; sys.argv[0] = 'zsad'\n"
        "try:\n    app()\n"  # the highest memory since this program began: ru_maxrss has that of its parent, too
        "finally:\n    text = pathlib.Path('/proc/self/status').read_text()\n"
        "    print(re.search(r'VmHWM:\\s+(\\d+)', text)[1], file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, "video", "score", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"seconds": time.perf_counter() - start, "memory_mb": int(done.stderr.split()[-1]) / 1024}


def loop(place: Path, frames: int) -> dict[str, Any]:
    """Compare the whole command's rate with that of the loop on decoded frames; start-up is taken off."""
    path = draw(place / "small.mp4", frames, 360, 240)
    detector = zsad.load()
    with open_video(path) as video:
        images = [frame.image for frame in video.frames()]
    start = time.perf_counter()
    for _ in inspect(detector, list(from_iterable(images))):
        pass
    bare = len(images) / (time.perf_counter() - start)
    from zsad.video.detector import frame_method
    from zsad.video.methods import Sampling
    from zsad.video.run import Plan, score_videos

    method = frame_method("map", detector, Sampling())
    start = time.perf_counter()
    score_videos(method, [("small", path)], Plan(place / "small", video=False))
    whole = frames / (time.perf_counter() - start)
    return {
        "frames": frames,
        "loop_per_s": round(bare, 2),
        "score_per_s": round(whole, 2),
        "share": round(whole / bare, 3),
    }


def high(place: Path, seconds: int) -> dict[str, Any]:
    """Score 1080p at stride 8."""
    path = draw(place / "high.mp4", seconds * RATE, 1920, 1080)
    found = score(path, "--out", place / "high", "--method", "map", "--stride", 8, "--no-video")
    return {"video_s": seconds, **{key: round(value, 1) for key, value in found.items()}}


def hour(place: Path, seconds: int) -> dict[str, Any]:
    """Score a tenth of a long video, then all of it."""
    short = draw(place / "tenth.mp4", seconds * RATE // 10, 320, 240)
    whole = draw(place / "hour.mp4", seconds * RATE, 320, 240)
    found = {}
    for name, path in (("tenth", short), ("whole", whole)):
        run = score(path, "--out", place / "hour", "--motion-kind", "difference", "--no-video")
        found[name] = {key: round(value, 1) for key, value in run.items()}
    page = (place / "hour" / "hour" / "index.html").stat().st_size
    return {"video_s": seconds, **found, "page_bytes": page}


def stream(place: Path, frames: int) -> dict[str, Any]:
    """Take what is said of each frame as it comes."""
    path = draw(place / "stream.mp4", frames, 160, 120)
    early, count = 0.0, 0
    for _ in zsad.VideoDetector(motion="difference", threshold=5.0).stream(path):
        count += 1
        if count == frames // 10:
            early = _memory()
    return {"frames": count, "memory_mb_at_a_tenth": round(early, 1), "memory_mb_at_the_end": round(_memory(), 1)}


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    quick = options.quick
    found: dict[str, Any] = {
        "commit": commit(), "versions": versions(), "hardware": hardware(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    if options.json and options.json.exists():
        earlier: dict[str, Any] = json.loads(options.json.read_text(encoding="utf-8"))
        found |= {part: earlier[part] for part in PARTS if part in earlier and part not in options.parts}
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if "stream" in options.parts:
            found["stream"] = stream(place, 5_000 if quick else 100_000)
            grown = found["stream"]["memory_mb_at_the_end"] - found["stream"]["memory_mb_at_a_tenth"]
            missed += ["stream"] * (grown > GROWTH_MB)
        if "loop" in options.parts:
            found["loop"] = loop(place, 60 if quick else 600)
            missed += ["loop"] * (found["loop"]["share"] < SHARE)
        if "high" in options.parts:
            found["high"] = high(place, 20 if quick else 600)
            missed += ["high"] * (found["high"]["seconds"] > found["high"]["video_s"])
        if "hour" in options.parts:
            found["hour"] = hour(place, 120 if quick else 3600)
            grown = found["hour"]["whole"]["memory_mb"] - found["hour"]["tenth"]["memory_mb"]
            missed += ["hour"] * (grown > GROWTH_MB or found["hour"]["page_bytes"] > PAGE_BYTES)
    for part in options.parts:
        found[part]["commit"] = found["commit"]
    found["missed"] = missed
    print(json.dumps({key: value for key, value in found.items() if key not in ("versions", "hardware")}, indent=1))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
