"""Check and measure zsad on a GPU, in one go of at most 8 minutes.

    python benchmarks/gpu.py [--limit 480] [--only PART ...] [--device cuda] [--small] [--json FILE]

For somebody who is lent a GPU for a few minutes: run it once, commit ``benchmarks/results/gpu.json``. It needs the
torch extra (`pip install -e ".[torch]"`) and nothing else: no network, no weights but the bundled ones. Every part
runs in a process of its own with a time limit, tells its own failure, and the others go on; the file is written after
each part, so that a lease that ends early loses nothing. Exit code 1 if a part failed or a difference is too large.

    parity_bundled, parity_vit    map and score on the CPU in float32 against the GPU in float32 and bfloat16
    speed_float32, speed_bfloat16 ViT-L-14-336 at 518 px: images/s at batch 1, 8, 32, and the share of the matmul rate
    train                         the first steps of prompt training on the CPU and on the GPU: losses and vectors
    export                        an exported ViT and the bundled model through onnxruntime's CUDA provider

``--small`` takes small models, and with ``--device cpu`` it needs no GPU: that is what the test runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import gpu_parts

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "gpu.json"
LIMITS = {
    "parity_bundled": 60, "parity_vit": 100, "speed_float32": 90, "speed_bfloat16": 70, "train": 80, "export": 80,
}  # fmt: skip
"""Seconds of each part, in order; together with the start they stay below 480 s."""


def facts(device: str) -> dict[str, Any]:
    """Return commit, versions and hardware, read in a process of its own: it loads torch, which may fail."""
    return run_part("facts", device, small=False, limit=60)


def run_part(name: str, device: str, small: bool, limit: float) -> dict[str, Any]:
    """Run one part in a new process.

    Returns:
        Its figures with ``seconds``; ``failed`` with the reason where there is one.
    """
    started = time.perf_counter()
    command = [sys.executable, gpu_parts.__file__, name, device, *(["small"] if small else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=environment)
        figures = _last_object(done.stdout) if done.returncode == 0 else {"failed": _last_line(done.stderr)}
    except subprocess.TimeoutExpired:
        figures = {"failed": f"took more than {limit:.0f} s"}
    return figures | {"seconds": round(time.perf_counter() - started, 1)}


def _last_object(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        return {"failed": f"printed no figures: {text[-200:]!r}"}
    return found


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:500] if lines else "ended without a word (killed, or out of memory)"


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Parity and speed of zsad on a GPU.")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--small", action="store_true", help="small models; figures are not comparable")
    parser.add_argument("--limit", type=float, default=480.0, help="seconds for everything")
    parser.add_argument("--only", nargs="+", choices=tuple(LIMITS), default=list(LIMITS), metavar="PART")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="write the figures there")
    options = parser.parse_args(arguments)
    started = time.perf_counter()
    report: dict[str, Any] = {
        "benchmark": "gpu", "device": options.device, "small": options.small,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"), "facts": facts(options.device), "parts": {},
    }  # fmt: skip
    for name in options.only:
        left = options.limit - (time.perf_counter() - started)
        if left < 5:
            report["parts"][name] = {"failed": f"not begun: the {options.limit:.0f} s were over"}
        else:
            report["parts"][name] = run_part(name, options.device, options.small, min(left, LIMITS[name]))
        report["seconds"] = round(time.perf_counter() - started, 1)
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {json.dumps(report['parts'][name])}", flush=True)
    told = {"facts": report["facts"], **report["parts"]}
    problems = [f"{name}: {figures['failed']}" for name, figures in told.items() if "failed" in figures]
    print("\n".join(problems) or f"all {len(report['parts'])} parts passed in {report['seconds']:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
