"""Short forms of benchmarks/weak_speed.py, and its table: both arms compute the same, all rows are scored."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import weak_speed
from benchmarks.weak_learning_tables import weak_speed_markdown
from zsad.video.learned.card import VideoCard
from zsad.video.weak.folder import save_weak
from zsad.video.weak.presets import UCF

pytestmark = pytest.mark.usefixtures("one_thread")


def test_both_arms_compute_the_same_and_the_table_has_their_times():
    step = weak_speed.steps(videos=2, width=64, layers=1, rounds=1, threads=1)
    assert step["gradients_apart"] < 1e-4 and step["full"]["mean_snippets"] == 256 > step["mixed"]["mean_snippets"]
    full = {arm: rows[0]["loss"] for arm, rows in step["full"]["rounds"].items()}
    assert abs(full["zsad"] - full["reference"]) < 1e-4
    runs = {"day": {"rows": 512, "s": 3.0, "peak_mb": 9.0}, "quarter": {"rows": 128, "s": 1.0, "peak_mb": 8.0}}
    table = weak_speed_markdown({"step": step, "day": runs, "machine": {"processor": "x", "cores": 2}, "commit": None})
    assert (
        f"| 256 | {step['full']['rounds']['reference'][0]['s']:.1f} s |" in table
        and "512 rows on the disk: 3 s" in table
    )


def test_all_rows_are_scored(tmp_path):
    made = weak_speed.model_of(64, 1)
    save_weak(tmp_path / "model", made, VideoCard(made.config, UCF, "random"))
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((700, 64), np.float32))
    found = weak_speed.score_child(tmp_path / "model", tmp_path / "rows.npy", 600, 1)
    assert found["rows"] == 600 and found["peak_mb"] >= found["before_mb"] > 0
