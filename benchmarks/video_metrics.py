"""How long the figures of a test set of videos take: UCF-Crime's size, every frame scored.

    python benchmarks/video_metrics.py [--labels FOLDER] [--resamples N] [--json benchmarks/results/video_metrics.json]

With ``--labels`` the published labels of UCF-Crime (official) are measured, else drawn ones of the same number of
videos, frames and anomalous frames. Scores are drawn, all different, as float32. Timed are every frame metric with the
content-free baselines beside it (at most 2 s), and 1,000 resamples of the videos (at most 30 s). Exit code 1 if either
takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zsad.metrics.frames import Truth, VideoFrames, baselines, frame_metrics
from zsad.metrics.frames_bootstrap import bootstrap_frames
from zsad.suites import record
from zsad.suites.speed import peak_memory_mb
from zsad.video.labels import load_labels

VIDEOS, ABNORMAL, FRAMES, POSITIVES = 290, 140, 1_111_808, 84_182
LIMITS = {"metrics_with_baselines": 2.0, "resamples": 30.0}
REPEATS = 5


def drawn(rng: np.random.Generator) -> list[Truth]:
    """Draw labels: lengths as uneven as real ones, one span in each abnormal video."""
    shares = rng.lognormal(0, 1, VIDEOS)
    lengths = np.maximum(100, (shares / shares.sum() * FRAMES).astype(int))
    lengths[int(lengths.argmax())] += FRAMES - int(lengths.sum())
    part = POSITIVES / float(lengths[:ABNORMAL].sum())
    truths = [np.zeros(n, np.bool_) for n in lengths]
    for truth in truths[:ABNORMAL]:
        count = max(1, round(part * len(truth)))
        start = int(rng.integers(0, len(truth) - count + 1))
        truth[start : start + count] = True
    return truths


def seconds(call: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Time a call several times, by the clock and by the processor."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall": statistics.median(walls), "cpu": statistics.median(cpus), "wall_lowest": min(walls)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, help="folder of published labels")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    rng = np.random.default_rng(0)
    if options.labels:
        truths = [video.truth() for video in load_labels("ucf-crime@official", options.labels).videos]
    else:
        truths = drawn(rng)
    videos = [VideoFrames(t, (rng.normal(size=len(t)) + t).astype(np.float32)) for t in truths]
    exact = frame_metrics(videos)
    taken = {
        "frame_metrics": seconds(lambda: frame_metrics(videos), REPEATS),
        "metrics_with_baselines": seconds(lambda: (frame_metrics(videos), baselines(truths)), REPEATS),
        "resamples": seconds(lambda: bootstrap_frames(videos, exact, options.resamples), 1),
    }
    data: dict[str, Any] = {
        "benchmark": "video_metrics",
        "load_before": load,
        "machine": record.hardware(),
        "versions": record.versions(),
        "commit": record.commit(),
        "run": {"date": datetime.now(UTC).date().isoformat(), "labels": "published" if options.labels else "drawn"},
        "videos": len(videos),
        "frames": sum(len(truth) for truth in truths),
        "positives": int(sum(truth.sum() for truth in truths)),
        "resamples": options.resamples,
        "limits_s": LIMITS,
        "seconds": taken,
        "peak_memory_mb": peak_memory_mb(),
        "auc": exact["auc"].value,
        "auc_interval": bootstrap_frames(videos, exact, min(100, options.resamples))["auc"],
    }
    print(
        json.dumps({key: data[key] for key in ("videos", "frames", "positives", "seconds", "peak_memory_mb")}, indent=1)
    )
    if options.json:
        options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    slow = [name for name, limit in LIMITS.items() if taken[name]["wall"] > limit]
    print(
        "\n".join(f"{name}: {taken[name]['wall']:.1f} s, at most {LIMITS[name]:g}" for name in slow) or "both are kept"
    )
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
