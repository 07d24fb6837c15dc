"""``zsad detect`` killed (SIGKILL) at random moments while its inputs are replaced, added and removed; then looked at.

Each run goes on with ``--resume``. After every kill the journal must have whole lines, each input once, and each score
must be that of the file as it was under the row's stamp, which a fresh detector tells. At the end, undisturbed, every
row must be about a file that is there as it is there, and no file may be half. ``python benchmarks/kills.py`` writes
``benchmarks/results/kills.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import zsad
from zsad.detector.base import Detector
from zsad.stream.item import stamp_of
from zsad.stream.sinks.rows import Row, from_line
from zsad.suites import record

HERE = Path(__file__).parent
SIDE, SCORE = 96, 2e-6
"""Side of an image, and how far two runs' scores of one image may differ: rows have six digits."""

_CHANGES = {"replaced": 0.4, "with old time": 0.2, "overwritten": 0.2, "removed": 0.1, "added": 0.1}
"""What happens to a file, and how often."""


def picture(version: int) -> Image.Image:
    """Draw one version of an input; all files have the same size in bytes."""
    rng = np.random.default_rng(version)
    pixels = rng.integers(90, 130, (SIDE, SIDE), dtype=np.uint8)
    x, y, side = rng.integers(0, SIDE - 30, 3)
    pixels[y : y + side // 3 + 4, x : x + side // 3 + 4] = rng.integers(0, 255)
    return Image.fromarray(pixels)


@dataclass
class World:
    """A folder whose files change, and which version of which file had which stamp.

    Attributes:
        folder: the inputs.
        rng: what happens next.
        versions: ``(path, stamp)`` -> version.
        done: how often each kind of change happened.
    """

    folder: Path
    rng: np.random.Generator
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    _next: int = 0

    def add(self) -> None:
        """Add a file, under a name that may have been there before."""
        self._renamed(self.folder / f"{int(self.rng.integers(0, 10_000)) % 997:03d}.bmp", "added")

    def change(self) -> None:
        """Replace, overwrite, remove or add a file."""
        files = sorted(self.folder.glob("*.bmp"))
        path = files[int(self.rng.integers(len(files)))]
        kind = self.rng.choice(list(_CHANGES), p=list(_CHANGES.values()))
        if kind == "removed" and len(files) > 10:
            path.unlink()
            self.done["removed"] += 1
        elif kind == "added":
            self.add()
        elif kind == "overwritten":
            self._overwritten(path)
        else:
            self._renamed(path, str(kind))

    def _renamed(self, path: Path, kind: str) -> None:
        part = path.with_suffix(".part")
        self._write(part)
        if kind == "with old time" and path.exists():
            stat = path.stat()
            os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        part.replace(path)
        self._note(path, kind)

    def _overwritten(self, path: Path) -> None:
        self._write(path, pause=0.005)
        self._note(path, "overwritten")

    def _write(self, path: Path, pause: float = 0.0) -> None:
        self._next += 1
        with path.open("wb") as file:
            data = _bmp(picture(self._next))
            file.write(data[: len(data) // 2])
            file.flush()
            time.sleep(pause)
            file.write(data[len(data) // 2 :])

    def _note(self, path: Path, kind: str) -> None:
        self.versions[str(path), stamp_of(path)] = self._next
        self.done[kind] += 1


def _bmp(image: Image.Image) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    image.save(buffer, "BMP")
    return buffer.getvalue()


@dataclass
class Findings:
    """What was seen; the first four must stay 0.

    Attributes:
        wrong: rows whose score is not that of the file under their stamp, by path and stamp.
        twice: inputs with two rows in one journal.
        torn: lines and files that are not whole.
        missing: inputs without a row, or rows without an input, at the end.
        kills: runs, by how far they were when they were killed; one that ended before was not.
        rows: different rows that were held against a fresh score.
        failed: rows that say that a file changed while it was read, or was damaged at that moment.
    """

    wrong: int = 0
    twice: int = 0
    torn: int = 0
    missing: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    failed: int = 0

    @property
    def faults(self) -> int:
        """How many faults there are."""
        return self.wrong + self.twice + self.torn + self.missing


def rows_of(path: Path, found: Findings) -> list[Row]:
    """Read a journal; lines that are not whole and inputs that come twice are faults."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    rows = [from_line(line) if line.endswith(b"\n") else None for line in lines]
    whole = [row for row in rows if row is not None]
    found.torn += len(rows) - len(whole)
    found.twice += len(whole) - len({row.file for row in whole})
    return whole


def command(world: Path, out: Path, model: str | None) -> list[str]:
    """Return the command that is killed."""
    chosen = ["--model", model] if model else []
    return [sys.executable, "-m", "zsad", "detect", str(world), *chosen, "--out", str(out), "--csv", f"{out}.csv",
            "--save-maps", "npy", "--resume"]  # fmt: skip


def killed(arguments: list[str], after: float, out: Path) -> str:
    """Start a run, kill it after so many seconds, and return how far it was."""
    rows = out / "results.jsonl"
    before = stamp_of(rows)
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
        return "ended before"
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return "at its start" if stamp_of(rows) == before else "at work"


def check_files(out: Path, found: Findings) -> None:
    """Look at every file of an output folder."""
    page = out / "report.html"
    found.torn += page.exists() and not page.read_bytes().rstrip().endswith(b"</html>")
    for path in (
        path for path in out.rglob("*") if path.is_file() and path.suffix in {".jpg", ".png", ".npy", ".part"}
    ):
        try:
            np.load(path) if path.suffix == ".npy" else Image.open(path).load()
        except Exception:
            found.torn += 1


def check_scores(world: World, seen: dict[tuple[str, str], float], detector: Detector, found: Findings) -> None:
    """Hold every row that was ever seen against a fresh score of the file under its stamp."""
    for (path, stamp), score in seen.items():
        version = world.versions.get((path, stamp))
        found.rows += 1
        found.wrong += version is None or abs(detector(picture(version)).score - score) > SCORE


def measure(kills: int, files: int, seed: int, model: str | None, place: Path) -> tuple[Findings, World]:
    """Do it; see the module's text."""
    (place / "in").mkdir()
    world, out, found = World(place / "in", np.random.default_rng(seed)), place / "out", Findings()
    for _ in range(files):
        world.add()
    arguments = command(world.folder, out, model)
    start = time.monotonic()
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    whole = time.monotonic() - start
    seen: dict[tuple[str, str], float] = {}
    moments, over = np.random.default_rng(seed + 1), threading.Event()

    def disturb() -> None:
        while not over.wait(0.1):
            world.change()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        while found.kills.total() - found.kills["ended before"] < kills:
            how = killed(arguments, float(moments.uniform(0, whole)), out)
            found.kills[how] += 1
            whole *= 0.8 if how == "ended before" else 1.02  # how long a run takes changes with what is left to do
            for row in rows_of(out / "results.jsonl", found):
                found.failed += bool(row.error)
                if not row.error:
                    seen[row.file, row.stamp] = row.score
    finally:
        over.set()
        disturber.join()
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    last = rows_of(out / "results.jsonl", found)
    seen |= {(row.file, row.stamp): row.score for row in last}
    there = {str(path): stamp_of(path) for path in world.folder.glob("*.bmp")}
    found.missing += len({(row.file, row.stamp) for row in last} ^ set(there.items()))
    found.missing += sum(not (out / path).is_file() for row in last for path in row.files.values())
    check_files(out, found)
    found.torn += len(Path(f"{out}.csv").read_text(encoding="utf-8").splitlines()) != 1 + len(there)
    check_scores(world, seen, zsad.load(model), found)
    return found, world


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="an .onnx file; by default the bundled model")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "kills.json")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found, world = measure(options.kills, options.files, options.seed, options.model, Path(folder))
    facts: dict[str, Any] = {
        "question": "does a killed and resumed run ever keep a wrong, lost, doubled or torn result?",
        "kills": options.kills, "killed": dict(found.kills), "files": options.files, "changes": dict(world.done),
        "rows_held_against_a_fresh_score": found.rows, "rows_of_failures_seen": found.failed,
        "faults": {"wrong": found.wrong, "twice": found.twice, "torn": found.torn, "missing": found.missing},
        "seconds": round(time.monotonic() - start, 1), "seed": options.seed, "commit": record.commit(),
        "versions": record.versions(), "machine": record.hardware(),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
