"""The memory: against scikit-learn and a float64 loop, its laws, and a detector that uses it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sklearn.neighbors import NearestNeighbors

import zsad
from zsad.card import ModelCard
from zsad.errors import ModelError
from zsad.scoring.foreground import Foreground, find_foreground
from zsad.scoring.memory import Memory, distances, half, nearest, unit
from zsad.scoring.memory_scorer import MemoryScorer
from zsad.types import Features

S, PATCH, D = 32, 8, 12
G = S // PATCH


def card(layers=(2, 3), **changes):
    values = {"image_size": S, "patch_size": PATCH, "embed_dim": D, "layers": layers, "vv_blocks": 1}
    return ModelCard.of(**(values | changes))


def patches(count, seed=0, layers=2):
    return np.random.default_rng(seed).standard_normal((count, layers, G * G, D)).astype(np.float32) * 3


def features(count, seed=0):
    return Features(np.ones((count, D), np.float32), patches(count, seed), G)


def memory(count=3, seed=7, **more):
    normal = half(patches(count, seed))
    return Memory(tuple(normal[:, n].reshape(-1, D) for n in range(2)), **more)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (7, 5), (30, 2500)])
def test_nearest_is_scikit_learns_brute_force(n, m):
    rng = np.random.default_rng(n)
    a, b = (unit(rng.standard_normal((count, 17))) for count in (n, m))
    found = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(b.astype(np.float64))
    want = 1 - found.kneighbors(a.astype(np.float64))[0][:, 0]
    for block in (1, 3, 1024):
        assert np.allclose(nearest(a, b, block), want, atol=1e-6)


def test_map_and_score_are_those_of_a_loop_in_float64():
    memo, scorer = memory(scale=0.2), MemoryScorer(memory(scale=0.2), card())
    seen = features(2)
    maps, scores = scorer.score(seen)
    assert maps.shape == (2, S, S) and maps.dtype == scores.dtype == np.float32
    for image in range(2):
        grid = np.zeros((G, G))
        for n in range(G * G):
            for layer in range(2):
                u = seen.patches[image, layer, n].astype(np.float64)
                best = max(float(u @ m) / np.linalg.norm(u) for m in memo.layers[layer].astype(np.float64))
                grid[n // G, n % G] += (1 - best) / 4
        at = np.clip((np.arange(S) + 0.5) / PATCH - 0.5, 0, G - 1)
        rows = np.stack([np.interp(at, np.arange(G), grid[:, j]) for j in range(G)], axis=1)
        large = np.stack([np.interp(at, np.arange(G), row) for row in rows])
        smooth = gaussian_filter(large, 4.0)
        want = smooth / (smooth + 0.2)
        assert np.allclose(maps[image], want, atol=1e-5)
        assert scores[image] == pytest.approx(np.sort(want.ravel())[-10:].mean(), abs=1e-5)


@given(st.integers(0, 2**16), st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_laws(seed, more):
    """Shown patches are at distance 0; more memory brings nothing farther; scale and order change no distance."""
    seen = patches(1, seed)[0]
    small = memory(2, seed + 1)
    known = Memory(tuple(np.concatenate([layer, half(seen[n])]) for n, layer in enumerate(small.layers)))
    assert distances(seen, known).max() < 2e-4
    larger = memory(2 + more, seed + 1)
    assert (distances(seen, larger) <= distances(seen, small) + 1e-6).all()
    turned = Memory(tuple(layer[::-1].copy() for layer in small.layers))
    assert np.allclose(distances(seen, small), distances(seen * 5, turned), atol=1e-6)
    found = distances(seen, small)
    assert found.min() >= 0 and found.max() <= 1


def test_an_image_is_scored_alone_whatever_its_batch():
    scorer = MemoryScorer(memory(), card())
    seen = features(5)
    maps, scores = scorer.score(seen)
    for i in range(5):
        one = scorer.score(Features(seen.cls[i : i + 1], seen.patches[i : i + 1], G))
        assert (one[0][0] == maps[i]).all() and one[1][0] == scores[i]


def test_a_memory_of_fewer_layers_is_of_the_last():
    whole, seen = memory(scale=0.2), features(1)
    last = Memory(whole.layers[1:], 0.2)
    alone = MemoryScorer(last, card(layers=(3,))).score(Features(seen.cls, seen.patches[:, 1:], G))
    assert (MemoryScorer(last, card()).score(seen)[0] == alone[0]).all()


def test_zero_and_constant_features_are_finite():
    maps, scores = MemoryScorer(memory(), card()).score(
        Features(np.zeros((2, D), np.float32), np.zeros((2, 2, G * G, D), np.float32), G)
    )
    assert np.isfinite(maps).all() and np.isfinite(scores).all()


def test_refusals():
    with pytest.raises(ModelError, match="2 layers of width 12 doesn't fit"):
        MemoryScorer(memory(), card(layers=(3,)))
    for layers, scale in (((), 1.0), ((np.zeros((0, 3), np.float32),), 1.0), ((np.ones((2, 3), np.float32),), 0.0)):
        with pytest.raises(ModelError, match="fit it again"):
            Memory(layers, scale)
    with pytest.raises(ModelError, match="finite"):
        Memory((np.full((2, 3), np.nan, np.float32),))


def test_foreground_is_the_part_and_not_its_background():
    rng = np.random.default_rng(0)
    inside = np.zeros((8, 8), bool)
    inside[2:6, 3:5] = True
    ground, part = unit(rng.standard_normal((2, 10)))
    grid = np.where(inside[..., None], part, ground) + rng.normal(0, 0.05, (3, 8, 8, 10))
    found = find_foreground(unit(grid.reshape(3, 64, 10)))
    assert found is not None
    grown = np.zeros((8, 8), bool)
    grown[1:7, 2:6] = True
    for one in unit(grid.reshape(3, 64, 10)):
        assert (found.mask(one).reshape(8, 8).astype(bool) == grown).all()
    noise = unit(rng.standard_normal((3, 64, 10)))
    assert find_foreground(noise) is None and find_foreground(np.ones((2, 64, 10), np.float32)) is None


def test_another_foreground_is_another_memory():
    layers, D = memory().layers, memory().layers[0].shape[1]
    along = [Foreground(np.eye(1, D, axis, dtype=np.float32)[0], 0.1) for axis in (0, 1)]
    assert len({Memory(layers, 0.1, foreground).name for foreground in (None, *along)}) == 3
    assert not Memory(layers, 0.1, Foreground(np.ones(D + 1, np.float32), 0.1)).fits(card())


def test_off_the_foreground_nothing_is_far():
    direction = np.zeros(D, np.float32)
    direction[0] = 1
    seen = patches(1)[0]
    with_mask = distances(seen, memory(foreground=Foreground(direction, 0.0)))
    mask = Foreground(direction, 0.0).mask(unit(seen)[-1])
    assert 0 < mask.mean() <= 1 and np.allclose(with_mask, distances(seen, memory()) * mask)


def test_the_bundled_model_takes_it():
    detector = zsad.load()
    seen = detector.features(["examples/knit_good.jpg"])
    taught = detector.with_scorer(MemoryScorer(Memory((half(seen.patches[0, 0]),)), detector.card))
    good, other = taught("examples/knit_good.jpg"), taught("examples/nut_smear.jpg")
    assert good.score < 0.01 < other.score and taught.card.scoring.head == "memory"
