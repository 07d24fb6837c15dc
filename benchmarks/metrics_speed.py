"""Measure zsad's metrics: time against the published form, scaling, memory, and other libraries.

    python benchmarks/metrics_speed.py [--quick] [--rivals] [--json benchmarks/results/metrics_speed.json]

The same procedural maps are measured throughout; scaling and memory figures come from processes of their own.
``--rivals`` makes a virtual environment (in a temporary folder, or ``--rivals-env DIR`` to keep it), installs anomalib
and torchmetrics there, and measures their speed and their error against brute force on the same maps.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.measure import label, regionprops

from benchmarks.metrics_maps import SIDE, Taken, maps, stack, timed
from benchmarks.metrics_rivals import rivals
from zsad.metrics import aupro, aupro_200step, pixel_metrics
from zsad.metrics.streaming import EXACT_PIXELS, PixelAccumulator, largest_bound, stream
from zsad.suites import record
from zsad.suites.speed import peak_memory_mb

DAGM_IMAGES = 8050
ROUNDS = 6
ROUND_IMAGES = 100
"""Images of one size in a round, in as many blocks as it takes; larger sizes are measured once."""
SCALING = """
Processor time of every pixel metric (scaling: the maps as one array, exact at any size; image_by_image: one map after
the other through the accumulator that evaluations use, exact up to EXACT_PIXELS and in bins past that) and, for
reference, of nothing but numpy's sort of as many float32 scores (freshly copied). All sizes are blocks of one stack of
maps, and other blocks each time, so that small blocks aren't found in the processor's cache where large ones can't be.
The process keeps the memory that it frees (glibc does so by itself only up to 32 MB), so that large sizes don't pay for
pages that small ones find ready; cpu_with_fresh_memory is the first round, which pays for them. A round takes all sizes
in turn and, of the small ones, the mean over several blocks; figures are medians over the rounds after the first,
relative_lowest and relative_highest their extremes. relative_to_n_log_n is (time / n log n) over the same of the
smallest size, n in pixels. exponents: slope of log time over log images, by least squares over all sizes.
"""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**62)}
"""Environment in which glibc gives nothing back to the system; other allocators don't know it."""


def published_with_relabelling(masks: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]) -> float:
    """Compute the published form as it is described: 200 thresholds, the masks labelled again for each of them."""
    lowest, highest = scores.min(), scores.max()
    normal = (1 - masks).astype(bool)
    pros, fprs = [], []
    for threshold in np.arange(lowest, highest, (highest - lowest) / 200):
        found = scores > threshold
        overlaps = [
            found[i][region.coords[:, 0], region.coords[:, 1]].sum() / region.area
            for i, mask in enumerate(masks)
            for region in regionprops(label(mask))
        ]
        pros.append(np.mean(overlaps))
        fprs.append((found & normal).sum() / normal.sum())
    fpr, pro = np.array(fprs), np.array(pros)
    kept = fpr < 0.3
    fpr, pro = fpr[kept], pro[kept]
    fpr = (fpr - fpr.min()) / (fpr.max() - fpr.min())
    return float(-np.trapezoid(pro, fpr))


def against_published(n: int) -> dict[str, Any]:
    """Time exact AUPRO and the 200-step form, and the published form with relabelling, on the same maps."""
    masks, scores = stack(n)
    slow: list[float] = []
    relabelling = timed(lambda: slow.append(published_with_relabelling(masks, scores)), 1)
    exact, steps = timed(lambda: aupro(masks, scores)), timed(lambda: aupro_200step(masks, scores))
    return {
        "images": n, "exact": asdict(exact), "own_200step": asdict(steps), "relabelling_200step": asdict(relabelling),
        "exact_times_faster": relabelling.cpu / exact.cpu,
        "exact_times_faster_by_the_clock": relabelling.wall / exact.wall,
        "difference_200step": abs(slow[0] - aupro_200step(masks, scores).value),
    }  # fmt: skip


def all_metrics(n: int) -> dict[str, Any]:
    """Time every pixel metric of ``n`` images at 518 px."""
    masks, scores = stack(n)
    return {"images": n, **asdict(timed(lambda: pixel_metrics(masks, scores)))}


def scaling(counts: list[int]) -> dict[str, Any]:
    """Time all pixel metrics, and a bare sort of the same scores, over the number of images; see ``SCALING``."""
    masks, scores = stack(max(counts))
    calls = {"metrics": all_at_once, "image_by_image": image_by_image, "bare_sort": bare_sort}
    taken: dict[str, dict[int, list[Taken]]] = {name: {n: [] for n in counts} for name in calls}
    for turn in range(ROUNDS):
        for n in counts:
            for i, (name, call) in enumerate(calls.items()):
                some = [call(masks[block], scores[block]) for block in _blocks(n, max(counts), turn, i / len(calls))]
                mean = (statistics.mean(one.wall for one in some), statistics.mean(one.cpu for one in some))
                taken[name][n].append(Taken(*mean))
    rows = {name: _against_n_log_n(some) for name, some in taken.items()}
    growth = {name: _exponent(rows[name]) for name in calls}
    law = _exponent([{"images": n, "cpu": n * math.log(n * SIDE * SIDE)} for n in counts])
    return {"what": " ".join(SCALING.split()), "rows": rows, "exponents": {"n_log_n": law} | growth}


def _blocks(n: int, images: int, turn: int, place: float) -> list[slice]:
    """Return blocks of ``n`` images that differ from round to round, and from ``place`` to ``place`` of the stack."""
    each, there = max(1, ROUND_IMAGES // n), images // n
    firsts = [n * ((int(place * there) + turn * each + k) % there) for k in range(each)]
    return [slice(first, first + n) for first in firsts]


def all_at_once(masks: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]) -> Taken:
    """Time every pixel metric of stacked maps."""
    return timed(lambda: pixel_metrics(masks, scores), 1)


