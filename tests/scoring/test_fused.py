import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import zsad
from tests.scoring.test_memory import S, card, features, memory
from zsad.errors import ModelError
from zsad.scoring import FusedScorer, Fusion, Memory, MemoryScorer
from zsad.scoring.memory import half
from zsad.types import PromptVectors


@given(st.floats(0, 1), st.floats(0.05, 0.9), st.floats(0, 0.04), st.integers(0, 99))
def test_the_rule(weight, scale, centre, seed):
    """The map lies between both, keeps the order of the network's own, and is one of them at the ends."""
    a, b = np.random.default_rng(seed).random((2, 5, 5), np.float32)
    rule = Fusion(weight, scale, centre)
    fused, drawn = rule.map(a, b), rule.drawn(b)
    assert (fused >= np.minimum(a, drawn) - 1e-6).all() and (fused <= np.maximum(a, drawn) + 1e-6).all()
    assert drawn.min() >= 0 and drawn.max() <= 1
    order = np.argsort(b.ravel())
    assert (np.diff(drawn.ravel()[order]) >= 0).all()
    assert Fusion(0.3, scale, centre).drawn(np.float32([scale, centre, 0])) == pytest.approx([0.5, 0, 0], abs=1e-5)
    assert np.allclose(Fusion(1.0, scale, centre).map(a, b), a)


def test_features_alone_are_not_enough():
    with pytest.raises(ModelError, match="own map"):
        FusedScorer(memory(), Fusion(0.5, 0.5), card()).score(features(1))


def test_fuse_is_the_rule_on_the_memory_s_map():
    seen, own = features(2), np.random.default_rng(0).random((2, S, S), np.float32)
    maps, scores = FusedScorer(memory(), Fusion(0.25, 0.4, 0.1), card()).fuse(seen, own, own[:, 0, 0])
    by_memory, _ = MemoryScorer(memory(), card()).score(seen)
    above = np.maximum(own - 0.1, 0)
    want = 0.25 * by_memory + 0.75 * above / (above + 0.3)
    assert np.allclose(maps, want, atol=1e-6)
    assert scores == pytest.approx([np.sort(m.ravel())[-10:].mean() for m in want], abs=1e-6)


def test_the_card_names_the_rule_and_both_of_its_sides():
    """What another fused score has is another fingerprint, so that thresholds of one don't pass for the other's."""
    rules = [Fusion(0.5, 0.4, 0.1), Fusion(0.6, 0.4, 0.1), Fusion(0.5, 0.5, 0.1), Fusion(0.5, 0.4, 0.2)]
    cards = [FusedScorer(memory(), rule, card()).card() for rule in rules]
    cards.append(FusedScorer(memory(), rules[0], card().changed(sigma=2.0)).card())
    assert len(set(cards)) == 5 and cards[0] == FusedScorer(memory(), rules[0], card()).card()


def test_the_bundled_model_hands_on_both():
    detector = zsad.load()
    picture = "examples/nut_smear.jpg"
    memo = Memory((half(detector.features(["examples/knit_good.jpg"]).patches[0, 0]),))
    fused = detector.with_scorer(FusedScorer(memo, Fusion(0.5, 0.3), detector.card))
    parts = (detector.with_scorer(MemoryScorer(memo, detector.card)).raw(picture)[0], detector.raw(picture)[0])
    assert np.allclose(fused.raw(picture)[0], Fusion(0.5, 0.3).map(*parts), atol=1e-6)
    assert fused.card.scoring.head == "fused"


def test_words_that_score_beside_a_memory_are_not_lost():
    """Vectors of another number of classes are a scorer of their own: the fused map is made of theirs."""
    detector = zsad.load()
    drawn = np.random.default_rng(0).standard_normal((3, 128)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    own = detector.with_vectors(PromptVectors.shared(drawn, 1, ("scratch", "dent")), "kinds")
    memo = Memory((half(detector.features(["examples/knit_good.jpg"]).patches[0, 0]),))
    fused = own.with_scorer(FusedScorer(memo, Fusion(0.5, 0.3), own.card))
    picture = "examples/nut_smear.jpg"
    want = Fusion(0.5, 0.3).map(
        detector.with_scorer(MemoryScorer(memo, detector.card)).raw(picture)[0], own.raw(picture)[0]
    )
    assert np.allclose(fused.raw(picture)[0], want, atol=1e-6)
