from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_curve

from zsad import load
from zsad.prompt.store import load_prompt
from zsad.synthetic import scene_at
from zsad.training import train
from zsad.training.thresholds import drawn_thresholds

from .drawn_parts import MICRO


def highest_f1(truth, values):
    precision, recall, thresholds = precision_recall_curve(truth, values)
    f1 = 2 * precision[:-1] * recall[:-1] / np.maximum(precision[:-1] + recall[:-1], 1e-12)
    return thresholds[f1.argmax()], f1.max()


def test_thresholds_are_those_of_the_highest_f1_on_drawn_scenes():
    detector = load()
    found, side = drawn_thresholds(detector, 8, 5), detector.card.input.image_size
    scenes = [scene_at(i, side, seed=5, split="valid", anomalous=bool(i % 2)) for i in range(8)]
    results = [detector(scene.image) for scene in scenes]
    truth = np.concatenate([(scene.mask > 0).ravel() for scene in scenes])
    pixel, value = highest_f1(truth, np.concatenate([result.map.ravel() for result in results]))
    assert found.pixel == pytest.approx(pixel, abs=1e-5)
    labels, scores = [scene.mask.any() for scene in scenes], np.array([result.score for result in results])
    _, best = highest_f1(labels, scores)
    assert f1_score(labels, scores >= found.image - 1e-6) == pytest.approx(best)
    assert f"{value:.3f} of pixels" in found.told and "8 drawn scenes" in found.told


def test_no_scenes_no_thresholds():
    assert drawn_thresholds(load(), 0, 0) is None
    assert drawn_thresholds(load(), 1, 0) is None


def test_a_trained_prompt_has_them_and_stays_uncalibrated(tree, tmp_path):
    settings = {"recipe": "anomalyclip", "image_size": 56, "epochs": 1, "cache": tmp_path / "cache", "cache_gb": 1.0}
    done = train(f"mvtec:{tree}", MICRO, tmp_path / "out", threshold_scenes=6, **settings)
    scoring = load_prompt(done.prompt).card.scoring
    assert done.card.scoring == scoring and not scoring.calibrated
    assert 0.5 not in (scoring.image_threshold, scoring.pixel_threshold)
    assert "6 drawn scenes" in done.card.provenance.details["thresholds"]
    detector = load(MICRO, prompt=done.prompt)
    result = detector(tree / "part/test/spot/000.png")
    assert result.verdict is None and detector.thresholds.pixel is None
    again = train(f"mvtec:{tree}", MICRO, tmp_path / "none", threshold_scenes=0, **settings)
    assert (again.card.scoring.image_threshold, again.card.scoring.pixel_threshold) == (0.5, 0.5)
