"""What a station costs beside the bare loop: rate, latency, memory, and /predict beside the bare detector.

    python benchmarks/line_speed.py [--parts 400] [--many 100000] [--predictions 60] [--rounds 3] [--only PART ...]
        [--json FILE]

``rate``: drawn parts of 512 x 512 px through the bundled model, as `zsad.stream.inspect` does them, and as a station
does from file to committed verdict (archive off), in turns within one run. ``latency``: parts that arrive at half that
rate, from the moment the station sees them to the commit. ``memory``: parts of a detector without a network through a
station whose folder is emptied as it goes, resident memory after a tenth and at the end. ``predict``: one image over
HTTP and by the detector itself, in turns. Exit code 1 if a limit of the plan is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.line.opening import opened
from zsad.line.settings import read_line
from zsad.stream import find_images, inspect
from zsad.suites import record
from zsad.synthetic import TEXTURES

HERE = Path(__file__).parent
LIMITS = {"rate": 0.8, "latency": 3.0, "memory": 0.1, "predict": 1.25}
"""Share of the bare loop's rate at least; p99 over p50, growth of memory and `/predict` over bare at most."""


def drawn(folder: Path, count: int, side: int = 512) -> Path:
    """Write parts of one of the project's textures, each with other noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    planar = TEXTURES[sorted(TEXTURES)[0]](rng, side, side)
    base = (np.clip(planar.transpose(1, 2, 0), 0, 1) * 255).astype(np.int16)
    for n in range(count):
        pixels = np.clip(base + rng.integers(-6, 7, base.shape, dtype=np.int16), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{n:05d}.jpg", quality=92)
    return folder


def written(place: Path, parts: str = "parts", more: str = "") -> Path:
    """Write the configuration of a station."""
    path = place / "line.yaml"
    path.write_text(f"source: {{kind: folder, path: {parts}, settle_ms: 0, poll_ms: 5{more}}}\nthresholds: t.json\n")
    (place / "t.json").write_text('{"image": 0.6, "pixel": 0.7, "min_area": 0.0005}\n')
    return path


def rate(detector: Detector, parts: Path, place: Path, rounds: int) -> dict[str, Any]:
    """Measure the bare loop and the station in turns."""
    bare, station = [], []
    count = len(list(parts.iterdir()))
    for turn in range(rounds):
        start = time.perf_counter()
        for outcome in inspect(detector, find_images([parts])):
            assert outcome.value is not None and outcome.value.regions is not None
        bare.append(count / (time.perf_counter() - start))
        at = place / f"rate{turn}"
        at.mkdir()
        with opened(read_line(written(at, str(parts))), once=True, detector=detector) as running:
            start = time.perf_counter()
            running.run(threading.Event())
            station.append(count / (time.perf_counter() - start))
    return {"bare_parts_a_second": bare, "station_parts_a_second": station,
            "share": statistics.median(station) / statistics.median(bare)}  # fmt: skip


def latency(detector: Detector, parts: Path, place: Path, a_second: float) -> dict[str, Any]:
    """Let parts arrive at a steady rate, and return what the station says of its latency."""
    place.mkdir()
    (place / "parts").mkdir()
    files, stop = sorted(parts.iterdir())[:200], threading.Event()
    with opened(read_line(written(place)), detector=detector) as running:

        def arrive() -> None:
            time.sleep(1.0)
            for file in files:
                hidden = place / "parts" / f".{file.name}.part"
                hidden.write_bytes(file.read_bytes())
                hidden.rename(place / "parts" / file.name)
                time.sleep(1 / a_second)
            end = time.monotonic() + 60
            while running.health.total < len(files) and time.monotonic() < end:
                time.sleep(0.05)
            stop.set()

        threading.Thread(target=arrive, daemon=True).start()
        running.run(stop)
        found = running.health.latency()
        ms = [record.ms for record in running.database.last(len(files))]
    stages = {name: round(statistics.median(one[name] for one in ms), 2) for name in ("wait", "read", "score", "total")}
    return {"parts": len(ms), "parts_a_second": a_second, **found, "stages_p50_ms": stages,
            "tail": found["p99"] / found["p50"]}  # fmt: skip


def memory(count: int, place: Path) -> dict[str, Any]:
    """Send many small parts through a station that deletes them, and look at resident memory."""
    from benchmarks.line_kills import Quick

    place.mkdir()
    (place / "parts").mkdir()
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(buffer, "BMP")
    data, stop, process = buffer.getvalue(), threading.Event(), psutil.Process()
    sizes: list[tuple[int, int]] = []
    with opened(read_line(written(place, more=", after: delete")), detector=Quick()) as running:

        def arrive() -> None:
            for n in range(count):
                while n - running.health.total > 500:
                    time.sleep(0.01)
                hidden = place / "parts" / f".{n:06d}.part"
                hidden.write_bytes(data)
                hidden.rename(place / "parts" / f"{n:06d}.bmp")
                if n % max(1, count // 20) == 0:
                    sizes.append((n, process.memory_info().rss))
            end = time.monotonic() + 120
            while running.health.total < count and time.monotonic() < end:
                time.sleep(0.1)
            sizes.append((count, process.memory_info().rss))
            stop.set()

        threading.Thread(target=arrive, daemon=True).start()
        start = time.monotonic()
        running.run(stop)
        done = running.health.total
    early = next(size for n, size in sizes if n >= count // 10)
    return {"parts": done, "seconds": round(time.monotonic() - start, 1), "mb_after_a_tenth": early / 1e6,
            "mb_at_the_end": sizes[-1][1] / 1e6, "growth": sizes[-1][1] / early - 1,
            "most_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}  # fmt: skip


def predict(detector: Detector, parts: Path, place: Path, calls: int) -> dict[str, Any]:
    """Ask for the same images over HTTP and of the detector itself, in turns."""
    from zsad.line.api.limits import Access
    from zsad.line.api.recent import Recent
    from zsad.line.api.server import served

    place.mkdir()
    (place / "parts").mkdir()
    stop, recent = threading.Event(), Recent()
    files = [file.read_bytes() for file in sorted(parts.iterdir())[:calls]]
    bare, asked = [], []
    with (
        opened(read_line(written(place)), detector=detector, more=(recent,)) as running,
        served(running, recent, Access(port=0)) as address,
    ):
        thread = threading.Thread(target=running.run, args=(stop,))
        thread.start()
        time.sleep(1.0)
        client = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        for data in files:
            start = time.perf_counter()
            result = detector.with_thresholds(running.judge.thresholds)(data)
            assert result.regions is not None
            bare.append(time.perf_counter() - start)
            start = time.perf_counter()
            client.request("POST", "/predict", data)
            answer = json.load(client.getresponse())
            assert "score" in answer, answer
            asked.append(time.perf_counter() - start)
        stop.set()
        thread.join()
    ms = {name: 1e3 * statistics.median(values) for name, values in (("bare_ms", bare), ("predict_ms", asked))}
    return {"calls": len(files), **ms, "share": ms["predict_ms"] / ms["bare_ms"]}


def failures(found: dict[str, Any]) -> list[str]:
    """Name the limits that are missed, of what was measured."""
    values = {"rate": "share", "latency": "tail", "memory": "growth", "predict": "share"}
    missed = []
    for part, name in values.items():
        if part in found:
            value = found[part][name]
            good = value >= LIMITS[part] if part == "rate" else value <= LIMITS[part]
            missed += [] if good else [f"{part}: {name} {value:.3f}"]
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=400)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--predictions", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(LIMITS), default=list(LIMITS), metavar="PART")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "line_speed.json")
    options = parser.parse_args(arguments)
    detector = zsad.load()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts = drawn(place / "drawn", options.parts)
        if "rate" in options.only or "latency" in options.only:  # parts arrive at half the rate of the bare loop
            found["rate"] = rate(detector, parts, place, options.rounds)
        if "latency" in options.only:
            pace = statistics.median(found["rate"]["bare_parts_a_second"]) / 2
            found["latency"] = latency(detector, parts, place / "latency", pace)
        if "predict" in options.only:
            found["predict"] = predict(detector, parts, place / "predict", options.predictions)
        if "memory" in options.only:
            found["memory"] = memory(options.many, place / "memory")
    facts = {
        "question": "what does a station cost beside the bare loop?", **found,
        "limits": LIMITS, "missed": failures(found),
        "commit": record.commit(), "versions": record.versions(), "machine": record.hardware(),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if facts["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