def image_by_image(masks: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]) -> Taken:
    """Time every pixel metric of maps that arrive one by one, as in an evaluation; in bins past its size."""

    def call() -> None:
        accumulator = PixelAccumulator()
        for mask, values in zip(masks, scores, strict=True):
            accumulator.add(mask, values)
        accumulator.metrics()

    return timed(call, 1)


def bare_sort(_: npt.NDArray[np.uint8], scores: npt.NDArray[np.float32]) -> Taken:
    """Time numpy's sort of a fresh copy of all scores; the copy isn't timed."""
    copied = scores.ravel().copy()
    return timed(copied.sort, 1)


def _against_n_log_n(taken: dict[int, list[Taken]]) -> list[dict[str, Any]]:
    """Return a row per number of images; time over n log n is relative to the first row's."""
    rows, smallest = [], math.nan
    for n, (first, *rounds) in taken.items():
        law = n * math.log(n * SIDE * SIDE)
        cpu = statistics.median(one.cpu for one in rounds)
        smallest = cpu / law if math.isnan(smallest) else smallest
        relative = [one.cpu / law / smallest for one in rounds]
        rows.append({
            "images": n, "wall": statistics.median(one.wall for one in rounds), "cpu": cpu,
            "per_image_ms": 1000 * cpu / n, "relative_to_n_log_n": cpu / law / smallest,
            "relative_lowest": min(relative), "relative_highest": max(relative), "cpu_with_fresh_memory": first.cpu,
        })  # fmt: skip
    return rows


def _exponent(rows: list[dict[str, Any]]) -> float:
    """Slope of the straight line through log time over log images, by least squares over all sizes."""
    images, cpu = np.log([row["images"] for row in rows]), np.log([row["cpu"] for row in rows])
    return float(np.polyfit(images, cpu, 1)[0])


def streamed(n: int) -> dict[str, Any]:
    """Measure ``n`` images in this process, from a generator, and say how much memory it took."""
    for _ in maps(8):  # warm-up of the generator
        pass
    base = peak_memory_mb()
    start = time.process_time()
    for _ in maps(64):
        pass
    making = (time.process_time() - start) / 64 * n
    start, cpu = time.perf_counter(), time.process_time()
    passes = 0

    def source() -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]:
        nonlocal passes
        passes += 1
        return maps(n)

    found = stream(source)
    taken = Taken(time.perf_counter() - start, time.process_time() - cpu)
    return {
        "images": n, "passes": passes, **asdict(taken), "of_which_making_maps_cpu": making * passes,
        "peak_rss_mb": peak_memory_mb(), "rss_before_mb": base,
        "exact_pixels": EXACT_PIXELS, "largest_bound": largest_bound(found),
        "metrics": {name: metric.value for name, metric in found.items()},
        "bounds": {name: metric.bound for name, metric in found.items()},
    }  # fmt: skip


def own_process(arguments: list[str], **environment: str) -> dict[str, Any]:
    """Run this script in a process of its own and read its JSON."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images; figures are not comparable")
    parser.add_argument("--rivals", action="store_true", help="also measure anomalib and torchmetrics")
    parser.add_argument("--rivals-env", type=Path, help="their environment, made if absent")
    parser.add_argument("--json", type=Path, help="where figures are written")
    parser.add_argument("--streamed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--scaled", type=int, nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.streamed:
        print(json.dumps(streamed(options.streamed)))
        return
    if options.scaled:
        print(json.dumps(scaling(options.scaled)))
        return
    quick = options.quick
    figures: dict[str, Any] = {"against_published": against_published(3 if quick else 20)}
    print("exact AUPRO, times faster than 200 thresholds with relabelling:",
          f"{figures['against_published']['exact_times_faster']:.0f}", flush=True)  # fmt: skip
    figures["all_pixel_metrics"] = all_metrics(12 if quick else 120)
    print("all pixel metrics of {images} images: {wall:.2f} s".format(**figures["all_pixel_metrics"]), flush=True)
    counts = [4, 8, 16] if quick else [10, 30, 100, 300, 1000]
    grown = own_process(["--scaled", *map(str, counts)], **KEEP_MEMORY)
    figures |= {"scaling": grown["rows"].pop("metrics"), "scaling_others": grown["rows"]}
    figures |= {"scaling_exponents": grown["exponents"], "scaling_what": grown["what"]}
    for name, rows in {"all pixel metrics": figures["scaling"], **figures["scaling_others"]}.items():
        for row in rows:
            line = "{images:5.0f} images {cpu:7.2f} s of processor time, over n log n: {relative_to_n_log_n:.2f}"
            print(f"  {name:18}" + line.format(**row), flush=True)
    print("  exponents:", {name: round(value, 3) for name, value in grown["exponents"].items()}, flush=True)
    figures["streaming"] = own_process(["--streamed", str(600 if quick else DAGM_IMAGES)])
    print("streaming {images} images: {wall:.0f} s, peak {peak_rss_mb:.0f} MB, bound {largest_bound:.1e}".format(
        **figures["streaming"]), flush=True)  # fmt: skip
    if options.rivals or options.rivals_env:
        with tempfile.TemporaryDirectory() as place:
            figures["rivals"] = rivals(options.rivals_env or Path(place) / "env", 4 if quick else 20)
        for name, row in figures["rivals"]["rows"].items():
            print(f"  {name}: {row}")
    figures |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
