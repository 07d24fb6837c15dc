"""Do thresholds from good parts keep their promise? Drawn good images, scored once; then thousands of calibrations.

Each calibration draws n of the parts (with replacement, so that all of them are the world it draws from), sets
thresholds, and counts what share of all parts they reject. ``python benchmarks/calibration.py`` writes
``benchmarks/results/calibration.json``; ``--quick`` takes a minute, ``--scores FILE`` keeps the scores between runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import zsad
from zsad.calibration.choice import Choice, Goal, choose
from zsad.calibration.drift import DriftWatch
from zsad.calibration.level import region_level
from zsad.calibration.order import confidence_of
from zsad.suites.record import card_hash, commit, hardware, versions
from zsad.synthetic import GENERATOR_VERSION, scene_at

HERE = Path(__file__).parent
SIZE, SEED, MIN_AREA = 256, 22, 0.0005
RATE, CONFIDENCE = 0.01, 0.95
CASES: tuple[tuple[str, int], ...] = (
    ("score", 299), ("region", 299), ("either", 299), ("either", 399), ("either", 473), ("either", 1000)
)  # fmt: skip
FLOOR = 0.94
"""Share of calibrations that must keep the rate: the exact share, less what 10,000 draws may be off."""
Values = npt.NDArray[np.float64]


def score_parts(count: int, anomalous: bool) -> Values:
    """Return score and region level ``(count, 2)`` of drawn images."""
    detector = zsad.load(threads=1)
    found = []
    for index in range(count):
        scene = scene_at(index, SIZE, seed=SEED, anomalous=anomalous)
        if scene.label == int(anomalous):
            result = detector(scene.image)
            found.append((result.score, region_level(result.map, MIN_AREA)))
    return np.array(found, np.float64)


def rejected(choice: Choice, parts: Values) -> float:
    """Return the share of parts that thresholds reject."""
    hit = np.zeros(len(parts), np.bool_)
    if choice.image is not None:
        hit |= parts[:, 0] >= choice.image
    if choice.pixel is not None:
        hit |= parts[:, 1] >= choice.pixel
    return float(hit.mean())


def coverage(good: Values, bad: Values, rule: str, n: int, draws: int) -> dict[str, Any]:
    """Calibrate many times on n parts; how often is the rate kept, and what is caught?"""
    rng = np.random.default_rng([n, len(rule)])
    card = zsad.load().card.scoring
    goal = Goal(RATE, CONFIDENCE, rule=rule)  # type: ignore[arg-type]
    rates, caught, exact = [], [], 0.0
    for draw in range(draws):
        parts = good[rng.integers(0, len(good), n)]
        choice = choose(parts[:, 0], parts[:, 1], goal, (card.image_threshold, card.pixel_threshold))
        exact = confidence_of(choice.n, RATE, choice.k)
        rates.append(rejected(choice, good))
        if draw % 20 == 0:
            caught.append(rejected(choice, bad))
    kept = float(np.mean(np.array(rates) <= RATE))
    return {
        "rule": rule, "n": n, "draws": draws, "kept": round(kept, 4), "exact": round(exact, 4),
        "mean_rate": round(float(np.mean(rates)), 5), "caught": round(float(np.mean(caught)), 4),
    }  # fmt: skip


def both_largest(good: Values, n: int, draws: int) -> float:
    """Return how often the rate is kept by both largest values, without anything that ties them: what not to do."""
    rng = np.random.default_rng(7)
    kept = 0
    for _ in range(draws):
        limit = good[rng.integers(0, len(good), n)].max(axis=0)
        kept += float((good > limit).any(axis=1).mean()) <= RATE
    return round(kept / draws, 4)


def drift(good: Values, watches: int, alarm: float = 0.05) -> dict[str, Any]:
    """Watch parts that don't drift, and parts whose score rises after the 500th."""
    rng = np.random.default_rng(3)
    false, delays, errors = 0, [], []
    for watch_number in range(watches):
        values = good[rng.permutation(len(good))[:1299], 0]
        for moved in (False, True):
            watch = DriftWatch(values[:299], alarm=alarm, seed=watch_number)
            odds = values[299:] / (1 - values[299:])
            later = np.where(np.arange(1000) >= 500, 3 * odds / (1 + 3 * odds), values[299:]) if moved else values[299:]
            for value in later:
                watch.add(float(value))
            if not moved:
                false += watch.alarm_at is not None
            elif watch.alarm_at is not None and watch.alarm_at > 500 and watch.began is not None:
                delays.append(watch.alarm_at - 500)
                errors.append(abs(watch.began - 501))
    return {
        "watches": watches, "parts": 1000, "alarm": alarm, "false_alarms": round(false / watches, 4),
        "drift": "odds of the score times 3 after part 500", "found": round(len(delays) / watches, 4),
        "median_delay": float(np.median(delays)) if delays else None,
        "median_error_of_its_beginning": float(np.median(errors)) if errors else None,
    }  # fmt: skip


def measure(good: Values, bad: Values, draws: int, watches: int) -> dict[str, Any]:
    """Return all figures."""
    table = [coverage(good, bad, rule, n, draws) for rule, n in CASES]
    failed = [f"{row['rule']} {row['n']}" for row in table if row["kept"] < FLOOR]
    return {
        "parts": {"good": len(good), "defective": len(bad), "size": SIZE, "seed": SEED, "min_area": MIN_AREA,
                  "generator": GENERATOR_VERSION},
        "rate": RATE, "confidence": CONFIDENCE, "coverage": table,
        "both_largest_of_299": both_largest(good, 299, draws), "drift": drift(good, watches),
        "failed_checks": failed,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="400 parts and 200 draws: does it work at all?")
    parser.add_argument("--scores", type=Path, help="file of earlier scores, or where to keep them (.npz)")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "calibration.json")
    args = parser.parse_args()
    if args.scores and args.scores.is_file():
        with np.load(args.scores, allow_pickle=False) as kept:
            good, bad = kept["good"], kept["bad"]
    else:
        good, bad = score_parts(400 if args.quick else 5000, False), score_parts(50 if args.quick else 500, True)
        if args.scores:
            np.savez(args.scores, good=good, bad=bad)
    record = measure(good, bad, *((200, 5) if args.quick else (10_000, 200)))
    card = zsad.load().card
    record["run"] = {
        "commit": commit(), "versions": versions(), "hardware": hardware(), "card": card_hash(card), "model": card.label
    }  # fmt: skip
    args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    return 1 if record["failed_checks"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
