from __future__ import annotations

import pytest
import torch  # noqa: F401  (marks the file as one that needs the torch extra)
import typer
from typer.testing import CliRunner

from zsad.cli.export import export
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import ConfigError, MissingExtraError, UsageError
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


def test_recipe_and_options(run, random_id, tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"model: '{random_id}'\nprompt: medical\nimage_size: 96\n")
    done = run("--recipe", recipe, "--image-size", 64, "--out", tmp_path / "m.onnx")
    assert done.exit_code == 0, done.exception
    card = OnnxDetector(tmp_path / "m.onnx").card
    assert (card.scoring.prompt, card.input.image_size) == ("medical", 64)


def test_wrong_usage(run, random_id, tmp_path, monkeypatch):
    out = ("--out", tmp_path / "m.onnx")
    assert isinstance(run("--fp16-weights", "--int8", "--model", "x", *out).exception, UsageError)
    assert isinstance(run(*out).exception, UsageError)
    (tmp_path / "r.yaml").write_text("modell: x\n")
    assert isinstance(run("--recipe", tmp_path / "r.yaml", *out).exception, ConfigError)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(run("--model", random_id, *out).exception, MissingExtraError)
    assert not (tmp_path / "m.onnx").exists()
