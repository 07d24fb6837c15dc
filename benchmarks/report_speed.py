"""Speed of the folder loop, of writing pictures and of the report.

One process, the variants interleaved, medians over rounds; figures that matter are ratios within a round.
``python benchmarks/report_speed.py`` writes ``benchmarks/results/report_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
import onnxruntime
import PIL
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.detector.providers import default_threads
from zsad.report.exhibits import make_exhibit
from zsad.report.html import Entry, Report
from zsad.stream import Options, detect, find_images, inspect
from zsad.synthetic import scene_at

HERE = Path(__file__).parent


def measure(work: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds by the clock, and processor seconds of all threads, which other programs do not disturb."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def folder_figures(detector: Detector, folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Measure one folder of equal images; all times in seconds for ``count`` images."""
    sources = find_images([folder])[:count]
    paths = [item.id for item in sources]
    decoded = [detector.decode(path) for path in paths]

    def loop() -> None:
        for item in inspect(detector, sources):
            assert item.value is not None and item.value.mask is not None
            _ = item.value.regions

    def one_by_one() -> None:
        for path in paths:
            result = detector(path)
            assert result.mask is not None
            _ = result.regions

    def only_detector() -> None:
        for result in detector.batch(decoded):
            assert result.mask is not None
            _ = result.regions

    with tempfile.TemporaryDirectory() as out:
        variants: dict[str, Callable[[], Any]] = {
            "detector_decoded": only_detector,
            "detector_file": one_by_one,
            "loop": loop,
            "run_without_pictures": lambda: detect(detector, sources, Options()),
            "run_with_pictures": lambda: detect(detector, sources, Options(out=Path(out), report=False)),
        }
        for work in variants.values():
            work()
        wall: dict[str, list[float]] = {name: [] for name in variants}
        used: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(rounds):
            for name, work in variants.items():
                clock, processor = measure(work)
                wall[name].append(clock)
                used[name].append(processor)
    return {
        "images_per_second": {name: round(count / median(values), 1) for name, values in wall.items()},
        "processor_ms_per_image": {name: round(1e3 * median(values) / count, 2) for name, values in used.items()},
        "ratios": _ratios(wall),
        "ratios_of_processor_time": _ratios(used),
    }


def _ratios(times: dict[str, list[float]]) -> dict[str, float]:
    """Compare within each round, then take the median."""
    rounds = [dict(zip(times, values, strict=True)) for values in zip(*times.values(), strict=True)]
    pictures = [(t["run_with_pictures"] - t["run_without_pictures"]) / t["detector_decoded"] for t in rounds]
    return {
        "loop_to_detector_file": round(median(t["detector_file"] / t["loop"] for t in rounds), 3),
        "loop_to_detector_decoded": round(median(t["detector_decoded"] / t["loop"] for t in rounds), 3),
        "pictures_to_inference": round(median(pictures), 3),
    }


def report_figures(detector: Detector, image: Path, count: int, pace: float = 50.0) -> dict[str, Any]:
    """Measure a report of many images, exhibits included, without inference and without pictures on disk.

    The report's clock is the one of a run at ``pace`` images per second, so that the page is written as often as
    there. If scores always rise, each image is the highest so far and needs an exhibit.
    """
    decoded = detector.decode(image)
    result = detector(decoded)
    facts = {"title": "t", "model": "m", "prompt": "", "description": "", "image": 0.5, "pixel": 0.5, "min_area": 0.0,
             "rule": "either", "source": "", "judges": True, "outline": 0.5, "version": "0",
             "system": "", "started": ""}  # fmt: skip
    scores = [random.Random(i).random() for i in range(count)]
    figures: dict[str, Any] = {"images": count, "pixels": list(decoded.size), "images_per_second_simulated": pace}
    for order, listed in (("mixed", scores), ("rising_worst_case", sorted(scores))):
        exhibits = 0
        with tempfile.TemporaryDirectory() as folder, patch("zsad.report.html.time.monotonic") as clock:
            path = Path(folder) / "report.html"
            start, used = time.perf_counter(), time.process_time()
            clock.return_value = 0.0
            report = Report(path, facts, count)
            for i, score in enumerate(listed):
                clock.return_value = i / pace
                entry = Entry(f"part_{i:05d}.png", f"../in/part_{i:05d}.png", f"part_{i:05d}", score, score)
                exhibit = make_exhibit(decoded.image, result.map) if report.wants(entry.link, score) else None
                exhibits += exhibit is not None
                report.add(entry, exhibit)
            report.close()
            figures[order] = {
                "seconds": round(time.perf_counter() - start, 2),
                "processor_seconds": round(time.process_time() - used, 2),
                "cards_made": exhibits,
                "megabytes": round(path.stat().st_size / 1e6, 2),
            }
    return figures


def make_folder(folder: Path, side: int, name: str, count: int) -> Path:
    """Write one image and link it ``count`` times; returns the first."""
    folder.mkdir()
    first = folder / f"0000{Path(name).suffix}"
    Image.fromarray(scene_at(42, side, seed=2026, anomalous=True).image).save(first, quality=92)
    for i in range(1, count):
        (folder / f"{i:04d}{first.suffix}").hardlink_to(first)
    return first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="ONNX file; the bundled model by default")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--report-images", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "report_speed.json")
    args = parser.parse_args()
    detector = zsad.load(args.model)
    record: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for key, side, suffix in (("jpeg_512", 512, "x.jpg"), ("png_1024", 1024, "x.png")):
            first = make_folder(Path(place) / key, side, suffix, args.count)
            record[key] = folder_figures(detector, Path(place) / key, args.count, args.rounds)
            print(key, json.dumps(record[key], indent=1), flush=True)
            report = record["report" if key == "jpeg_512" else f"report_{key}"] = report_figures(
                detector, first, args.report_images
            )
            print("report", json.dumps(report, indent=1), flush=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    record["run"] = {
        "commit": commit.stdout.strip(),
        "model": detector.card.provenance.name,
        "count": args.count,
        "rounds": args.rounds,
        "zsad": zsad.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "onnxruntime": onnxruntime.__version__,
        "processors": default_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
