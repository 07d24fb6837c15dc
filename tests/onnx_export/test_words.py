"""load() with torch: free words on an ONNX file, backbones by id, and the bundled model's text folder."""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

import zsad
from zsad.detector import loading
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.torch_detector import TorchDetector, load_detector
from zsad.errors import ModelError, PromptError
from zsad.onnx_export import export
from zsad.prompt.learner import PromptLearner
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.prompt.words import Words


@pytest.fixture(scope="module")
def assets(tmp_path_factory):
    """What is shipped: tiny.onnx, and the same model as open_clip's local-dir."""
    folder = tmp_path_factory.mktemp("assets")
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 64, "layers": 2, "head_width": 32},
        "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    (folder / "tiny").mkdir()
    (folder / "tiny" / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    torch.manual_seed(1)
    save_file(open_clip.CLIP(**config).state_dict(), folder / "tiny" / "open_clip_model.safetensors")
    detector = load_detector(f"local-dir:{folder / 'tiny'}", Words(), image_size=64)
    export(detector, folder / "tiny.onnx")
    return folder


@pytest.fixture
def bundled(assets, monkeypatch):
    monkeypatch.setattr(loading.paths, "asset", lambda name: assets / name)
    return assets


def test_free_words_on_the_bundled_model(bundled, photos):
    """Torch encodes the words, onnxruntime the images: the torch detector with the same words says the same."""
    onnx = zsad.load(normal="a clean plate", anomalous="a dirty plate")
    assert isinstance(onnx, OnnxDetector)
    torch_detector = zsad.load(
        f"local-dir:{bundled / 'tiny'}", normal="a clean plate", anomalous="a dirty plate", image_size=64
    )
    assert isinstance(torch_detector, TorchDetector)
    for a, b in zip(onnx.batch(photos), torch_detector.batch(photos), strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-5)
        assert a.score == pytest.approx(b.score, abs=1e-5)
    assert onnx.card.scoring.prompt == torch_detector.card.scoring.prompt == "a clean plate | a dirty plate"


def test_banks_and_objects_on_the_bundled_model(bundled, photos):
    for options in ({"prompt": "medical"}, {"object": "metal nut"}, {"prompt": "industrial", "object": "cable"}):
        onnx = zsad.load(**options)
        expected = zsad.load(f"local-dir:{bundled / 'tiny'}", image_size=64, **options)
        assert onnx.card.scoring.prompt == expected.card.scoring.prompt
        assert onnx(photos[0]).score == pytest.approx(expected(photos[0]).score, abs=1e-5)


def test_free_words_on_any_file(exported, random_id, photos):
    """The card names the backbone, whose text tower reads the words."""
    onnx = zsad.load(exported, normal="a whole thing", anomalous="a torn thing")
    assert onnx.card.scoring.prompt == "a whole thing | a torn thing"
    assert onnx(photos[0]).score != OnnxDetector(exported)(photos[0]).score
    with pytest.raises(PromptError, match="the same"):
        zsad.load(exported, normal="a thing", anomalous="a thing")


def test_learned_values_need_the_text_tower(detector, exported, photos, tmp_path, monkeypatch):
    learner = PromptLearner(detector.backbone.text_tower())
    prompt = StoredPrompt(detector.card, learned=learner.tensors())
    path = save_prompt(tmp_path / "learned.safetensors", prompt)
    onnx = zsad.load(exported, prompt=path)
    expected = detector.with_vectors(learner.vectors(2), "learned")
    np.testing.assert_allclose(onnx(photos[0]).map, expected(photos[0]).map, rtol=0, atol=1e-5)
    monkeypatch.setattr(loading, "_has_torch", lambda: False)
    with pytest.raises(PromptError, match="torch extra"):
        zsad.load(exported, prompt=path)


def test_the_text_folder_of_another_model(assets, tmp_path, monkeypatch):
    """A tiny.onnx beside weights that it was not made from: the fingerprint says so."""
    other = tmp_path / "assets"
    (other / "tiny").mkdir(parents=True)
    for name in ("tiny.onnx", "tiny/open_clip_config.json"):
        (other / name).write_bytes((assets / name).read_bytes())
    monkeypatch.setattr(loading.paths, "asset", lambda name: other / name)
    with pytest.raises(ModelError, match="text weights are missing"):
        zsad.load(normal="a", anomalous="b")
    config = json.loads((other / "tiny" / "open_clip_config.json").read_text())["model_cfg"]
    torch.manual_seed(2)
    save_file(open_clip.CLIP(**config).state_dict(), other / "tiny" / "open_clip_model.safetensors")
    with pytest.raises(ModelError, match="fingerprint"):
        zsad.load(normal="a", anomalous="b")


def test_backbone_by_id(random_id, photos):
    detector = zsad.load(random_id, prompt="industrial", object="screw", image_size=96, tile=64, threshold=0.3)
    assert isinstance(detector, TorchDetector)
    assert (detector.card.input.image_size, detector.tile, detector.thresholds.image) == (96, 64, 0.3)
    assert detector(photos[0]).map.shape == photos[0].shape[:2]
    with pytest.raises(ModelError):
        zsad.load("NoSuchModel/openai")
