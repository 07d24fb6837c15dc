"""A text tower as a file: the same tokens and vectors as torch, and nothing else passes for one."""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

import zsad
from zsad.backbone import load_backbone
from zsad.cli.export import export
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.text_file import TextFile
from zsad.errors import CardError, ModelError, PromptError, UsageError
from zsad.language.embedding import ClipEmbedder
from zsad.onnx_export.text import export_text, tokens_of
from zsad.paths import asset

TEXTS = [
    "a van",
    "It's 12:45 \u2014 \u201cnobody\u2019s\u201d here, we'll see; they've 3 vans & 1,000 cats!!",
    "Zwei Männer, ein café, 火事 ½",
    "a man in a\tred\n coat lies &quot;near&quot; the gate ... #@! 'd 'LL o'clock",
    "smoke and " * 60,
]


@pytest.fixture(scope="module")
def backbone(random_id):
    return load_backbone(random_id)


@pytest.fixture(scope="module")
def written(backbone, tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.onnx"
    return export_text(backbone, path)


def by_torch(backbone, texts):
    """Vectors by open_clip's tokenizer and the plain forward pass over all positions."""
    tower = backbone.text_tower()
    ids = open_clip.SimpleTokenizer(context_length=tower.context_length)(texts)
    with torch.no_grad():
        found = tower.encode(tower.embed(ids), ids.argmax(dim=-1))
    return (found / found.norm(dim=-1, keepdim=True)).numpy()


def test_reference_vectors(backbone, written):
    file = TextFile(written.path)
    for texts in ([TEXTS[0]], TEXTS, TEXTS * 20):
        assert np.abs(file.texts(texts) - by_torch(backbone, texts)).max() < 1e-5
    assert np.allclose(np.linalg.norm(file.texts(TEXTS), axis=1), 1, atol=1e-5) and written.difference < 1e-5
    assert file.card.fingerprint == backbone.info.fingerprint and file.card.embed_dim == 32


def test_reference_tokens(backbone):
    theirs = open_clip.SimpleTokenizer(context_length=40)
    mine = tokens_of(backbone.text_tower(), "x")
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyzABC   0123456789'-.,;:!?()éßøñ火車½²Ⅳ_")
    drawn = ["".join(rng.choice(letters, rng.integers(1, 80))) for _ in range(300)]
    assert (mine.ids(TEXTS + drawn, cut=True) == theirs(TEXTS + drawn).numpy()).all()
    assert mine.ids([""]).tolist() == theirs([""]).tolist()
    with pytest.raises(PromptError, match="has 122 tokens, the limit is 40; shorten it"):
        mine.ids(TEXTS)


def test_a_tower_that_reads_all_positions(tmp_path):
    config = {"embed_dim": 16, "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
              "text_cfg": {"context_length": 20, "width": 64, "heads": 2, "layers": 1, "pool_type": "first",
                           "no_causal_mask": True}}  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(config | {"custom_text": True}))
    backbone = load_backbone(f"random:{tmp_path / 'c.json'}")
    file = TextFile(export_text(backbone, tmp_path / "t.onnx").path)
    assert not file.card.causal
    tower = backbone.text_tower()
    with torch.no_grad():
        want = tower.encode_texts(TEXTS[:1]).numpy()
    assert np.abs(file.texts(TEXTS[:1]) - want / np.linalg.norm(want)).max() < 1e-5


def test_pictures_and_texts_in_one_space_without_torch(written, tmp_path):
    """Through the command, for the bundled model, whose file gives the pictures."""
    app = typer.Typer()
    app.command()(export)
    done = CliRunner().invoke(app, ["--text", "--out", str(tmp_path / "text.onnx")])
    assert done.exit_code == 0 and "a47c07461dcc2c6b" in done.stdout and len(done.stdout.splitlines()) == 1
    detector = zsad.load(str(asset("tiny.onnx")))
    embedder = ClipEmbedder(detector, TextFile(tmp_path / "text.onnx"))
    assert embedder.has_texts
    pictures, texts = embedder.images([Image.new("RGB", (40, 30), (200, 0, 90))]), embedder.texts(TEXTS)
    through_torch = ClipEmbedder(zsad.load(f"local-dir:{asset('tiny.onnx').parent / 'tiny'}"))
    assert pictures.shape[1] == texts.shape[1] and np.abs(texts - through_torch.texts(TEXTS)).max() < 1e-4
    with pytest.raises(ModelError, match="don't compare; export the text tower of that model"):
        ClipEmbedder(detector, TextFile(written.path))
    refused = CliRunner().invoke(app, ["--text", "--int8", "--out", str(tmp_path / "x.onnx")])
    assert isinstance(refused.exception, UsageError)


def test_what_is_no_text_tower(written, backbone, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="is no text tower; write one with `zsad export --text"):
        TextFile(asset("tiny.onnx"))
    with pytest.raises(ModelError, match="no such file"):
        TextFile(tmp_path / "absent.onnx")
    with pytest.raises(CardError, match="has no model card"):
        OnnxDetector(written.path)
    monkeypatch.setattr(backbone.text_tower(), "_tokenizer", object())
    with pytest.raises(ModelError, match="its tokenizer is none of CLIP's"):
        export_text(backbone, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
