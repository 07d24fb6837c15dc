"""A model as one ONNX file: checked on export, and the same scores without torch."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnxscript import ir
from typer.testing import CliRunner

from tests.video.weak import small
from zsad.cli import app
from zsad.errors import ModelError
from zsad.video.learned.onnx_network import OnnxNetwork
from zsad.video.learned.scoring import score_features
from zsad.video.weak import onnx_file
from zsad.video.weak.folder import load_weak


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """One export for all, since it takes seconds."""
    place = tmp_path_factory.mktemp("onnx")
    folder = small.folder(place / "m", "ovvad")
    result = CliRunner().invoke(app, ["video", "export", str(folder), "--out", str(place / "m.onnx")])
    assert result.exit_code == 0, result.output
    return folder, place / "m.onnx"


def test_scores_are_those_of_the_model(exported):
    folder, file = exported
    x = small.features("ovvad", 300).numpy()
    want, have = score_features(load_weak(folder), x), score_features(OnnxNetwork(file), x)
    assert np.allclose(have.values, want.values, atol=1e-5) and np.allclose(have.classes, want.classes, atol=1e-5)
    assert OnnxNetwork(file).card == load_weak(folder).card
    assert json.loads((folder / "card.json").read_text())["classes"] == list(small.NAMES)


def test_a_file_too_far_from_its_model_is_not_written(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "_difference", lambda *_: 0.5)
    monkeypatch.setattr(onnx_file, "_traced", lambda _: ir.load(exported[1]))
    with pytest.raises(ModelError, match=r"differs from the model by 0\.5"):
        onnx_file.export_weak(load_weak(exported[0]), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_files_that_are_none(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        OnnxNetwork(tmp_path / "absent.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not an ONNX model that onnxruntime can run"):
        OnnxNetwork(tmp_path / "bad.onnx")
