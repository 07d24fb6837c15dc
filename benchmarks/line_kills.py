"""A station killed (SIGKILL) at random moments under load; then everything it keeps is looked at.

    python benchmarks/line_kills.py [--kills 100] [--parts-a-second 40] [--json FILE]

Parts arrive in a folder all the while, written beside their place and renamed. The station, whose detector is a quick
one without a network, has a JSONL file, a CSV file, an archive and a webhook. It is started and killed over and over.
At the end it runs to the end undisturbed: each file must be exactly one row of SQLite, one line of JSONL and of CSV;
the webhook must have had each part, at least once; no archived image may be half, and the database must be sound.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.types import FloatArray, Thresholds

HERE = Path(__file__).parent
SECRET = "a secret of this benchmark"


class Quick(Detector):
    """Finds what is bright, in a moment: kills then fall between the steps that matter."""

    def __init__(self) -> None:
        super().__init__(ModelCard.of(name="quick", image_size=28, patch_size=14, layers=(1,)), Thresholds(image=0.8))

    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        red = np.clip(x[:, 0] * self.card.input.std[0] + self.card.input.mean[0], 0, 1).astype(np.float32)
        return red, red.max(axis=(1, 2))


class Receiver(ThreadingHTTPServer):
    """Counts the parts that are posted, by their ids."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: dict[str, int] = {}
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        data = self.rfile.read(length := int(self.headers["Content-Length"]))
        if len(data) < length:  # the station was killed while it sent it
            return
        body = json.loads(data)
        assert isinstance(self.server, Receiver)
        if self.headers["X-Zsad-Topic"] == "parts":
            self.server.got[body["id"]] = self.server.got.get(body["id"], 0) + 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


class Arrivals(threading.Thread):
    """Puts parts into a folder, renamed when they are whole, until it is told to stop."""

    def __init__(self, folder: Path, a_second: float) -> None:
        super().__init__(daemon=True)
        self.count, self.over = 0, threading.Event()
        self._folder, self._pause = folder, 1 / a_second

    def run(self) -> None:
        """Put one after the other."""
        rng = np.random.default_rng(0)
        while not self.over.wait(self._pause):
            buffer = BytesIO()
            Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(buffer, "PNG")
            hidden = self._folder / f".{self.count:06d}.part"
            hidden.write_bytes(buffer.getvalue())
            hidden.rename(self._folder / f"{self.count:06d}.png")
            self.count += 1


def station(folder: Path, once: bool) -> None:
    """Run the station of a folder in this process."""
    from zsad.line.opening import opened
    from zsad.line.settings import read_line

    with opened(read_line(folder / "line.yaml"), once=once, detector=Quick()) as running:
        running.run(threading.Event())


def count(database: Path) -> int:
    """Return how many parts a database has so far; 0 before it is made."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
            return int(db.execute("select count(*) from parts").fetchone()[0])
    except sqlite3.Error:
        return 0


def measure(kills: int, a_second: float, place: Path, seed: int = 0) -> dict[str, Any]:
    """Do it; see the module's text. Returns what was found."""
    (place / "parts").mkdir()
    receiver = Receiver()
    (place / "line.yaml").write_text(
        "source: {kind: folder, path: parts, settle_ms: 0, poll_ms: 5}\nsinks:\n"
        "  - {kind: jsonl, path: parts.jsonl}\n  - {kind: csv, path: parts.csv}\n"
        f"  - {{kind: archive, path: kept}}\n  - {{kind: webhook, url: 'http://127.0.0.1:{receiver.server_port}/'}}\n"
    )
    arrivals, rng = Arrivals(place / "parts", a_second), np.random.default_rng(seed)
    arrivals.start()
    environment = {**os.environ, "ZSAD_WEBHOOK_SECRET": SECRET, "PYTHONPATH": str(HERE.parent)}
    command = [sys.executable, str(HERE / "line_kills.py"), "--station", str(place)]
    database = place / "station.sqlite"
    at_work = 0
    for _ in range(kills):
        before, process = count(database), subprocess.Popen(command, env=environment)
        end = time.monotonic() + 30
        while count(database) == before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.3)))
        process.kill()
        process.wait()
        at_work += count(database) > before
    arrivals.over.set()
    arrivals.join()
    subprocess.run([*command, "--once"], env=environment, check=True)
    receiver.shutdown()
    return {"kills": kills, "killed_at_work": at_work, **looked_at(place, receiver.got)}


def looked_at(place: Path, posted: dict[str, int]) -> dict[str, Any]:
    """Count what is kept, and the faults: whatever is not as it must be."""
    files = sorted(path.name for path in (place / "parts").glob("*.png"))
    with sqlite3.connect(place / "station.sqlite") as db:
        rows, ids = db.execute("select count(*), count(distinct id) from parts").fetchone()
        sources = sorted(Path(source).name for (source,) in db.execute("select source from parts"))
        waiting = db.execute("select count(*) from outbox where topic = 'parts'").fetchone()[0]
        unjudged = db.execute("select count(*) from parts where verdict = 'unjudged'").fetchone()[0]
        sound = db.execute("pragma integrity_check").fetchone()[0]
        known = {part_id for (part_id,) in db.execute("select id from parts")}
    lines = [json.loads(line)["id"] for line in (place / "parts.jsonl").read_text().splitlines()]
    table = (place / "parts.csv").read_text().splitlines()[1:]
    torn = sum(not _whole(path) for path in (place / "kept").rglob("*") if path.is_file())
    faults = {
        "files_that_are_not_one_row": len(set(files) ^ set(sources)) + abs(rows - ids) + abs(rows - len(files)),
        "lines_of_jsonl": len(set(lines) ^ known) + len(lines) - len(set(lines)),
        "lines_of_csv": abs(len(table) - rows),
        "not_posted": len(known - set(posted)) + len(set(posted) - known),
        "still_in_the_outbox": waiting,
        "half_written_files": torn,
        "damaged_database": int(sound != "ok"),
        "unjudged": unjudged,
    }
    twice = sum(number - 1 for number in posted.values())
    return {"files": len(files), "rows": rows, "posted_again": twice, "faults": faults}


def _whole(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.load()
    except Exception:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--parts-a-second", type=float, default=40.0)
    parser.add_argument("--station", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "line_kills.json")
    options = parser.parse_args(arguments)
    if options.station is not None:
        station(options.station, options.once)
        return 0
    from zsad.suites import record  # the station itself does without

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.kills, options.parts_a_second, Path(folder))
    facts = {
        "question": "does a station that is killed over and over lose, double or tear a part?",
        **found, "seconds": round(time.monotonic() - start, 1), "commit": record.commit(),
        "versions": record.versions(), "machine": record.hardware(),
    }  # fmt: skip
    print(json.dumps(facts, indent=1))
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if any(found["faults"].values()) else 0


if __name__ == "__main__":
    sys.exit(main())
