"""Thresholds on real solar cells: fit on good cells, calibrate on further ones, judge all the rest.

Needs the package ``elpv-dataset`` (extra ``tutorial``; CC BY-NC-SA 4.0, nothing of it is shipped) and a model with
features. ``python benchmarks/elpv_thresholds.py --model dinov2-s-saliency`` writes
``benchmarks/results/elpv_thresholds.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from zsad.data.catalog import CATALOG
from zsad.data.files import Report
from zsad.detector.base import Detector
from zsad.metrics.curves import auroc, rank
from zsad.stream import from_iterable, inspect
from zsad.suites.record import commit, hardware, versions
from zsad.types import Result, Sample

HERE = Path(__file__).parent
SHOTS, CALIBRATING = 200, 299


def split(samples: list[Sample], seed: int) -> tuple[list[Path], list[Path], list[Sample]]:
    """Return good cells to learn from (200 of a type), 299 of both types to calibrate on, and all other cells."""
    rng = np.random.default_rng(seed)
    learned: list[Path] = []
    for kind in ("mono", "poly"):
        good = [sample.image for sample in samples if sample.label == 0 and sample.class_name == kind]
        learned += [good[i] for i in rng.permutation(len(good))[:SHOTS]]
    taken = set(learned)
    rest = [sample.image for sample in samples if sample.label == 0 and sample.image not in taken]
    calibrating = [rest[i] for i in rng.permutation(len(rest))[:CALIBRATING]]
    taken |= set(calibrating)
    return learned, calibrating, [sample for sample in samples if sample.image not in taken]


def judged(detector: Detector, samples: list[Sample]) -> list[Result]:
    """Return the results of all samples, without their maps' pictures."""
    found = [outcome.value for outcome in inspect(detector, list(from_iterable([s.image for s in samples])))]
    return [result for result in found if result is not None]


def run(model: str, seed: int, rule: str) -> dict[str, Any]:
    """Fit, calibrate and judge once."""
    samples = CATALOG["elpv"].read(CATALOG["elpv"].installed(), Report())
    learned, calibrating, rest = split(samples, seed)
    # Cells stand upright and fill the image: no turned views, and no background to leave out.
    detector = zsad.fit(learned, model, seed=seed, rotations="none", foreground="off").detector
    calibration = zsad.calibrate(detector, calibrating, rule=rule, seed=seed)
    results = judged(detector.with_thresholds(calibration.thresholds), rest)
    labels, scores = np.array([s.label for s in rest]), np.array([r.score for r in results])
    rejected = np.array([r.verdict == "anomalous" for r in results])
    kinds = np.array([s.class_name for s in rest])
    return {
        "seed": seed, "rule": rule, "learned": len(learned), "calibrated_on": calibration.n, "told": calibration.told(),
        "image": calibration.thresholds.image, "pixel": calibration.thresholds.pixel, "tied_by": calibration.tied_by,
        "good": int((labels == 0).sum()), "rejected_good": round(float(rejected[labels == 0].mean()), 4),
        "defective": int((labels == 1).sum()), "caught": round(float(rejected[labels == 1].mean()), 4),
        "auroc": {kind: round(float(auroc(rank(scores[(kinds == kind) & (labels == 0)],
                                               scores[(kinds == kind) & (labels == 1)]))), 4)
                  for kind in ("mono", "poly")},
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="dinov2-s-saliency")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rules", nargs="+", default=["either", "score"])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "elpv_thresholds.json")
    args = parser.parse_args()
    runs = [run(args.model, seed, rule) for seed in range(args.seeds) for rule in args.rules]
    record = {
        "model": Path(args.model).stem, "runs": runs,
        "run": {"commit": commit(), "versions": versions(), "hardware": hardware()},
    }  # fmt: skip
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
