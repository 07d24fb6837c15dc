"""``benchmarks/house_speed.py``: a short run of this tree against itself, and what it makes of figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import house_speed

ROOT = Path(__file__).parents[1]


def entries(rates: list[float], cpu: float) -> list[dict[str, float]]:
    return [{"rate": rate, "cpu_seconds": cpu} for rate in rates]


def test_ratio_is_of_medians_and_quartiles_are_of_rounds():
    found = house_speed.compare({"old": entries([10, 20, 40], 4.0), "new": entries([20, 10, 60], 2.0)})
    assert found["per_second"] == {"old": 20, "new": 20} and found["ratio"] == 1.0
    assert found["ratio_quartiles"] == [1.0, 1.5, 1.75]  # of 0.5, 1.5 and 2
    assert found["cpu_ratio"] == 2.0


def test_trees_take_turns_to_begin():
    calls: list[str] = []

    class Trees:
        def measure(self, arm: str, tree: str) -> dict[str, float]:
            calls.append(tree)
            return {"rate": 1.0, "cpu_seconds": 1.0}

    found = house_speed.in_turns(Trees(), ["eval"], 3)
    assert calls == ["old", "new", "new", "old", "old", "new"]
    assert len(found["eval"]["old"]) == len(found["eval"]["new"]) == 3


def test_a_slower_tree_is_told(tmp_path, monkeypatch, capsys):
    slow = {"eval": {"old": entries([10.0], 1.0), "new": entries([9.0], 1.0)}}
    monkeypatch.setattr(house_speed, "in_turns", lambda *_: slow)
    assert house_speed.main(["--old", str(ROOT), "--images", "1", "--json", str(tmp_path / "x.json")]) == 1
    assert "slower than before: eval" in capsys.readouterr().out


def test_a_folder_without_the_package_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="old tree: "):
        house_speed.main(["--old", str(tmp_path), "--json", str(tmp_path / "x.json")])


def test_a_short_run(tmp_path, monkeypatch):
    monkeypatch.setattr(house_speed, "SIDE", 96)
    out = tmp_path / "speed.json"
    arms = ["detect_png"]
    arguments = ["--old", str(ROOT), "--rounds", "1", "--images", "2", "--json", str(out)]
    house_speed.main([*arguments, "--only", *arms])
    report = json.loads(out.read_text(encoding="utf-8"))
    assert list(report["quantities"]) == arms
    assert all(0 < figures["ratio"] < 100 for figures in report["quantities"].values())
    assert all(figures["cpu_seconds"]["new"] > 0.1 for figures in report["quantities"].values())


def test_the_session_is_timed(tmp_path):
    trees = house_speed.Trees(ROOT, tmp_path, images=1, calls=2, epochs=2)
    assert 0.1 < trees.measure("session", "new")["rate"] < 10_000


@pytest.mark.torch
def test_a_training_step_is_timed(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.gpu_parts import SMALL

    monkeypatch.setattr(house_speed, "SIDE", 96)
    monkeypatch.setattr(house_speed, "MODEL", SMALL)
    trees = house_speed.Trees(ROOT, tmp_path, images=4, calls=2, epochs=2)
    trees.draw()
    assert 0.1 < trees.measure("train_step", "new")["rate"] < 10_000
