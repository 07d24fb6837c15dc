"""Bins, blocks and samplers: laws, and the published rules beside the right ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.errors import InputError
from zsad.video import sampling


@given(st.integers(1, 3000), st.integers(1, 300))
def test_edges_are_exact_and_the_published_ones_at_most_one_lower(length, bins):
    exact, published = sampling.bin_edges(length, bins), sampling.bin_edges(length, bins, compat=True)
    assert exact.tolist() == [i * length // bins for i in range(bins + 1)]
    assert ((exact - published >= 0) & (exact - published <= 1)).all()


def test_some_published_edges_are_one_lower():
    assert sampling.bin_edges(205, 200)[120] == 123 and sampling.bin_edges(205, 200, compat=True)[120] == 122


@given(st.integers(1, 200), st.integers(1, 40))
def test_bins_keep_the_mean_where_they_are_equal(rows, bins):
    features = np.random.default_rng(rows).normal(size=(rows * bins, 2))
    found = sampling.bin_means(features, bins)
    assert found.shape == (bins, 2) and np.allclose(found.mean(axis=0), features.mean(axis=0), atol=1e-5)


@given(st.integers(1, 2000), st.integers(1, 300))
def test_blocks_cover_every_snippet_once(length, rows):
    spans = sampling.blocks(length, rows)
    assert [i for a, b in spans for i in range(a, b)] == list(range(length))
    published = sampling.blocks(length, rows, compat=True)
    assert len(published) == len(spans) + (length % rows == 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.integers(1, 50))
def test_density_follows_the_mass(scores, count):
    found = sampling.by_density(scores, count)
    assert len(found) == count and (np.diff(found) >= 0).all() and found.dtype == np.int64
    mass = np.asarray(scores) + 0.1
    share = np.bincount(found, minlength=len(scores)) / count
    # Each snippet gets its share of the samples, to within one sample.
    assert (np.abs(share - mass / mass.sum()) <= 1 / count + 1e-9).all()


def test_a_quiet_video_is_sampled_by_whole_numbers():
    found = sampling.by_density_published(np.zeros(30), 12)
    assert found.dtype == np.int64 and found.tolist() == [0, 3, 5, 8, 11, 13, 16, 18, 21, 24, 26, 29]


def test_threshold_and_intervals():
    scores = np.r_[np.zeros(10), np.ones(4), np.zeros(6)]
    assert sampling.by_threshold(scores, 4, 0.5).tolist() == [10, 11, 12, 13]
    assert sampling.by_threshold(scores, 2, 2.0).tolist() == [0, 19]
    found = sampling.by_interval(20, [(10, 14)], inside=4, outside=2)
    assert found.tolist() == [0, 10, 11, 12, 13, 19]
    assert sampling.by_interval(4, [(0, 4)], inside=9, outside=3).tolist() == [0, 1, 2, 3]


@given(st.integers(2, 60), st.data())
def test_inside_of_spans_is_denser(length, data):
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    found = sampling.by_interval(length, [(start, end)], inside=length, outside=1)
    assert set(range(start, end)) <= set(found.tolist())
    assert len(found) == end - start + (1 if end - start < length else 0)


@pytest.mark.parametrize("scores", [[], [-0.1, 1], [np.nan], [[0.1]]])
def test_scores_that_cannot_be_sampled_by(scores):
    with pytest.raises(InputError):
        sampling.by_density(scores, 3)


@pytest.mark.parametrize("span", [(3, 3), (-1, 2), (2, 9)])
def test_a_span_outside_of_the_video(span):
    with pytest.raises(InputError, match="does not lie in a video of 8"):
        sampling.by_interval(8, [span], 2, 2)
