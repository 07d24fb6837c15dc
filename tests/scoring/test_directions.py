"""The numpy scorer: against its torch twin, against a plain softmax, and with several kinds of anomaly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.card import ModelCard
from zsad.errors import PromptError
from zsad.scoring import DirectionScorer
from zsad.scoring.directions import any_probability
from zsad.types import Features, PromptVectors

S, PATCH, D = 32, 8, 12
G = S // PATCH
KINDS = ("scratch", "dent", "stain")


def card(**changes):
    values = {"image_size": S, "patch_size": PATCH, "embed_dim": D, "layers": (2, 3), "vv_blocks": 1, "sigma": 2.0}
    return ModelCard.of(**(values | changes))


def vectors(names=("anomalous",), layers=2, seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((layers + 1, 1 + len(names), D)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=-1, keepdims=True)
    return PromptVectors(drawn[0], drawn[1:], names)


def features(batch=3, layers=2, seed=1):
    rng = np.random.default_rng(seed)
    cls, patches = rng.standard_normal((batch, D)) * 4, rng.standard_normal((batch, layers, G * G, D)) * 2
    return Features(cls.astype(np.float32), patches.astype(np.float32), G)


def softmax_of_all(x, texts, temperature, reduction):
    """p_anomalous of one feature, every softmax written out, in float64."""
    x = np.asarray(x, np.float64)
    logits = np.array([float(x @ t) / np.linalg.norm(x) / temperature for t in np.asarray(texts, np.float64)])
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return p[1:].sum() if reduction == "sum" else p[1:].max()


@pytest.mark.parametrize("names", [("anomalous",), KINDS])
@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_reference_softmax_written_out(names, reduction):
    of = card(classes=names, reduction=reduction, score_rule="cls", sigma=0.0, layer_weights=(0.3, 0.7))
    v, f = vectors(names), features()
    maps, scores = DirectionScorer(v, of).score(f)
    tau = of.scoring.temperature
    for b in range(3):
        assert scores[b] == pytest.approx(softmax_of_all(f.cls[b], v.image, tau, reduction), abs=1e-5)
    grid = np.array(
        [
            sum(
                weight * softmax_of_all(f.patches[0, layer, n], v.pixel[layer], tau, reduction)
                for layer, weight in enumerate((0.3, 0.7))
            )
            for n in range(G * G)
        ]
    ).reshape(G, G)
    # Up-sampled by a whole factor, bilinear values at the middle of four pixels are means of the patches around them.
    assert maps.shape == (3, S, S) and maps.dtype == np.float32
    corner = maps[0, 0, 0], maps[0, -1, -1]
    assert corner == pytest.approx((grid[0, 0], grid[-1, -1]), abs=1e-5)
    assert maps[0, 7:9, 7:9].mean() == pytest.approx(grid[:2, :2].mean(), abs=1e-5)


@pytest.mark.torch
@pytest.mark.parametrize("names", [("anomalous",), KINDS])
@pytest.mark.parametrize("rule", ["cls", "map_top1", "fused(0.4)"])
@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_torch_twin_agrees(names, rule, reduction):
    torch = pytest.importorskip("torch")
    of = card(classes=names, score_rule=rule, reduction=reduction)
    scorer, f = DirectionScorer(vectors(names), of), features()
    maps, scores = scorer.score(f)
    twin_maps, twin_scores = scorer.module()(torch.from_numpy(f.cls), torch.from_numpy(f.patches))
    np.testing.assert_allclose(maps, twin_maps.numpy(), rtol=0, atol=2e-6)
    np.testing.assert_allclose(scores, twin_scores.numpy(), rtol=0, atol=2e-6)


@given(st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=6))
def test_any_probability_is_a_probability(logits):
    x = np.array(logits, np.float32)
    total, likeliest = any_probability(x, "sum"), any_probability(x, "max")
    assert 0 <= likeliest <= total + 1e-6 <= 1 + 2e-6
    if len(logits) == 1:
        assert total == pytest.approx(1 / (1 + np.exp(-np.float64(x[0]))), abs=1e-6) and likeliest == total


def test_another_class_can_only_raise_the_sum():
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    assert (any_probability(x, "sum") >= any_probability(x[:, :3], "sum") - 1e-7).all()


def test_one_image_does_not_depend_on_another():
    scorer = DirectionScorer(vectors(), card(score_rule="fused(0.5)"))
    f = features()
    maps, scores = scorer.score(f)
    one_map, one_score = scorer.score(Features(f.cls[1:2], f.patches[1:2], G))
    np.testing.assert_allclose(one_map[0], maps[1], atol=1e-6)
    assert one_score[0] == pytest.approx(scores[1], abs=1e-6)


@pytest.mark.parametrize(
    "wrong", [vectors(layers=1), vectors(KINDS), PromptVectors.shared(np.eye(2, 7, dtype=np.float32), 2)]
)
def test_errors_vectors_of_another_shape(wrong):
    with pytest.raises(PromptError, match="do not fit"):
        DirectionScorer(wrong, card())


def test_errors_features_and_vectors():
    with pytest.raises(ValueError, match="features are"):
        Features(np.zeros((2, 3), np.float32), np.zeros((2, 1, 5, 3), np.float32), 2)
    with pytest.raises(ValueError, match="image vectors"):
        PromptVectors(np.eye(1, 4, dtype=np.float32), np.eye(1, 4, dtype=np.float32)[None], ())
    with pytest.raises(ValueError, match="pixel vectors"):
        PromptVectors(np.eye(2, 4, dtype=np.float32), np.eye(3, 4, dtype=np.float32)[None])
