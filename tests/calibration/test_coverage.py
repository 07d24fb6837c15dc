"""The benchmark's own sums: on parts whose distribution is known, in a small form."""

import json
from pathlib import Path

import numpy as np

from benchmarks import calibration as bench
from benchmarks.readme import calibration_markdown

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "calibration.json"


def test_a_small_run_finds_what_is_known():
    rng = np.random.default_rng(0)
    good, bad = rng.beta(2, 8, (3000, 2)), rng.beta(8, 2, (100, 2))
    found = bench.measure(good, bad, draws=60, watches=2)
    assert [(row["rule"], row["n"]) for row in found["coverage"]] == list(bench.CASES)
    assert all(row["kept"] >= 0.85 and row["caught"] > 0.3 for row in found["coverage"])
    assert found["both_largest_of_299"] < found["coverage"][2]["kept"]
    found["run"] = {"hardware": {"processor": "x"}, "commit": "c" * 40, "model": "m"}
    assert calibration_markdown(found).count("\n| ") == 2 + len(bench.CASES)


def test_the_recorded_run_keeps_its_floor():
    data = json.loads(RESULT.read_text(encoding="utf-8"))
    assert data["parts"]["good"] == 5000 and data["failed_checks"] == []
    assert all(row["draws"] == 10_000 and row["kept"] >= bench.FLOOR for row in data["coverage"])
