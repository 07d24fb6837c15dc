"""Features of both kinds of detector, and scorers on them that neither was made for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from zsad.card import CardScoring
from zsad.detector.onnx_detector import OnnxDetector
from zsad.detector.torch_detector import TorchDetector
from zsad.errors import InputError, ModelError, UsageError
from zsad.onnx_export import export
from zsad.scoring import DirectionScorer
from zsad.types import Features, PromptVectors


class Surprise:
    """A scorer in ten lines: how far a patch is from the mean patch of its own image."""

    def card(self):
        return CardScoring(head="surprise", image_threshold=0.3, pixel_threshold=0.4, calibrated=True)

    def score(self, features):
        patches = features.patches[:, -1]  # (B, N, D)
        away = np.linalg.norm(patches - patches.mean(axis=1, keepdims=True), axis=-1)  # (B, N)
        maps = (away / (1 + away)).reshape(-1, features.grid, features.grid).astype(np.float32)
        return maps, maps.max(axis=(1, 2))


@pytest.fixture(scope="module")
def with_features(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "m.onnx"
    export(detector, path, features=True)
    return OnnxDetector(path)


def test_outputs(with_features, exported, photos):
    model = onnx.load(str(with_features._source), load_external_data=False)
    assert [output.name for output in model.graph.output] == ["map", "score", "cls", "patches"]
    plain = OnnxDetector(exported)
    a, b = with_features(photos[0]), plain(photos[0])
    np.testing.assert_array_equal(a.map, b.map)
    assert a.score == b.score


def test_features_agree(with_features, detector, photos):
    ours, theirs = with_features.features(photos), detector.features(iter(photos), batch_size=1)
    assert len(ours) == len(photos) and ours.grid == detector.card.grid
    np.testing.assert_allclose(ours.cls, theirs.cls, rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours.patches, theirs.patches, rtol=0, atol=1e-4)


def test_a_scorer_of_ten_lines_runs_on_both(with_features, detector, photos):
    onnx_side, torch_side = with_features.with_scorer(Surprise()), detector.with_scorer(Surprise())
    for a, b, photo in zip(onnx_side.batch(photos), torch_side.batch(photos), photos, strict=True):
        assert a.map.shape == photo.shape[:2] if isinstance(photo, np.ndarray) else True
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-4)
        assert a.score == pytest.approx(b.score, abs=1e-4)
        assert (a.thresholds.image, a.thresholds.pixel) == (0.3, 0.4)
    assert onnx_side.card.scoring.head == torch_side.card.scoring.head == "surprise"
    assert onnx_side.with_options(tile=64).scorer is onnx_side.scorer
    assert detector.card.scoring.head == "prompt" and detector.scorer is not torch_side.scorer


def test_the_numpy_scorer_gives_what_the_graph_gives(with_features, detector, photos):
    scorer = DirectionScorer(detector.scorer.vectors, detector.card)
    for a, b in zip(with_features.with_scorer(scorer).batch(photos), with_features.batch(photos), strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-5)
        assert a.score == pytest.approx(b.score, abs=1e-5)


def three_kinds(detector):
    rng = np.random.default_rng(4)
    drawn = rng.standard_normal((4, detector.card.reading.embed_dim)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return PromptVectors.shared(drawn, len(detector.card.reading.layers), ("scratch", "dent", "stain"))


def test_several_kinds_of_anomaly(with_features, detector, photos, tmp_path):
    torch_side = detector.with_vectors(three_kinds(detector), "kinds")
    assert torch_side.card.scoring.classes == ("scratch", "dent", "stain")
    export(torch_side, tmp_path / "kinds.onnx")
    exported = OnnxDetector(tmp_path / "kinds.onnx")
    on_features = with_features.with_vectors(three_kinds(detector), "kinds")
    for a, b, c in zip(torch_side.batch(photos), exported.batch(photos), on_features.batch(photos), strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-4)
        np.testing.assert_allclose(a.map, c.map, rtol=0, atol=1e-4)
    again = exported.with_vectors(three_kinds(detector), "again")
    np.testing.assert_allclose(again(photos[0]).map, exported(photos[0]).map, rtol=0, atol=1e-6)


def test_errors(exported, detector, tmp_path):
    plain = OnnxDetector(exported)
    with pytest.raises(ModelError, match="zsad export --features"):
        plain.features([np.zeros((40, 40), np.uint8)])
    with pytest.raises(ModelError, match="zsad export --features"):
        plain.with_scorer(Surprise())
    with pytest.raises(InputError, match="at least one"):
        detector.features([])
    with pytest.raises(UsageError, match="list of images"):
        detector.features("folder/")
    with pytest.raises(ModelError, match="no torch twin"):
        export(detector.with_scorer(Surprise()), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())
    assert isinstance(detector.features([np.zeros((40, 40), np.uint8)]), Features)
    assert isinstance(detector, TorchDetector)
