from __future__ import annotations

import importlib
import logging
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnxscript import ir

from zsad.backbone import load_backbone
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.torch_detector import TorchDetector
from zsad.errors import ConfigError, ModelError, OutputError, PromptError, UsageError
from zsad.onnx_export import TOLERANCES, Tolerance, compare, export, float16_weights, graph, int8_weights
from zsad.onnx_export.recipe import Recipe, Store, write
from zsad.prompt.words import Words
from zsad.scoring import DirectionScorer
from zsad.types import PromptVectors, Thresholds

module = importlib.import_module("zsad.onnx_export.write")


def swapped_directions(vectors):
    return PromptVectors(vectors.image[::-1].copy(), vectors.pixel[:, ::-1].copy())


@pytest.fixture
def traced_once(detector, exported, monkeypatch):
    """For what comes after tracing, which takes nearly all of an export's time: the shared detector's graph is read."""
    own = detector.scorer.module()

    def trace(backbone, head, opset, *, features):
        assert (backbone, opset, features) == (detector.backbone, 20, False)
        assert all(torch.equal(a, b) for a, b in zip(head.buffers(), own.buffers(), strict=True))
        model = onnx.load(exported)
        del model.metadata_props[:]
        return ir.from_proto(model)

    monkeypatch.setattr(module, "trace", trace)


def test_graph(exported):
    """One free batch axis, directions that may be left out, and nothing of the machine it was made on."""
    model = onnx.load(exported)
    shapes = {
        entry.name: [d.dim_param or d.dim_value for d in entry.type.tensor_type.shape.dim]
        for entry in [*model.graph.input, *model.graph.output]
    }
    batch = shapes["score"][0]
    assert isinstance(batch, str)
    assert shapes == {
        "image": [batch, 3, 96, 96],
        "image_direction": [32],
        "pixel_direction": [2, 32],
        "map": [batch, 96, 96],
        "score": [batch],
    }
    assert {"image_direction", "pixel_direction"} <= {i.name for i in model.graph.initializer}
    assert not any(n.doc_string or n.metadata_props for n in model.graph.node)
    text = exported.read_bytes()
    assert b".py" not in text
    assert b"site-packages" not in text
    assert {n.name.split(".")[0].split("/")[0] for n in model.graph.node} <= {"backbone", "head", "graph"}
    assert not any(i.name.startswith("backbone.text") for i in model.graph.initializer)


class Attention(torch.nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, scale=0.3) + F.scaled_dot_product_attention(q, v, k)


def test_attention_is_two_products_and_a_softmax(tmp_path):
    q, k, v = torch.randn(3, 2, 3, 7, 5, generator=torch.Generator().manual_seed(0))
    table = {graph.ATTENTION: graph.attention}
    program = torch.onnx.export(Attention().eval(), (q, k, v), dynamo=True, custom_translation_table=table)
    program.save(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), (q, k, v), strict=True)})
    logits = np.einsum("bhtd,bhsd->bhts", q, k) * 0.3, np.einsum("bhtd,bhsd->bhts", q, v) / 5**0.5
    weights = [np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in logits]
    np.testing.assert_allclose(found, weights[0] @ v.numpy() + weights[1] @ k.numpy(), atol=1e-6)
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node)
    assert kinds == {"Mul": 2, "Transpose": 2, "MatMul": 4, "Softmax": 2, "Add": 1}


def test_masked_attention_is_refused():
    with pytest.raises(ModelError, match="mask"):
        graph.attention(torch.zeros(1, 1, 2, 4), None, None, torch.zeros(2, 2))


def test_report(detector, tmp_path):
    report = export(detector, tmp_path / "deep" / "m.onnx", opset=23)
    assert report.path.stat().st_size == report.size
    assert report.difference.map < 1e-5
    assert report.tolerance == TOLERANCES["float32"]
    assert report.opset == onnx.load(report.path).opset_import[0].version == 23
    assert sorted(p.name for p in report.path.parent.iterdir()) == ["m.onnx"]


@pytest.mark.usefixtures("traced_once")
@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (Thresholds(0.3, 0.4, 0.01), None),
        (Thresholds(0.3, 0.4, rule="score"), "score"),
        (Thresholds("never", 0.4), "region"),
    ],
)
def test_thresholds_go_into_the_card(detector, tmp_path, given, rule, photos):
    judged = detector.with_options(thresholds=given)
    export(judged, tmp_path / "m.onnx")
    read = OnnxDetector(tmp_path / "m.onnx")
    assert (read.thresholds.rule, read.thresholds.source) == (rule, "the model's card")
    ours, theirs = judged(photos[0]), read(photos[0])
    assert (ours.verdict, ours.fired, ours.level) == (theirs.verdict, theirs.fired, theirs.level)


def test_thresholds_that_nothing_reaches_have_no_place_in_a_card(detector, tmp_path):
    with pytest.raises(UsageError, match="nothing reaches"):
        export(detector.with_thresholds(Thresholds("never", "never")), tmp_path / "m.onnx")


@pytest.mark.parametrize("rule", ["cls", "map_top1"])
def test_score_rules(detector, tmp_path, rule):
    card = detector.card.changed(score_rule=rule, sigma=0.0)
    other = TorchDetector(detector.backbone, DirectionScorer(detector.scorer.vectors, card), card)
    assert export(other, tmp_path / "m.onnx").difference.score < 1e-5


