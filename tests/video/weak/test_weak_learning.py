"""Short forms of benchmarks/weak_learning.py: labels of whole videos teach when it happens, exchanged labels don't."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import weak_learning, weak_learning_runs
from benchmarks.weak_learning_tables import weak_learning_markdown
from tests.video.weak import drawn
from zsad.video.learned.drawn import Drawing
from zsad.video.learned.drawn_set import draw_set

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def shorter(monkeypatch):
    """Videos of few rows, with stronger events and weaker noise, for a smaller model."""
    setting = weak_learning_runs.SETTINGS["urdmu"]
    temporal = replace(setting.sizes.temporal, layers=1, dropout=0.1)
    sizes = replace(setting.sizes, temporal=temporal, recipe=replace(setting.sizes.recipe, segments=32))
    drawing = {"rows": (24, 40), "anomaly": 0.55, "bursts": 4.0, "noise": 0.3}
    small = replace(setting, sizes=sizes, batch=4, lr=1e-3, drawing=drawing)
    monkeypatch.setitem(weak_learning_runs.SETTINGS, "urdmu", small)
    return drawn.tower(width=64)


def test_whole_videos_teach_when_it_happens_and_exchanged_labels_nothing(tmp_path, shorter):
    sizes = weak_learning_runs.Sizes((48, 48), (12, 12), 10)
    learned, mixed = (
        weak_learning_runs.learn(
            "urdmu", 1, shorter, tmp_path / str(wrong), sizes, shuffling=0 if wrong else None
        ).figures()
        for wrong in (False, True)
    )
    assert learned["after"]["auc"] >= 0.8 and learned["after"]["auc"] - learned["before"]["auc"] >= 0.25
    assert 0.35 <= mixed["after"]["auc"] <= 0.65


def test_exchanged_labels_are_as_many_and_half_of_them_wrong(tmp_path):
    made = draw_set(weak_learning_runs.texts_of(drawn.tower(width=32)), Drawing(rows=(20, 30)), (8, 8), (1, 1))
    weak_learning_runs._shuffle(tmp_path / "list.csv", made.train, 0, 0)
    rows = [line.split(",") for line in (tmp_path / "list.csv").read_text().splitlines()[1:]]
    labels = [video.label for video in made.train]
    assert sorted(label for _, label in rows) == sorted(labels)
    wrong = [(label == "normal") != (was == "normal") for (_, label), was in zip(rows, labels, strict=True)]
    assert sum(wrong[:8]) == sum(wrong[8:]) == 4


def test_the_benchmark_runs_and_its_table_is_made(tmp_path, capsys):
    file = tmp_path / "weak.json"
    quick = ["--quick", "--presets", "ovvad", "--seeds", "0", "--json", str(file)]
    assert weak_learning.main([*quick, "--parts", "presets", "novel"]) == 0
    found = json.loads(file.read_text())
    assert found["novel"]["ovvad"]["0"].keys() == {"rank", "detected", "named"} and found["missed"] == []
    assert "| ovvad | " in weak_learning_markdown(found) and "third, typed as text" in weak_learning_markdown(found)
    assert "presets, ovvad, seed 0" in capsys.readouterr().out
    assert weak_learning.main(["--quick", "--write", str(tmp_path / "set")]) == 0
    assert len(np.load(tmp_path / "set" / "train0_0000__0.npy")) >= Drawing().rows[0]


def test_a_must_that_is_missed_is_named():
    row = {"after": {"auc": 0.86}, "cpu_seconds": 601.0}
    found = {
        "without_learning": {"vador": {"0": {"own_mean": 0.76}}},
        "presets": {"vador": {"0": row}, "ovvad": {"1": row}},
        "novel": {"ovvad": {"0": {"rank": 0.6}}},
        "clicks": {
            "urdmu": {"0": {"gain": -0.1}, "1": {"gain": 0.05}},
            "ovvad": {"0": {"gain": -0.1}, "1": {"gain": 0.2}},
        },
        "shuffled": {"urdmu": {"0": {"auc": 0.3}, "1": {"auc": 0.45}}, "vador": {"0": {"auc": 0.3}, "1": {"auc": 0.6}}},
    }
    assert "distance to a video's mean reaches 0.76" in weak_learning.missed(found)[0]
    assert [text.split(":")[0] for text in weak_learning.missed(found)] == [
        "vador, seed 0", "vador, seed 0", "ovvad, seed 1", "ovvad, seed 1",
        "novel, seed 0", "clicks, urdmu", "shuffled, urdmu",
    ]  # fmt: skip
