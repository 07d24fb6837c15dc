"""Mutual scores: against a loop over all patches, their laws, and the ring of last images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from tests.scoring.test_memory import D, G, card, patches
from zsad.errors import InputError
from zsad.scoring.memory import unit
from zsad.scoring.mutual import (
    SHARE,
    MutualScorer,
    RingScorer,
    mutual_distances,
    neighbourhoods,
    same_picture,
    views_of,
)
from zsad.types import Features


def pool_of(count, seed=3):
    return [views_of(one) for one in patches(count, seed)]


def test_distances_are_those_of_a_loop():
    mine, others = patches(1, 1)[0], patches(7, 2)
    have = mutual_distances(views_of(mine), [views_of(one) for one in others])
    want = np.zeros(G * G)
    for side in (1, 3):
        a = unit(neighbourhoods(unit(mine), side)).astype(np.float16).astype(float)
        bs = [unit(neighbourhoods(unit(one), side)).astype(np.float16).astype(float) for one in others]
        for layer in range(2):
            for n in range(G * G):
                each = sorted(min((1 - float(a[layer, n] @ row)) / 2 for row in b[layer]) for b in bs)
                want[n] += np.mean(each[: int(7 * SHARE)]) / 4
    assert np.allclose(have, want, atol=1e-5)


def test_neighbourhoods_are_box_means_with_what_is_there():
    x = patches(1, 5)[0]
    grid = x.reshape(2, G, G, D)
    zeros, ones = (uniform_filter(a, (0, 3, 3, 0), mode="constant") for a in (grid, np.ones_like(grid)))
    assert np.allclose(neighbourhoods(x, 3), (zeros / ones).reshape(x.shape), atol=1e-5)
    assert neighbourhoods(x, 1) is x


@given(st.integers(0, 999), st.permutations(range(6)))
@settings(max_examples=15, deadline=None)
def test_order_and_presence_in_the_pool_change_nothing(seed, order):
    pool = pool_of(6, seed)
    seen = patches(1, seed + 1)[0]
    found = mutual_distances(views_of(seen), pool)
    assert (mutual_distances(views_of(seen), [pool[i] for i in order]) == found).all()
    assert (mutual_distances(views_of(seen), [*pool, views_of(seen), views_of(seen * 2)]) == found).all()
    assert 0 <= found.min() <= found.max() <= 1


def test_what_few_have_is_far():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((2, G * G, D)).astype(np.float32)
    batch = common + rng.normal(0, 0.05, (12, 2, G * G, D)).astype(np.float32)
    batch[4, :, 9] = rng.standard_normal((2, D))
    scorer = MutualScorer([views_of(one) for one in batch], card())
    maps, scores = scorer.score(Features(np.ones((12, D), np.float32), batch, G))
    assert scores.argmax() == 4 and scores[4] > 1.5 * np.delete(scores, 4).max()
    assert np.unravel_index(maps[4].argmax(), maps[4].shape)[0] // 8 == 9 // G
    assert scorer.card().head == "mutual"


def test_a_pool_of_the_last_layer_alone():
    batch = patches(4, 21)
    last = MutualScorer([views_of(one[1:]) for one in batch], card(layers=(3,)))
    both = MutualScorer([views_of(one[1:]) for one in batch], card())
    ones = np.ones((4, D), np.float32)
    assert (last.score(Features(ones, batch[:, 1:], G))[1] == both.score(Features(ones, batch, G))[1]).all()


def test_too_few_images():
    for count in (0, 1):
        with pytest.raises(InputError, match="at least 2 images"):
            MutualScorer(pool_of(count) if count else [], card())
    one = pool_of(1)[0]
    with pytest.raises(InputError, match="same picture"):
        MutualScorer([one, one], card())
    assert same_picture(one, one) and not same_picture(one, pool_of(1, 9)[0])


def test_the_ring_forgets():
    stream = patches(9, 11)
    ring = RingScorer([views_of(one) for one in stream[:3]], card(), last=3)
    assert ring.in_order and ring.card().prompt == "the last 3 images"
    singly = [ring.score(Features(np.ones((1, D), np.float32), stream[i : i + 1], G))[1][0] for i in range(9)]
    other = RingScorer([views_of(one) for one in stream[:3]], card(), last=3)
    together = other.score(Features(np.ones((9, D), np.float32), stream, G))[1]
    assert np.allclose(singly, together)
    kept = [views_of(one) for one in stream[5:8]]
    want = ring._smoothed(views_of(stream[8]), kept)
    assert singly[8] == pytest.approx(np.sort((want / (want + ring._scale)).ravel())[-10:].mean(), abs=1e-6)
