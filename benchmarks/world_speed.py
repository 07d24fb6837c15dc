"""Measure how long the procedural world takes to draw a scene.

    python benchmarks/world_speed.py [--scenes 1000] [--json benchmarks/results/world_speed.json]

Processor time of one process, scene by scene; sizes and splits take turns, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION, Scene, pair_at, scene_at

HERE = Path(__file__).resolve().parent
ASKED_MS = 10.0
"""What a scene may cost, in milliseconds of one core."""
CASES = ((256, "train"), (288, "train"), (288, "valid"))
FIRST, WARM = 5000, 20
"""First scene that is measured, and how many are drawn before that."""
SHOWN, FEWEST = 12, 10
"""How many of the slowest kinds are kept, and how often a kind must occur for that."""


def kinds(scene: Scene) -> list[str]:
    """Return what a scene's time may depend on."""
    return [f"object {scene.object}", f"texture {scene.texture}"] + [f"defect {name}" for name in scene.defects]


def summary(seconds: Sequence[float]) -> dict[str, float]:
    """Return mean, percentiles and the share above what is asked; milliseconds."""
    ms = np.array(seconds) * 1000
    low, middle, high = np.percentile(ms, (5, 50, 95))
    figures = {"mean": ms.mean(), "p5": low, "p50": middle, "p95": high, "longest": ms.max()}
    return {name: round(float(v), 2) for name, v in figures.items()} | {
        "share_above_10_ms": round(float((ms > ASKED_MS).mean()), 3)
    }


def measure(count: int) -> dict[str, Any]:
    """Return the figures of ``count`` scenes of every case, of couples, and the slowest kinds."""
    times: dict[tuple[int, str], list[float]] = defaultdict(list)
    couples: list[float] = []
    by_kind: dict[str, list[float]] = defaultdict(list)
    for k in range(-WARM, count):
        for size, split in CASES:
            begun = time.process_time()
            scene = scene_at(FIRST + k, size, split=split)
            spent = time.process_time() - begun
            if k >= 0:
                times[size, split].append(spent)
                for kind in kinds(scene) if (size, split) == CASES[1] else ():
                    by_kind[kind].append(spent)
        begun = time.process_time()
        pair_at(FIRST + k, CASES[1][0])
        if k >= 0:
            couples.append(time.process_time() - begun)
    often = {kind: spent for kind, spent in by_kind.items() if len(spent) >= FEWEST}
    slowest = sorted(often, key=lambda kind: -float(np.mean(often[kind])))[:SHOWN]
    return {
        "milliseconds": {f"{size} px, {split}": summary(times[size, split]) for size, split in CASES},
        "couple_milliseconds": summary(couples),
        "slowest_kinds": {kind: round(float(np.mean(often[kind])) * 1000, 1) for kind in slowest},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="How long the procedural world takes to draw a scene.")
    parser.add_argument("--scenes", type=int, default=1000, help="scenes of each case")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "world_speed.json")
    options = parser.parse_args(arguments)
    results: dict[str, Any] = {"benchmark": "world_speed", "world": GENERATOR_VERSION, "scenes": options.scenes}
    results |= measure(options.scenes)
    results |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for name, row in results["milliseconds"].items():
        print(f"{name:<16} " + "  ".join(f"{k} {v:g}" for k, v in row.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
