"""``zsad video score --method ask`` killed (SIGKILL) at random moments: no answer that came is paid for twice.

    python benchmarks/language_kills.py [--kills 100] [--windows 2600] [--json FILE]

A question is sent only once the one before it, of the same thread, has its answer on the disk. So of all that was sent
before a kill only the last ones, as many as are under way at once, may be sent again; any other was lost. At the end a
run is left to finish, another one into the same folder must send nothing and leave ``scores.json`` as it is. Exit
code 1 if an answer was lost, or the last run sent one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.servers.scripted import ScriptedServer
from zsad.suites import record

HERE = Path(__file__).resolve().parent
AT_ONCE = 8
"""Questions that ``zsad video score`` has under way at once."""
LONG_AGO = 5.0
"""Seconds in which an answer is on the disk, on a machine however busy."""


def video(folder: Path, frames: int) -> Path:
    """Write a folder of small frames of noise, all different."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(frames):
        Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).save(folder / f"{i:05d}.png")
    return folder


def start(source: Path, out: Path, url: str, home: Path, number: int) -> subprocess.Popen[bytes]:
    """Start a scoring run, one window per frame; its key names it to the server."""
    command = [sys.executable, "-m", "zsad", "video", "score", str(source), "--out", str(out), "--method", "ask",
               "--endpoint", url, "--stride", "1", "--folder-fps", "1", "--no-video"]  # fmt: skip
    environment = os.environ | {"ZSAD_HOME": str(home), "ZSAD_API_KEY": f"run-{number}"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def repeated(log: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many questions were sent again that may have been under way at a kill, and how many that were not.

    Of a run, at most :data:`AT_ONCE` questions can have been under way when it was killed, and none whose answer had
    gone out :data:`LONG_AGO` before the run's last question came.

    Args:
        log: the server's requests in the order of their arrival; each says by which run's key it was sent.
    """
    flying = lost = 0
    latest: dict[str, int] = {}
    for place, row in enumerate(log):
        latest[row["sha"]] = place
    for run in dict.fromkeys(row["key"] for row in log):
        mine = [(place, row) for place, row in enumerate(log) if row["key"] == run]
        again = [row for place, row in mine if latest[row["sha"]] > place]
        end = mine[-1][1]["in"]
        old = [row for row in again if row["out"] is not None and row["out"] < end - LONG_AGO]
        surely = max(len(old), len(again) - AT_ONCE)
        flying, lost = flying + len(again) - surely, lost + surely
    return flying, lost


def measure(kills: int, windows: int, seed: int = 0) -> dict[str, Any]:
    """Kill runs, finish one, repeat it; return what was found."""
    rule = {"reply": {"hash_choice": ["[0.1]", "[0.4]", "[0.9]"]}, "behaviour": {"delay_by_hash": [0.02, 0.12]}}
    killed = number = 0
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, ScriptedServer({"rules": [rule]}) as server:
        place = Path(name)
        source, out, home = video(place / "noise", windows), place / "out", place / "home"
        while killed < kills:
            before = len(server.log)
            number += 1
            run = start(source, out, server.url, home, number)
            begin = time.time()
            while len(server.log) == before and run.poll() is None and time.time() - begin < 60:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.6))
            if run.poll() is None:
                run.send_signal(signal.SIGKILL)
                killed += 1
            run.wait()
            if run.returncode == 0:
                break  # all is answered: further kills would find nothing to lose
        finished = start(source, out, server.url, home, number + 1)
        code = finished.wait()
        sent = len(server.log)
        first = scores(out)
        again = start(source, out, server.url, home, number + 2)
        again_code = again.wait()
        second = scores(out)
        log = list(server.log)
    flying, lost = repeated(log)
    return {
        "kills": killed, "windows": windows, "requests": sent, "distinct": len({row["sha"] for row in log}),
        "under_way_at_a_kill": flying, "lost": lost, "sent_by_the_second_run": len(log) - sent,
        "same_scores": first == second, "exit_codes": [code, again_code],
    }  # fmt: skip


def scores(out: Path) -> bytes:
    """Return ``scores.json``."""
    return (out / "noise" / "scores.json").read_bytes()


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--windows", type=int, default=2600)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "language_kills.json")
    options = parser.parse_args(arguments)
    found = measure(options.kills, options.windows)
    good = (
        found["lost"] == found["sent_by_the_second_run"] == 0 and found["same_scores"] and found["exit_codes"] == [0, 0]
    )
    for key, value in found.items():
        print(f"{key:<24} {value}")
    data = {"benchmark": "language_kills", "passed": good, **found, "commit": record.commit(HERE),
            "versions": record.versions(), "hardware": record.hardware()}  # fmt: skip
    options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print("nothing lost" if good else "FAULT")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
