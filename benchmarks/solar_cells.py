"""The README's section "You have good parts", run as it stands on the real solar cells of the package elpv-dataset.

    python benchmarks/solar_cells.py --json benchmarks/results/solar_cells.json [--folder DIR]

Takes the commands and the script out of README.md (all but ``pip install``), runs them one after another in an empty
folder, and writes the time of each, what it said, how many good cells were rejected, and how many certain defects were
found. ``tests/test_good_parts_readme.py`` runs the same on drawn images.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zsad.stream import read_rows
from zsad.suites import record

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "cells.py"
Run = Callable[[list[str], Path], str]
"""``(words of a command, folder)`` -> what it said; raises where it fails."""


def section() -> str:
    """Return the README's walk through the solar cells."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text[text.index("## You have good parts") : text.index("<!-- table:solar_cells -->")]


def commands() -> list[list[str]]:
    """Return the commands of the section, without comments and installation."""
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", section(), re.DOTALL))
    words = [shlex.split(line, comments=True) for line in blocks.splitlines()]
    return [line for line in words if line and line[0] != "pip"]


def script() -> str:
    """Return the script that sorts the cells into folders."""
    (found,) = re.findall(r"```python\n(.*?)```", section(), re.DOTALL)
    return str(found)


def walk(folder: Path, run: Run) -> Iterator[dict[str, Any]]:
    """Run the section in a folder: yields each command with its seconds and what it said."""
    (folder / SCRIPT).write_text(script(), encoding="utf-8")
    for words in commands():
        start = time.perf_counter()
        said = run(words, folder)
        yield {"command": shlex.join(words), "seconds": round(time.perf_counter() - start, 1), "said": said}


def by_shell(words: list[str], folder: Path) -> str:
    """Run a command in a process of its own, by this interpreter."""
    program = [sys.executable, "-m", "zsad", *words[1:]] if words[0] == "zsad" else [sys.executable, *words[1:]]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()[-2000:]


def judged(folder: Path) -> dict[str, Any]:
    """Count verdicts of the good and of the certainly defective cells."""
    found: dict[str, Any] = {}
    rows = list(read_rows(folder / "judged" / "results.jsonl"))
    for kind in ("good", "bad"):
        mine = [row for row in rows if Path(row.file).parent.name == kind]
        found[kind] = {"cells": len(mine), "rejected": sum(row.verdict == "anomalous" for row in mine)}
    return found


def main() -> None:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="an empty folder, which is kept; a temporary one by default")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        steps = []
        for step in walk(folder, by_shell):
            print(f"{step['seconds']:7.1f} s  {step['command']}\n{step['said']}", flush=True)
            steps.append(step)
        report = {
            "benchmark": "solar_cells", "steps": steps, "judged": judged(folder),
            "thresholds": json.loads((folder / "cells.json").read_text(encoding="utf-8"))["n"],
            "commit": record.commit(), "versions": record.versions(), "machine": record.hardware(),
        }  # fmt: skip
    print(json.dumps(report["judged"], indent=1))
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
