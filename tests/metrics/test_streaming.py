import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.metrics.oracles import random_case
from zsad.metrics import pixel_metrics, streaming
from zsad.metrics.aupro import from_ordered_bits, ordered_bits
from zsad.metrics.regions import split_all
from zsad.metrics.streaming import (
    BINS,
    PixelAccumulator,
    PixelHistogram,
    allocate,
    first_bits,
    largest_bound,
    sampled_bits,
    stream,
)


def histogram_of(masks, maps, bits=None):
    histogram = PixelHistogram(bits)
    for pixels in split_all(masks, maps):
        histogram.add(pixels)
    return histogram


def assert_within_bound(approximate, exact):
    for name, metric in exact.items():
        got = approximate[name]
        if got.bound < 1:
            assert got.reason == metric.reason, name
        if got.reason:
            assert np.isnan(got.value), name
        else:
            assert abs(got.value - metric.value) <= got.bound + 1e-12, (name, got, metric)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([None, 3, 30]),
    st.integers(0, 7),
    st.sampled_from([(1.0, 0.0), (1e-3, 0.5), (4.0, -2.0), (1e6, 0.0)]),
)
@example(523, 3, 4, (1e-3, 0.5))  # in doubt whether two points lie below a rate of 0.3: exactly, one does
def test_property_error_is_within_its_bound(seed, levels, bits, affine):
    masks, maps = random_case(seed, n=3, h=9, w=8, levels=levels)
    maps = (maps * affine[0] + affine[1]).astype(np.float32)
    coarse = histogram_of(masks, maps, np.full(2**16, bits, np.uint8))
    assert_within_bound(coarse.metrics(), pixel_metrics(masks, maps))
    fine = histogram_of(masks, maps, coarse.refined().bits)
    assert_within_bound(fine.metrics(), pixel_metrics(masks, maps))


def test_one_value_per_bin_is_exact():
    masks, maps = random_case(1, levels=50)
    maps = 0.5 + maps / 1000  # few cells, so each can be split to single values
    coarse = histogram_of(masks, maps, np.zeros(2**16, np.uint8))
    fine = histogram_of(masks, maps, coarse.refined().bits).metrics()
    exact = pixel_metrics(masks, maps)
    for name, metric in fine.items():
        assert metric.bound == 0.0
        assert metric.value == pytest.approx(exact[name].value, abs=1e-12)
    assert fine["pixel_f1_max"].threshold == exact["pixel_f1_max"].threshold


@pytest.mark.parametrize("part", [1, 50, 2**20])
def test_counting_in_parts_changes_nothing(monkeypatch, part):
    masks, maps = random_case(3)
    maps -= 0.4  # negative scores too
    bits = np.random.default_rng(part).integers(0, 8, 2**16).astype(np.uint8)
    whole = histogram_of(masks, maps, bits)
    monkeypatch.setattr(streaming, "PART", part)
    assert histogram_of(masks, maps, bits).metrics() == whole.metrics()
    # Each score lies in the bin whose lowest score is the highest that doesn't exceed it.
    scores = maps[masks == 0]
    bins = whole._bin(ordered_bits(scores)).astype(int)
    assert all(whole._edge(i) <= score < whole._edge(i + 1) for i, score in zip(bins, scores, strict=True))
    assert np.array_equal(np.bincount(bins, minlength=whole._normal.size), whole._normal)


def test_second_pass_reaches_the_target():
    masks, maps = random_case(2, n=20, h=30, w=30)
    maps = (0.7 + maps * 1e-3).astype(np.float32)
    calls = []

    def source():
        calls.append(1)
        return zip(masks, maps, strict=True)

    one = stream(source, exact_pixels=0, passes=1)
    calls.clear()
    two = stream(source, exact_pixels=0)
    assert largest_bound(one) > 1e-4 >= largest_bound(two)
    assert len(calls) == 2
    assert_within_bound(two, pixel_metrics(masks, maps))


def test_takes_over_past_its_size_and_is_exact_below():
    masks, maps = random_case(5, n=6)
    exact = pixel_metrics(masks, maps)
    below = PixelAccumulator(exact_pixels=maps.size)
    past = PixelAccumulator(exact_pixels=maps.size - 1)
    for mask, scores in zip(masks, maps, strict=True):
        below.add(mask, scores)
        past.add(mask, scores)
    assert below.histogram is None and below.metrics() == exact
    assert past.histogram is not None and not past.images
    assert_within_bound(past.metrics(), exact)


def test_undefined_is_nan_with_reason():
    masks, maps = random_case(0)
    assert "nothing is anomalous" in histogram_of(masks * 0, maps).metrics()["pixel_auroc"].reason
    assert "nothing is normal" in histogram_of(masks * 0 + 1, maps).metrics()["pixel_aupro"].reason
    assert "no scores" in PixelHistogram().metrics()["pixel_ap"].reason
    assert "equal" in histogram_of(masks, maps * 0).metrics()["pixel_aupro_200step"].reason


def test_memory_is_fixed():
    assert 2 ** first_bits().astype(int) @ np.ones(2**16, int) <= BINS
    rng = np.random.default_rng(0)
    for mass in (rng.random(2**16), rng.random(2**16) ** 40, np.eye(1, 2**16, 7)[0]):
        assert (2 ** allocate(mass).astype(int)).sum() <= BINS
    masks, maps = random_case(0)
    assert (2 ** sampled_bits(list(split_all(masks, maps))).astype(int)).sum() <= BINS


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_ordered_bits_keep_the_order(values):
    array = np.array(values, np.float32)
    bits = ordered_bits(array)
    assert np.array_equal(from_ordered_bits(bits), array)
    assert np.array_equal(bits[:, None] < bits, array[:, None] < array)
    assert np.array_equal(bits[:, None] == bits, array[:, None] == array)
