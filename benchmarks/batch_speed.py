"""How fast many images become Parquet: one worker and two, by processes of this machine and by Ray on it.

    python benchmarks/batch_speed.py [--images 5000] [--alone 2500] [--engines local ray] [--quick] [--json FILE]

Drawn parts of 512 x 512 px in tar shards go through the bundled model, as `zsad batch` does it: one worker over
`--alone` images, two over all. A rate counts from the first finished chunk on, so that starting processes, and Ray, is
told apart. `--quick` takes 96 images. Exit code 1 if two workers of an engine are less than 1.5 times as fast as one,
which a machine with two processors that does nothing else can tell; not with `--quick`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import zsad
from benchmarks.line_speed import drawn
from zsad.batch.inputs import listed
from zsad.batch.run import EngineName, Plan, Progress, run
from zsad.detector.onnx_detector import OnnxDetector
from zsad.suites import record

HERE = Path(__file__).parent
LEAST = 1.5
_DISTINCT, _SHARD = 200, 500


def shards(place: Path, count: int) -> list[str]:
    """Write tar shards with so many parts, of which each of a few hundred comes under many names."""
    files = sorted(drawn(place / "drawn", min(count, _DISTINCT)).iterdir())
    data = [file.read_bytes() for file in files]
    found = []
    for first in range(0, count, _SHARD):
        found.append(str(place / f"{first:06d}.tar"))
        with tarfile.open(found[-1], "w") as archive:
            for n in range(first, min(first + _SHARD, count)):
                entry = tarfile.TarInfo(f"{n:06d}.jpg")
                entry.size = len(data[n % len(data)])
                archive.addfile(entry, BytesIO(data[n % len(data)]))
    return found


def measure(
    detector: OnnxDetector, sources: list[str], count: int, out: Path, engine: EngineName, workers: int
) -> dict[str, Any]:
    """Run one batch; returns its figures."""
    seen: list[tuple[float, int]] = []

    def note(progress: Progress) -> None:
        seen.append((time.perf_counter(), progress.scored))

    start = time.perf_counter()
    inputs = listed(sources, say=print)[:count]
    done = run(detector, inputs, out, Plan(engine, workers), on_progress=note)
    seconds = time.perf_counter() - start
    assert done.scored == count and not done.failed, done
    (first, before), (last, after) = seen[0], seen[-1]
    steady = (after - before) / (last - first) if after > before else count / seconds
    return {"engine": engine, "workers": workers, "images": count, "seconds": seconds, "to_first_chunk": first - start,
            "images_a_second": steady}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--alone", type=int, default=2500, help="images for one worker")
    parser.add_argument("--engines", nargs="+", choices=("local", "ray"), default=["local", "ray"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "batch_speed.json")
    options = parser.parse_args(arguments)
    most = 96 if options.quick else options.images
    detector = zsad.load(threads=1)
    assert isinstance(detector, OnnxDetector)
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        sources = shards(place, most)
        for engine in options.engines:
            for workers in options.workers:
                count = most if workers > 1 else min(most, options.alone)
                out = place / f"{engine}{workers}"
                runs.append(measure(detector, sources, count, out, engine, workers))
                print(json.dumps(runs[-1]), flush=True)
    rates = {(one["engine"], one["workers"]): one["images_a_second"] for one in runs}
    gains = {engine: rates[engine, 2] / rates[engine, 1] for engine in options.engines if (engine, 2) in rates
             and (engine, 1) in rates}  # fmt: skip
    facts = {
        "question": "how fast do many images become Parquet, by processes and by Ray?", "quick": options.quick,
        "runs": runs, "two_workers_over_one": gains, "commit": record.commit(), "versions": record.versions(),
        "machine": record.hardware(),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if not options.quick and any(gain < LEAST for gain in gains.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
