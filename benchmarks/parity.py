"""Compare this project with fixtures of the published method, quantity by quantity.

    python benchmarks/parity.py FIXTURE_DIR [--json FILE] [--quiet]

Prints one line per quantity with its largest error and its tolerance, then a verdict; exits with 1 if
anything is above its tolerance, with 2 if there is nothing to compare.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.parity_checks import Check, Fixture, Skip, shared_checks
from benchmarks.parity_model import model_checks

PACKAGES = ("torch", "torchvision", "open_clip_torch", "timm", "numpy", "pillow", "scikit-image", "safetensors")


def run(folder: Path) -> list[Check | Skip]:
    """Compare everything in a folder: the shared files, and each set with a ``X_config.json``."""
    found: list[Check | Skip] = list(shared_checks(folder))
    for config in sorted(folder.glob("*_config.json")):
        found += model_checks(Fixture(folder, config.name.removesuffix("_config.json")))
    return found


def line(item: Check | Skip) -> str:
    """Return the line that is printed for one result."""
    if isinstance(item, Skip):
        return f"skip  {item.where:<10} {item.file} is not in this folder"
    state = "ok  " if item.passed else "FAIL"
    note = f"  {item.note}" if item.note else ""
    return f"{state}  {item.where:<10} {item.quantity:<56} {item.error:9.2e}  tolerance {item.tolerance:.0e}{note}"


def verdict(checks: list[Check], skips: list[Skip]) -> str:
    """Return the last line."""
    failed = sum(not check.passed for check in checks)
    state = (
        f"FAIL: {failed} of {len(checks)} quantities above tolerance" if failed else f"PASS: {len(checks)} quantities"
    )
    return f"parity {state}" + (f", {len(skips)} files skipped" if skips else "")


def report(checks: list[Check], skips: list[Skip], folder: Path) -> dict[str, Any]:
    """Return the results as JSON, with what they were made by."""
    return {
        "fixtures": folder.name,
        "passed": all(check.passed for check in checks),
        "quantities": [
            {
                "where": c.where,
                "quantity": c.quantity,
                "largest_error": c.error if c.error < float("inf") else None,
                "tolerance": c.tolerance,
                "passed": c.passed,
            }
            for c in checks
        ],
        "skipped": [s.file for s in skips],
        "run": {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "commit": _commit(),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "cpu": _cpu(),
            "threads": torch.get_num_threads(),
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    about = "Compare this project with fixtures of the published method."
    return compare(arguments, about, run, "parity", "X_config.json or shared .npz files")


def compare(
    arguments: list[str] | None, about: str, run: Callable[[Path], list[Check | Skip]], benchmark: str, wants: str
) -> int:
    """Compare what a folder holds, print a line for each quantity and the verdict, and return the exit code.

    Args:
        arguments: of the command line; None takes the program's.
        about: what the command does, for its help.
        run: compares all that a folder holds.
        benchmark: name of it in the file of results.
        wants: what a folder of fixtures has, for whoever gave another.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("folder", type=Path, help="folder with fixtures")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the results there")
    parser.add_argument("--quiet", action="store_true", help="print only what fails, what is skipped, and the verdict")
    options = parser.parse_args(arguments)
    found = run(options.folder) if options.folder.is_dir() else []
    checks = [item for item in found if isinstance(item, Check)]
    skips = [item for item in found if isinstance(item, Skip)]
    if not checks:
        print(f"{options.folder}: no fixtures there; give a folder with {wants}")
        return 2
    for item in found:
        if not options.quiet or isinstance(item, Skip) or not item.passed:
            print(line(item))
    print(verdict(checks, skips))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report(checks, skips, options.folder) | {"benchmark": benchmark}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(check.passed for check in checks) else 1


def _commit() -> str:
    here = Path(__file__).resolve().parent
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True)
        return head.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for row in info.read_text(encoding="utf-8").splitlines():
            if row.startswith("model name"):
                return row.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