@pytest.mark.usefixtures("traced_once")
@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_smaller_weights(detector, exported, tmp_path, photos, caplog, weights):
    with caplog.at_level(logging.WARNING):
        report = export(detector, tmp_path / "m.onnx", weights=weights)
    assert caplog.text == ""
    # Position tables, norms and biases of so small a model stay float32.
    assert report.size < 0.75 * exported.stat().st_size
    small = OnnxDetector(report.path)
    assert small.card == detector.card
    found = compare(detector, small, photos)
    assert found.map < TOLERANCES[weights].map
    swapped = swapped_directions(detector.scorer.vectors)
    a, b = small(photos[0]), small.with_vectors(swapped, "swapped")(photos[0])
    np.testing.assert_allclose(a.map, 1 - b.map, atol=1e-3)


def test_smaller_weights_of_a_file(exported, tmp_path, photos):
    for make in (float16_weights, int8_weights):
        make(exported, tmp_path / "small.onnx")
        assert OnnxDetector(tmp_path / "small.onnx", words=Words("industrial"))(photos[0]).score > 0
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]


@pytest.mark.usefixtures("traced_once")
def test_weights_beside_the_graph(detector, tmp_path, photos):
    report = export(detector, tmp_path / "m.onnx", split=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert report.size > 2 * report.path.stat().st_size
    assert OnnxDetector(report.path)(photos[0]).score == pytest.approx(detector(photos[0]).score, abs=1e-5)
    (tmp_path / "m.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"m\.onnx.*weights file"):
        OnnxDetector(report.path)
    export(detector, tmp_path / "m.onnx")  # whole again, and no stale weights file
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.usefixtures("traced_once")
def test_too_far_is_not_written(detector, tmp_path, monkeypatch):
    before = export(detector, tmp_path / "m.onnx").path.stat()
    monkeypatch.setitem(module.TOLERANCES, "float32", Tolerance(map=1e-12, score=1e-12))
    with pytest.raises(ModelError, match=r"m\.onnx: not written"):
        export(detector, tmp_path / "m.onnx")
    after = (tmp_path / "m.onnx").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_the_place_is_tried_before_the_work(detector, tmp_path, monkeypatch):
    def work(*_, **__):
        raise AssertionError("worked for a file that can't be written")

    monkeypatch.setattr(module, "trace", work)
    monkeypatch.setattr("zsad.onnx_export.recipe.load_detector", work)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="in the way"):
        export(detector, tmp_path / "file" / "m.onnx")
    with pytest.raises(OutputError, match="in the way"):
        write(Recipe(model="random:x"), tmp_path / "file" / "m.onnx")
    with pytest.raises(AssertionError, match="worked"):
        export(detector, tmp_path / "new" / "m.onnx")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.usefixtures("traced_once")
def test_errors(detector, random_id, tmp_path):
    with pytest.raises(UsageError, match="opset 11"):
        export(detector, tmp_path / "m.onnx", opset=11)
    with pytest.raises(UsageError, match="weights"):
        export(detector, tmp_path / "m.onnx", weights="int4")
    with pytest.raises(UsageError, match="two images"):
        export(detector, tmp_path / "m.onnx", check=[np.zeros((96, 96), np.uint8)])
    with pytest.raises(OutputError, match="folder"):
        export(detector, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="in the way; choose another place"):
        export(detector, tmp_path / "file" / "m.onnx")
    half = load_backbone(random_id, image_size=96, layers=(1, 3), vv_blocks=2, dtype="bfloat16")
    with pytest.raises(ModelError, match="dtype='float32'"):
        export(
            TorchDetector(half, DirectionScorer(detector.scorer.vectors, detector.card), detector.card),
            tmp_path / "m.onnx",
        )


def test_compare_finds_a_difference(detector, photos):
    vectors = swapped_directions(detector.scorer.vectors)
    found = compare(detector, detector.with_vectors(vectors, "swapped"), photos)
    assert found.map > 0.01
    assert compare(detector, detector, photos).map < 1e-5


def test_recipe(random_id, tmp_path, photos):
    recipe = Recipe(model=random_id, normal="clean", anomalous="broken", image_size=64, store=Store(("medical",)))
    report = write(recipe, tmp_path / "m.onnx")
    one = OnnxDetector(report.path)
    assert (one.card.input.image_size, one.card.scoring.prompt) == (64, "clean | broken")
    assert list(one.phrases.pairs) == ["medical"]
    with pytest.raises(PromptError, match="no such prompt"):
        write(replace(recipe, store=Store(("nonsense",))), tmp_path / "n.onnx")


def test_training_state_and_threads_are_left_alone(detector):
    assert not detector.backbone.training
    assert torch.is_grad_enabled()


def test_recipes_that_are_shipped_can_be_read():
    from pathlib import Path

    from zsad.config import from_mapping, from_yaml

    recipes = sorted((Path(__file__).parents[2] / "export" / "recipes").glob("*.yaml"))
    assert recipes
    named = {path.stem: from_yaml(Recipe, path).model for path in recipes}
    assert {name for name, model in named.items() if not model} == {"cpu-fp32", "cpu-int8", "gpu-fp16"}
    with pytest.raises(ConfigError, match="unknown key"):
        from_mapping(Recipe, {"modell": "x"})


def test_timm_tower(tmp_path, monkeypatch):
    import timm

    from zsad.prompt.ensemble import PromptVectors

    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=3))  # as 12 blocks, in less time
    backbone = load_backbone("random:timm:vit_tiny_patch16_224", image_size=64, layers=(2, 3), vv_blocks=2)
    pair = np.eye(2, backbone.info.embed_dim, dtype=np.float32)
    detector = TorchDetector(backbone, DirectionScorer(PromptVectors.shared(pair, 2), backbone.card(head="weights")))
    assert export(detector, tmp_path / "m.onnx").difference.map < 1e-5
