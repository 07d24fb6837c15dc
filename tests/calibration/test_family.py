"""The pair of thresholds: exact to the last bit, joint, and valid for every family that does not see the parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.calibration.family import Family, family_of_card, family_of_parts, least_above
from zsad.calibration.order import confidence_of
from zsad.errors import InputError

unit = st.floats(0, 1, width=32)
lines = st.tuples(st.floats(-8, 8), st.floats(0.01, 5))
families = st.builds(Family, lines, lines, st.just("drawn"))


@given(families, st.lists(st.tuples(unit, unit), min_size=1, max_size=30), st.data())
def test_what_reaches_the_pair_is_what_lies_above_the_limit(family, parts, data):
    scores, levels = np.array(parts).T
    extremes = family.extremeness(scores, levels)
    t = float(data.draw(st.sampled_from(list(extremes))))
    if t == np.inf:
        return
    image, pixel = family.pair(t)
    assert 0 <= image <= 1 and 0 <= pixel <= 1
    rejected = (scores >= image) | (levels.astype(np.float32) >= pixel)  # as Result compares
    assert np.array_equal(rejected, extremes > t)
    assert np.float32(image) == image and np.float32(pixel) == pixel


@given(families, st.floats(-20, 20), st.floats(0, 10))
def test_both_thresholds_rise_together(family, t, more):
    low, high = family.pair(t), family.pair(t + more)
    assert low[0] <= high[0] and low[1] <= high[1]


@given(unit)
def test_least_above_is_the_next_float(value):
    if value == 1:
        with pytest.raises(InputError, match="highest possible value"):
            least_above(value)
    else:
        assert np.nextafter(np.float32(least_above(value)), np.float32(0)) == np.float32(value)


def test_good_parts_at_one_are_refused():
    with pytest.raises(InputError, match="--rule score"):
        family_of_card(0.5, 0.5).pair(np.inf)


def test_a_card_that_says_nothing_compares_score_and_level_as_they_are():
    family = family_of_card(0.5, 0.5)
    t = float(family.extremeness(np.array([0.3]), np.array([0.7]))[0])
    assert family.pair(t) == pytest.approx((0.7, 0.7), abs=1e-6)


def test_a_family_of_parts_puts_both_medians_at_nought_and_nine_tenths_at_one():
    rng = np.random.default_rng(3)
    scores, levels = rng.beta(2, 8, 101), rng.beta(9, 1, 101)
    family = family_of_parts(scores, levels)
    assert family.pair(0.0) == pytest.approx((np.median(scores), np.median(levels)), abs=1e-6)
    # Between two parts a quantile of logits is not the logit of the quantile; 101 parts have none between.
    assert family.pair(1.0) == pytest.approx((np.sort(scores)[90], np.sort(levels)[90]), abs=1e-6)


def test_equal_parts_make_a_narrow_family_and_no_division_by_nought():
    family = family_of_parts(np.full(20, 0.25), np.zeros(20))
    assert np.isfinite(family.extremeness(np.array([0.3]), np.array([0.1]))).all()


@settings(max_examples=15, deadline=None)
@given(families, st.floats(-1, 1))
def test_the_joint_rate_holds_for_any_family(family, correlation):
    # The true share beyond a pair is measured on 20,000 other parts of the same world.
    rng = np.random.default_rng(int(1e6 * (correlation + 2)))

    def draw(*shape):
        common, own = rng.standard_normal(shape), rng.standard_normal(shape)
        other = correlation * common + np.sqrt(1 - correlation**2) * own
        return 1 / (1 + np.exp(-common)), 1 / (1 + np.exp(1 - 2 * other))

    n, rate = 60, 0.05
    world = np.sort(family.extremeness(*draw(20_000)))
    limits = family.extremeness(*draw(600, n)).max(axis=1)
    true = 1 - np.searchsorted(world, limits, side="right") / world.size
    assert float(np.mean(true <= rate)) == pytest.approx(confidence_of(n, rate), abs=0.05)


def test_the_two_largest_values_by_themselves_do_not_keep_the_rate():
    # What the family is there for: with both maxima, the joint confidence is that of k = 2 where the two don't agree.
    rng = np.random.default_rng(5)
    samples = rng.random((4000, 2, 299))
    true = 1 - samples.max(axis=2).prod(axis=1)
    assert float(np.mean(true <= 0.01)) < 0.85
