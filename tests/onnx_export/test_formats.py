"""What a file states of itself (format version), INT8 files image by image, and recipes by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from zsad import paths
from zsad.cli import app
from zsad.config import from_yaml
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.torch_detector import TorchDetector
from zsad.onnx_export.recipe import Recipe
from zsad.onnx_export.write import export
from zsad.scoring import DirectionScorer

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("weights, opset, lowest", [("float32", 18, 8), ("float32", 20, 9), ("int8", 18, 8)])
def test_the_format_version_is_the_lowest_that_the_operators_need(detector, tmp_path, weights, opset, lowest):
    # ONNX's own table: opset 18 came with IR 8, 19 and 20 with IR 9.
    report = export(detector, tmp_path / "m.onnx", opset=opset, weights=weights)
    model = onnx.load(report.path)
    assert model.ir_version == lowest and model.opset_import[0].version == opset
    onnx.checker.check_model(model, full_check=True)


def test_int8_scores_do_not_depend_on_batch_mates(detector, tmp_path, photos):
    report = export(detector, tmp_path / "m.onnx", weights="int8", features=True)
    assert report.nodes > 50  # the operators inside of the one that goes over the batch
    small = OnnxDetector(report.path)
    white, black = np.full((96, 96, 3), 255, np.uint8), np.zeros((96, 96, 3), np.uint8)
    alone = [small(photo) for photo in photos]
    for batch in ([*photos, white], [black, *photos], [white, *photos, black]):
        beside = small.batch(batch)
        start = int(batch[0] is white or batch[0] is black)
        for one, other in zip(alone, beside[start : start + len(photos)], strict=True):
            assert one.score == other.score and np.array_equal(one.map, other.map)
    together, single = small.features([photos[0], white]), small.features([photos[0]])
    assert np.array_equal(together.cls[:1], single.cls) and np.array_equal(together.patches[:1], single.patches)


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_smaller_weights_with_a_score_that_leaves_an_input_unread(detector, tmp_path, photos, weights):
    card = detector.card.changed(score_rule="map_top1", sigma=0.0)  # as in test_score_rules: traced once
    other = TorchDetector(detector.backbone, DirectionScorer(detector.scorer.vectors, card), card)
    path = export(other, tmp_path / "m.onnx", weights=weights).path
    assert OnnxDetector(path)(photos[0]).score == pytest.approx(other(photos[0]).score, abs=0.05)


def test_a_recipe_is_found_by_its_name(random_id, tmp_path, monkeypatch):
    seen = []

    def write(plan, path):
        seen.append(plan)
        raise SystemExit(7)

    monkeypatch.setattr("zsad.onnx_export.recipe.write", write)
    result = CliRunner().invoke(app, ["export", "--recipe", "surveillance", "--model", random_id, "--out", "x.onnx"])
    assert result.exit_code == 7 and isinstance(seen[0], Recipe)
    assert (seen[0].prompt, seen[0].weights, seen[0].model) == ("surveillance", "int8", random_id)
    wrong = CliRunner().invoke(app, ["export", "--recipe", "surveilance", "--out", str(tmp_path / "x.onnx")])
    assert wrong.exit_code == 2
    assert "no such recipe (did you mean surveillance?); there are cpu-fp32, cpu-int8, gpu-fp16" in wrong.stderr


@pytest.mark.parametrize(("name", "within"), [("cpu-fp32", 1e-4), ("gpu-fp16", 5e-3), ("cpu-int8", 0.1)])
def test_the_recipes_for_targets_take_any_model_and_agree_with_its_detector(
    detector, random_id, tmp_path, photos, name, within
):
    plan = replace(from_yaml(Recipe, paths.recipe_file(name)), model=random_id)
    path = export(detector, tmp_path / "m.onnx", opset=plan.opset, weights=plan.weights).path
    assert OnnxDetector(path)(photos[0]).map == pytest.approx(detector(photos[0]).map, abs=within)
    alone = CliRunner().invoke(app, ["export", "--recipe", name, "--out", str(tmp_path / "x.onnx")])
    assert alone.exit_code == 2 and "give --model ID" in alone.stderr
