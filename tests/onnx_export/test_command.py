from __future__ import annotations

import pytest
import torch  # noqa: F401  (marks the file as one that needs the torch extra)
import typer
from typer.testing import CliRunner

from zsad import paths as assets
from zsad.cli.export import export
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import ConfigError, MissingExtraError, OccupiedError, UsageError
from zsad.onnx_export.files import check_place
from zsad.onnx_export.recipe import Recipe, write
from zsad.prompt.words import Words


@pytest.fixture(scope="module")
def run():
    app = typer.Typer()
    app.command()(export)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_export(run, random_id, tmp_path):
    words = ("--normal", "clean", "--anomalous", "torn", "--store-prompt", "medical", "--store-object", "retina")
    done = run("--model", random_id, "--image-size", 64, *words, "--fp16-weights", "--out", tmp_path / "m.onnx")
    assert done.exit_code == 0, done.exception
    assert "float16 weights" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    detector = OnnxDetector(tmp_path / "m.onnx", words=Words("medical", "retina"))
    assert detector.card.input.image_size == 64


def test_options_go_over_a_recipe(run, random_id, tmp_path, monkeypatch):
    """What is asked for; that it is written is shown by test_export and test_export.test_recipe."""
    seen = []

    def asked(plan, path):
        seen.append(plan)
        raise SystemExit(7)

    monkeypatch.setattr("zsad.onnx_export.recipe.write", asked)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"model: '{random_id}'\nprompt: medical\nimage_size: 96\n")
    done = run("--recipe", recipe, "--image-size", 64, "--out", tmp_path / "m.onnx")
    assert done.exit_code == 7, done.exception
    assert (seen[0].model, seen[0].prompt, seen[0].image_size) == (random_id, "medical", 64)


def test_only_models_of_zsad_are_replaced_and_inputs_are_not(random_id, tmp_path):
    model, weights = tmp_path / "m.onnx", tmp_path / "m.onnx.data"
    check_place(model)
    weights.write_bytes(b"mine")
    with pytest.raises(OccupiedError, match=r"m\.onnx\.data: was not written by zsad; choose another --out"):
        check_place(model)
    model.write_bytes(b"foreign")
    with pytest.raises(OccupiedError, match=r"m\.onnx: was not written by zsad"):
        write(Recipe(model=random_id, image_size=64), model)
    assert model.read_bytes() == b"foreign" and weights.read_bytes() == b"mine"
    model.write_bytes(assets.asset("tiny.onnx").read_bytes())
    check_place(model)
    with pytest.raises(OccupiedError, match="is an input"):
        check_place(model, [str(tmp_path / "." / "m.onnx")])
    with pytest.raises(OccupiedError, match="is a folder"):
        check_place(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]


def test_wrong_usage(run, random_id, tmp_path, monkeypatch):
    out = ("--out", tmp_path / "m.onnx")
    assert isinstance(run("--fp16-weights", "--int8", "--model", "x", *out).exception, UsageError)
    assert isinstance(run(*out).exception, UsageError)
    alone = run("--text", "--int8", *out).exception
    assert isinstance(alone, UsageError) and "--text writes a text tower alone" in str(alone)
    (tmp_path / "r.yaml").write_text("modell: x\n")
    assert isinstance(run("--recipe", tmp_path / "r.yaml", *out).exception, ConfigError)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(run("--model", random_id, *out).exception, MissingExtraError)
    assert not (tmp_path / "m.onnx").exists()
