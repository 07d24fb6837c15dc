"""Keep one row per version of the bundled model: how it was trained, synthetic figures, and small real samples.

    python factory/benchmarks/tiny_versions.py NAME [--card FILE] [--quality FILE] [--log FILE] [--json FILE]

``--quality`` is the record that ``zsad bench quality benchmarks/suites/realdata.yaml`` writes with the version's
model, ``--log`` the pretraining run's log, of which the learning curve is kept. Versions are chosen by the synthetic
figures alone; the real ones are only shown.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
POINTS = 40
"""Points of a kept learning curve; each is the mean of the log lines up to it."""
SYNTHETIC = ("synthetic_pixel_auroc", "synthetic_pixel_aupro", "synthetic_image_auroc")
"""What the card keeps of the choice; AUPRO since the fourth version."""
METRICS = ("pixel_auroc", "image_auroc", "pixel_aupro")


def row(card: dict[str, Any], quality: dict[str, Any]) -> dict[str, Any]:
    """Return one version's row from its card and its quality record.

    Raises:
        ValueError: the record was made with another model.
    """
    if quality["card"] != card:
        raise ValueError("the quality record was made with another model; run the suite with this one")
    details = card["details"]
    real = {key: {m: data["mean"].get(m) for m in METRICS} for key, data in quality["datasets"].items()}
    kept = ("date", "hardware", "steps", "batch", "world", *SYNTHETIC)
    reading = ("image_size", "patch_size", "vv_blocks", "sigma", "score_rule")
    facts = {k: details.get(k) for k in kept} | {k: card[k] for k in reading} | {"blocks": max(card["layers"])}
    return facts | {"real": real, "commit": quality["commit"], "versions": quality["versions"]}


def curve(log: Path) -> list[dict[str, float]]:
    """Return a run's losses, averaged into a few points."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    per_point = max(1, len(lines) // POINTS)
    points = []
    for start in range(0, len(lines), per_point):
        group = lines[start : start + per_point]
        shared = [name for name in group[0] if all(name in line for line in group)]
        means = {name: round(sum(line[name] for line in group) / len(group), 4) for name in shared}
        points.append(means | {"step": group[-1]["step"]})
    return points


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="One row per version of the bundled model.")
    parser.add_argument("name", help="what the version is called; its row is replaced")
    parser.add_argument("--card", type=Path, default=ROOT / "zsad" / "assets" / "tiny.card.json")
    parser.add_argument("--quality", type=Path, default=ROOT / "benchmarks" / "results" / "realdata.json")
    parser.add_argument("--log", type=Path, action="append", default=[], help="log.jsonl; repeat for parts of a run")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tiny_versions.json")
    options = parser.parse_args(arguments)
    table: dict[str, Any] = {"benchmark": "tiny_versions", "versions": {}}
    if options.json.is_file():
        table = json.loads(options.json.read_text(encoding="utf-8"))
    card, quality = (json.loads(path.read_text(encoding="utf-8")) for path in (options.card, options.quality))
    try:
        made = row(card, quality)
    except ValueError as error:
        print(f"error: {options.quality}: {error}", file=sys.stderr)
        return 1
    made["curve"] = [point for log in options.log for point in curve(log)]
    table["versions"][options.name] = made
    options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"wrote version {options.name} to {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
