"""``zsad detect`` over one folder of very many files: time per file, memory, and ``--resume`` after a stop half way.

The files are links to a few tiny PNGs and the detector is a stub, so that what is left is the loop, the pictures,
the rows and the report. ``python benchmarks/many_files.py`` writes ``benchmarks/results/many_files.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

import zsad
from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.stream import read_rows
from zsad.types import FloatArray

HERE = Path(__file__).parent
CARD = ModelCard.of(
    name="stub", backbone="none", image_size=32, patch_size=8, embed_dim=4, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0),
    layers=(1,), sigma=0.0, score_rule="map_top1", description="No network: a stand-in for measuring.",
)  # fmt: skip
PARTS = 10
"""Figures are taken at each tenth of a run."""


class Stub(Detector):
    """The brightness as map, and scores of which no two are equal.

    Args:
        stop: press Ctrl-C after so many images.
    """

    def __init__(self, card: ModelCard = CARD, stop: int | None = None, **options: Any) -> None:
        super().__init__(card, **options)
        self._count = [0]  # shared by copies
        self._stop = stop

    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        first, self._count[0] = self._count[0], self._count[0] + len(x)
        if self._stop is not None and self._count[0] >= self._stop:
            signal.raise_signal(signal.SIGINT)
        scores = np.arange(first, self._count[0]) * 0.6180339887 % 1
        return np.clip(x[:, 0], 0, 1), scores.astype(np.float32)


def make_folder(folder: Path, count: int) -> None:
    """Write ``count`` files, 500 links to each picture: a file system allows 65,000 at most."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    first = folder
    for i in range(count):
        path = folder / f"part_{i:06d}.png"
        if i % 500 == 0:
            first = path
            Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(path)
        else:
            path.hardlink_to(first)


@dataclass
class Watched:
    """What was seen of one run from outside.

    Attributes:
        code: exit status.
        seconds: by the clock.
        processor_seconds: of all its threads.
        peak_mb: the most memory it was seen to hold.
        marks: at each tenth of the files, rows written, processor seconds and resident memory in MB.
        output: standard output and error together.
    """

    code: int = 0
    seconds: float = 0.0
    processor_seconds: float = 0.0
    peak_mb: float = 0.0
    marks: list[list[float]] = field(default_factory=list)
    output: str = ""


def watch(folder: Path, out: Path, total: int, *options: str, stop: int = 0) -> Watched:
    """Run ``zsad detect`` with the stub in a process of its own; Ctrl-C after ``stop`` images."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(stop)]
    command += ["detect", str(folder), "--out", str(out)]
    seen, step = Watched(), max(1, total // PARTS)
    rows, done, size = out / "results.jsonl", 0, 0
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen([*command, *options], stdout=output, stderr=output) as process,
    ):
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            time.sleep(0.02)
            if rows.is_file():
                if rows.stat().st_size < size:  # a new run begins the file anew
                    done = size = 0
                with rows.open("rb") as file:
                    file.seek(size)
                    new = file.read()
                done, size = done + new.count(b"\n"), size + len(new)
            try:
                used, memory = sum(watched.cpu_times()[:2]), watched.memory_info().rss / 1e6
            except psutil.Error:
                break
            seen.processor_seconds, seen.peak_mb = used, max(seen.peak_mb, round(memory, 1))
            if done >= (seen.marks[-1][0] if seen.marks else 0) + step:
                seen.marks.append([done, round(used, 2), round(memory, 1)])
        seen.code = process.wait()
        seen.seconds = time.perf_counter() - start
        output.seek(0)
        seen.output = output.read().decode(errors="replace")
    return seen


def page_facts(path: Path) -> dict[str, Any]:
    """Return size, rows, cards and state of a report."""
    page = path.read_bytes()
    blocks = {
        name: page.partition(f'id="{name}-data">'.encode())[2].partition(b"</script>")[0].split(b"\n")
        for name in ("row", "card", "state")
    }
    if not page.rstrip().endswith(b"</html>"):
        raise AssertionError("the page is not whole")
    rows, cards = ([json.loads(line) for line in blocks[name] if line] for name in ("row", "card"))
    state = json.loads(blocks["state"][0])["state"]
    return {"megabytes": round(len(page) / 1e6, 2), "rows": len(rows), "cards": len(cards), "state": state}


def describe(seen: Watched, files: int) -> dict[str, Any]:
    """Return the figures of one run."""
    return {
        "exit_code": seen.code,
        "seconds": round(seen.seconds, 1),
        "processor_seconds": round(seen.processor_seconds, 1),
        "processor_ms_per_file": round(1e3 * seen.processor_seconds / max(1, files), 3),
        "peak_mb": seen.peak_mb,
        "rows_seconds_mb": seen.marks,
    }


def measure(place: Path, count: int) -> dict[str, Any]:
    """Run to the half, stop, go on, run again over everything that is done; checks each result."""
    folder, out = place / "in", place / "out"
    make_folder(folder, count)
    first = watch(folder, out, count, stop=count // 2)
    done = len({row.file for row in read_rows(out / "results.jsonl")})
    stopped = page_facts(out / "report.html")
    second = watch(folder, out, count, "--resume")
    finished = page_facts(out / "report.html")
    nothing = watch(folder, out, count, "--resume")
    rows = [row.file for row in read_rows(out / "results.jsonl")]
    checks = {
        "stopped by Ctrl-C": first.code == 130 and 0 < done < count and "--resume goes on" in first.output,
        "page of the stopped run": stopped["state"] == "stopped" and stopped["rows"] == done,
        "resumed": second.code == 0 and f"{done:,} done before" in second.output,
        "each file once": len(rows) == len(set(rows)) == count,
        "page": finished["state"] == "finished" and finished["rows"] == count,
        "cards": stopped["cards"] == min(done, 250) and finished["cards"] == min(count, 250),
        "nothing left to do": nothing.code == 0 and f"{count:,} done before" in nothing.output,
    }
    return {
        "files": count,
        "until_stopped": describe(first, done),
        "resumed": describe(second, count),
        "resumed_with_nothing_left": describe(nothing, count),
        "report_stopped": stopped,
        "report": finished,
        "rows_megabytes": round((out / "results.jsonl").stat().st_size / 1e6, 2),
        "failed_checks": [name for name, good in checks.items() if not good],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "many_files.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        record = measure(Path(place), args.files)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    record["run"] = {
        "commit": commit.stdout.strip(),
        "zsad": zsad.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))
    return 1 if record["failed_checks"] else 0


def child() -> None:
    """Be ``zsad`` with the stub in the place of every model."""
    from zsad.cli import main as command_line

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    stop = int(sys.argv[2]) or None
    zsad.load = lambda *_, **__: Stub(stop=stop)  # type: ignore[assignment]
    sys.argv[1:3] = []
    command_line()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child()
    else:
        sys.exit(main())
