import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from zsad.scoring.coreset import coreset, covering_radius, farthest_first, projected
from zsad.scoring.memory import unit


def drawn(count, width, seed):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@given(count=st.integers(2, 120), width=st.integers(1, 9), seed=st.integers(0, 2**16), share=st.floats(0.05, 1))
@settings(max_examples=60, deadline=None)
def test_farthest_first_is_a_loop_over_all_distances(count, width, seed, share):
    """Each choice is as far as any other from those before; what rounding can't tell apart may go either way."""
    x, size = drawn(count, width, seed), max(1, int(share * count))
    found = farthest_first(x, size, seed)
    assert len(set(found.tolist())) == size
    table = cdist(x.astype(np.float64), x.astype(np.float64))
    for k in range(1, size):
        distance = table[:, found[:k]].min(axis=1)
        assert distance[found[k]] ** 2 >= distance.max() ** 2 - 1e-4


def test_the_radius_is_at_most_twice_the_best():
    """Seven tight bunches: seven centres are the best choice, and greedy finds one in each."""
    rng = np.random.default_rng(0)
    middle = unit(rng.standard_normal((7, 20)))
    x = unit(middle[rng.integers(7, size=400)] + rng.normal(0, 0.01, (400, 20)))
    found = coreset(x, 7, seed=3)
    nearest_middle = cdist(x[found.indices], middle).argmin(axis=1)
    assert sorted(nearest_middle) == list(range(7)) and found.radius < 0.01
    assert coreset(x, 6, seed=3).radius > 0.1


def test_radius_against_all_pairs_and_few_vectors():
    x = unit(drawn(300, 90, 1))
    found = coreset(x, 40, seed=1)
    want = ((1 - (x @ x[found.indices].T)) / 2).min(axis=1).max()
    assert found.radius == pytest.approx(want, abs=1e-6) and covering_radius(x, x, 7) < 1e-6
    whole = coreset(x, 300)
    assert whole.radius == 0 and (whole.indices == np.arange(300)).all()
    assert (coreset(x, 40, seed=1).indices == found.indices).all()
    assert (coreset(x, 40, seed=2).indices != found.indices).any()


def test_copies_are_chosen_once():
    x = np.repeat(drawn(5, 3, 0), 4, axis=0)
    assert len(set(farthest_first(x, 20, 0).tolist())) == 20


def test_the_projection_keeps_distances_on_average():
    x = unit(drawn(200, 384, 0))
    small = projected(x, 0)
    pairs = np.triu_indices(200, 1)
    ratio = cdist(small, small)[pairs] / cdist(x, x)[pairs]
    assert small.shape == (200, 64) and abs(ratio.mean() - 1) < 0.05 and ratio.std() < 0.15
