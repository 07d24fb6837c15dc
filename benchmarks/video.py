"""What methods that look at frames find in real footage, beside scores that are made without looking.

    python benchmarks/video.py --data-root FOLDER [--parts ped2 cuts conveyor] [--quick] [--json FILE]

``FOLDER`` holds ``ucsd_ped2`` and ``video_clips``. Parts:

- ped2: frame AUC of Ped2's test clip 02 per method, refined by the causal mean of nine scores (it sees no later frame),
  with milliseconds a frame at 360 x 240; with normal footage, which is the clip's own first six seconds (60 frames at
  10 a second), also on the frames after those.
- cuts: three surveillance cuts: which frame moves most, and how much more than the median frame.
- conveyor: frames of a clip of standing bottles, on which this program draws defects of 1 to 5 % of a bottle's area,
  10, 25 and 50 grey levels off, each on one bottle for 30 frames. A memory of 15 other frames scores them, of the whole
  frame and of the row of bottles cut out; the threshold is the highest score without a defect on seeds 0 to 9, figures
  are of seeds 10 to 29: AUC over frames, and the share of defects that are events whose start is within 5 frames.

Exit code 1 if motion on clip 02 falls below an AUC of 0.87, or fused with normal footage below motion.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.metrics.frames import BASELINES, VideoFrames, frame_metrics
from zsad.suites.record import commit, hardware, versions
from zsad.types import ByteArray
from zsad.video import ScoreSeries
from zsad.video.events import find_events
from zsad.video.live import Causal, Rule
from zsad.video.methods import FrameMethod, FusedMethod, MapMethod, MotionMethod, NormalFootage, Sampling
from zsad.video.methods.normal import remembering
from zsad.video.motion import top_mean
from zsad.video.source import open_video

Values = npt.NDArray[np.float64]
SECONDS, RATE = 6.0, 10.0
LEAST = 0.87
BOTTLES = ((62, 112, 120, 310), (290, 112, 346, 310), (510, 112, 570, 310))
"""Where the bottles stand: x0, y0, x1, y1 in pixels of the 640 x 360 frame."""
ROW = (90, 330, 40, 600)
"""Rows and columns of the strip that holds all bottles."""
LEARNED, TESTED = range(0, 60, 4), range(60, 160)
CONTRASTS, LENGTH, NEAR = (10, 25, 50), 30, 5
SEEDS_SET, SEEDS = range(10), range(10, 30)


def auc(truth: npt.NDArray[np.bool_], scores: Values) -> float:
    """Return the area under the ROC curve over the frames of one video."""
    return round(frame_metrics([VideoFrames(truth, scores)])["auc"].value, 4)


def ped2(root: Path) -> dict[str, Any]:
    """Measure every method on clip 02."""
    clip = root / "ucsd_ped2/ped2/testing/frames/02"
    masks = sorted((root / "ucsd_ped2/UCSDped2/Test/Test002_gt").glob("*.bmp"))
    truth = np.array([bool(np.asarray(Image.open(mask)).any()) for mask in masks])
    sampling, detector = Sampling(folder_fps=RATE), zsad.load()
    normal = NormalFootage(seconds=SECONDS)
    methods: dict[str, FrameMethod] = {
        "motion": MotionMethod("flow", sampling),
        "motion, difference": MotionMethod("difference", sampling),
        "motion, normal": MotionMethod("flow", sampling, normal=normal),
        "map": MapMethod(detector, "top1", sampling),
        "map, normal": MapMethod(detector, "top1", sampling, normal=normal),
        "fused": FusedMethod(detector, "flow", sampling),
        "fused, normal": FusedMethod(detector, "flow", sampling, normal=normal),
    }
    later = np.arange(len(truth)) >= SECONDS * RATE
    found: dict[str, Any] = {}
    for name, method in methods.items():
        start = time.perf_counter()
        series = method.score(clip)
        ms = (time.perf_counter() - start) * 1e3 / len(series)
        found[name] = {"auc": auc(truth, series.values), "auc_after_normal": auc(truth[later], series.values[later]),
                       "ms": round(ms, 2), "refiners": list(series.refiners)}  # fmt: skip
        say(f"ped2 {name}: {found[name]}")
    blind = {
        name: auc(truth, np.asarray(score(truth), np.float64))
        for name, score in BASELINES.items()
        if name != "video_oracle"
    }
    return {"frames": len(truth), "anomalous": int(truth.sum()), "methods": found, "without_looking": blind}


def cuts(root: Path) -> dict[str, Any]:
    """Say where motion is highest in each cut; its name says which frames of the whole film it is."""
    found = {}
    for path in sorted((root / "video_clips/HolmesVAD").rglob("*.mp4")):
        series = MotionMethod().score(path)
        first, last = (int(number) for number in path.stem.rsplit("_", 2)[1:])
        peak = int(series.positions[series.values.argmax()])
        above = round(float(series.values.max() / np.median(series.values)), 2)
        found[path.stem] = {"frames": series.n_frames, "seconds": round(series.n_frames / series.fps, 1),
                            "of_the_film": [first, last], "peak": peak, "peak_over_median": above}  # fmt: skip
        say(f"cut {path.stem}: {found[path.stem]}")
    return found


def conveyor(root: Path, quick: bool) -> dict[str, Any]:
    """Draw defects on bottles, and find them with a memory of frames without any."""
    frames: list[ByteArray] = []
    with open_video(root / "video_clips/intel_sample_videos/bottle-detection.mp4") as video:
        for frame in video.frames():
            if frame.index >= TESTED.stop:
                break
            frames.append(frame.array)
    found: dict[str, Any] = {"seeds": [SEEDS_SET.start, SEEDS.start, SEEDS.stop], "refiners": "causal mean of 5"}
    for name, (top, bottom, left, right) in {"frame": (0, 360, 0, 640), "row of bottles": ROW}.items():

        def cut(pixels: ByteArray, box: tuple[int, int, int, int] = (top, bottom, left, right)) -> Image.Image:
            return Image.fromarray(np.ascontiguousarray(pixels[box[0] : box[1], box[2] : box[3]]))

        detector = remembering(zsad.load(), [_png(cut(frames[i])) for i in LEARNED])
        tested = TESTED[:: 5 if quick else 1]
        clean = np.array([_score(detector, cut(frames[i])) for i in tested])
        for contrast in CONTRASTS[1:2] if quick else CONTRASTS:
            measured = partial(_measured, detector, (top, bottom, left, right))
            figures = _defects(frames, tested, clean, contrast, quick, measured)
            found[f"{name}, {contrast} grey levels"] = figures
            say(f"conveyor {name}, {contrast} grey levels: {figures}")
    return found


def _defects(
    frames: list[ByteArray],
    tested: range,
    clean: Values,
    contrast: int,
    quick: bool,
    score: Callable[[ByteArray], float],
) -> dict[str, float]:
    length = LENGTH // tested.step
    sets, measured = (SEEDS_SET[:1], SEEDS[:2]) if quick else (SEEDS_SET, SEEDS)
    limit, areas, hits = -np.inf, [], 0
    for seed in (*sets, *measured):
        start = int(
            np.random.default_rng([seed, 78]).integers(len(tested) // 5, len(tested) - length - 5 // tested.step)
        )
        values = clean.copy()
        for place in range(start, start + length):
            values[place] = score(defective(frames[tested[place]], seed, contrast))
        values = Causal("mean", max(1, 5 // tested.step)).all(values)
        truth = np.zeros(len(values), np.bool_)
        truth[start : start + length] = True
        if seed in sets:
            limit = max(limit, float(values[:start].max()))
            continue
        areas.append(auc(truth, values))
        steps = np.arange(len(values))
        series = ScoreSeries(values, steps, steps / 30, len(steps), 30.0, "map")
        events = find_events(series, Rule(float(np.nextafter(limit, np.inf))))
        hits += any(abs(event.start - start) * tested.step <= NEAR for event in events)
    return {"auc": round(float(np.mean(areas)), 4), "auc_lowest": min(areas), "near": round(hits / len(areas), 3)}


def defective(frame: ByteArray, seed: int, contrast: float) -> ByteArray:
    """Draw a soft-edged ellipse on one of the bottles, lighter or darker by so many grey levels."""
    rng = np.random.default_rng([seed, 77])
    x0, y0, x1, y1 = BOTTLES[rng.integers(len(BOTTLES))]
    area = rng.uniform(0.01, 0.05) * 0.8 * (x1 - x0) * (y1 - y0)  # a bottle fills 0.8 of its box
    long = np.sqrt(area * rng.uniform(0.5, 2) / np.pi)
    wide = area / np.pi / long
    x = rng.uniform(x0 + 0.25 * (x1 - x0), x1 - 0.25 * (x1 - x0))
    y = rng.uniform(y0 + 0.3 * (y1 - y0), y1 - 0.1 * (y1 - y0))
    turn = rng.uniform(0, np.pi)
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    u = (columns - x) * np.cos(turn) + (rows - y) * np.sin(turn)
    v = (rows - y) * np.cos(turn) - (columns - x) * np.sin(turn)
    cover = np.clip((1 - np.hypot(u / long, v / wide)) * min(long, wide) + 0.5, 0, 1)[..., None]
    sign = 1 if rng.random() < 0.5 else -1
    spoilt: ByteArray = np.clip(frame + sign * contrast * cover, 0, 255).astype(np.uint8)
    return spoilt


def _measured(detector: Detector, box: tuple[int, int, int, int], pixels: ByteArray) -> float:
    return _score(detector, Image.fromarray(np.ascontiguousarray(pixels[box[0] : box[1], box[2] : box[3]])))


def _score(detector: Detector, image: Image.Image) -> float:
    return top_mean(detector(image).map)


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def say(line: str) -> None:
    print(line, flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument(
        "--parts", nargs="+", choices=("ped2", "cuts", "conveyor"), default=["ped2", "cuts", "conveyor"]
    )
    parser.add_argument("--quick", action="store_true", help="few seeds, every fifth frame")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {
        "commit": commit(), "versions": versions(), "hardware": hardware(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    if "ped2" in options.parts:
        found["ped2"] = ped2(options.data_root)
    if "cuts" in options.parts:
        found["cuts"] = cuts(options.data_root)
    if "conveyor" in options.parts:
        found["conveyor"] = conveyor(options.data_root, options.quick)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    methods = found.get("ped2", {}).get("methods", {})
    below = methods and (methods["motion"]["auc"] < LEAST or methods["fused, normal"]["auc"] < methods["motion"]["auc"])
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
