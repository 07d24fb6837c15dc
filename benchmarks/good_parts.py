"""What good parts at hand are worth: zero-shot, memories of 1, 2, 4 and all good images, fused, and mutual scores.

    python benchmarks/good_parts.py --data-root FOLDER [--model MODEL] --json benchmarks/results/good_parts.json

Good images are those of a set's training split; where it has none, normal images that are then not measured. Draws of
good images are repeated with several seeds; figures are means, with the lowest and highest of the seeds. The suite of
small real samples (benchmarks/suites/realdata.yaml) says which sets there are; a set without enough good images for a
column stays empty there. Mutual scores break the rule of one image at a time and stand in a column of their own.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsad.data.spec import DataSpec, load_samples
from zsad.detector.base import Detector
from zsad.detector.loading import load_base
from zsad.errors import ZsadError
from zsad.evaluation import METRICS, Options, evaluate_class
from zsad.evaluation.each import joined
from zsad.evaluation.loop import grouped
from zsad.evaluation.table import ClassTable
from zsad.evaluation.view import upright
from zsad.fitting.settle import is_unscored
from zsad.fitting.shots import Prepare, by_each_other, by_shots, training_images
from zsad.suites import record
from zsad.suites.suite import load_suite, locate

SUITE = Path(__file__).parent / "suites" / "realdata.yaml"
SETS = ("mvtec_screw", "loco_juice_bottle", "magnetic_tile", "aws_cookie")
MODES = ("zero-shot", "1", "2", "4", "all", "4 fused", "mutual")
SHOWN = ("image_auroc", "pixel_auroc", "pixel_aupro")


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Good parts at hand, on sets of real images.")
    parser.add_argument("--data-root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--model", help="a model that gives features; by default the bundled one")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="KEY")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rotations", default="auto", choices=("auto", "none", "8"))
    parser.add_argument("--foreground", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    detector = upright(load_base(options.model))
    run = load_suite(SUITE).runs[0]
    specs = [spec for spec in locate(run, options.data_root).specs if spec.key in options.sets]
    classes = {name: table for spec in specs for name, table in measured(detector, spec, options).items()}
    report = {
        "benchmark": "good_parts", "model": options.model or "tiny", "card": detector.card.flat(),
        "rotations": options.rotations, "foreground": options.foreground, "seeds": options.seeds,
        "sets": classes, "mean": means(classes, options.modes),
        "machine": record.hardware(), "versions": record.versions(), "commit": record.commit(),
    }  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    show(report["mean"], "mean over sets")
    return 0


def measured(detector: Detector, spec: DataSpec, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Measure every class of a set in every mode."""
    samples = load_samples(spec, partial=True).samples
    found: dict[str, dict[str, Any]] = {}
    for (key, name), group in grouped(samples).items():
        label = f"{key}/{name}"
        found[label] = {}
        for mode in options.modes:
            start = time.perf_counter()
            try:
                table, notes = one(detector, spec, group, mode, options)
            except ZsadError as error:
                found[label][mode] = {"left_out": str(error)}
                continue
            found[label][mode] = figures(table) | {"notes": notes, "seconds": round(time.perf_counter() - start, 1)}
        show(found[label], label)
    return found


def one(
    detector: Detector, spec: DataSpec, group: Sequence[Any], mode: str, options: argparse.Namespace
) -> tuple[ClassTable, list[str]]:
    """Measure one class in one mode: its table, and what was said of the good images."""
    how = Options()
    if mode == "zero-shot":
        if is_unscored(detector):
            raise ZsadError("gives features only")
        return evaluate_class(detector, group, how), []
    prepare: Prepare
    if mode == "mutual":
        prepare = by_each_other(detector)
    else:
        count, _, fused = mode.partition(" ")
        prepare = by_shots(
            detector, [spec], "all" if count == "all" else int(count), fused=bool(fused),
            rotations=8 if options.rotations == "8" else options.rotations, foreground=options.foreground,
        )  # fmt: skip
    made = [
        prepare(spec.key, group[0].class_name or "all", group, seed) for seed in seeds_of(spec, group, mode, options)
    ]
    return joined([evaluate_class(each.detector, each.samples, how) for each in made]), [each.note for each in made]


def seeds_of(spec: DataSpec, group: Sequence[Any], mode: str, options: argparse.Namespace) -> range:
    """One run where every good image is used anyway, and where nothing is drawn."""
    there = len(training_images(spec).get(group[0].class_name, []))
    every = mode in ("all", "mutual") or (there and there <= int(mode.split()[0]))
    return range(1 if every else options.seeds)


def figures(table: ClassTable) -> dict[str, Any]:
    """Return metrics in percent, with the range of seeds; undefined ones are null."""
    values = {name: percent(table.metrics[name].value) for name in METRICS}
    ranges = {name: [percent(low), percent(high)] for name, (low, high) in table.intervals.items() if name in SHOWN}
    return values | {"ranges": ranges, "images": table.n_images}


def percent(value: float) -> float | None:
    """Return a share in percent, or None if it is undefined."""
    return None if math.isnan(value) else round(100 * value, 2)


def means(classes: dict[str, dict[str, Any]], modes: Sequence[str]) -> dict[str, Any]:
    """Average each metric over the classes that define it in a mode."""
    found: dict[str, Any] = {}
    for mode in modes:
        each = [one[mode] for one in classes.values() if mode in one and "left_out" not in one[mode]]
        found[mode] = {"images": sum(one["images"] for one in each), "ranges": {}}
        for name in METRICS:
            values = [one[name] for one in each if one[name] is not None]
            found[mode][name] = round(sum(values) / len(values), 2) if values else None
    return found


def show(modes: dict[str, Any], label: str) -> None:
    """Print a line for each mode."""
    print(label)
    for mode, values in modes.items():
        if "left_out" in values:
            print(f"  {mode:10} left out: {values['left_out'][:100]}")
            continue
        cells = [f"{name} {values[name] if values[name] is not None else '-'}" for name in SHOWN]
        print(f"  {mode:10} {'  '.join(cells)}  {values.get('seconds', '')}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
