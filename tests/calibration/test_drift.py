"""The drift watch: uniform p-values, fair bets, false alarms within their bound under peeking, drift dated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from zsad.calibration.drift import BETS, DriftWatch, bets


@pytest.mark.parametrize("index", range(len(BETS)))
def test_each_bet_is_fair(index):
    won, _ = integrate.quad(lambda p: bets(p)[index], 0, 1, points=(1e-6, 0.5, 1 - 1e-6), limit=500)
    assert won == pytest.approx(1.0, abs=0.02) and won <= 1 + 1e-6  # the clip at the ends only ever takes


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_p_values_count_all_that_came_before(good, new):
    watch, coin = DriftWatch(good, seed=7), np.random.default_rng(7)
    seen = list(good)
    for value in new:
        seen.append(value)
        want = (sum(x > value for x in seen) + coin.random() * seen.count(value)) / len(seen)
        assert watch.p_value(value) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_p_values_are_uniform_and_independent_while_nothing_drifts(ties):
    rng = np.random.default_rng(1)
    values = rng.gamma(2.0, size=3200)
    values = np.round(values) if ties else values
    watch = DriftWatch(values[:200], seed=3)
    p = np.array([watch.p_value(value) for value in values[200:]])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(p[1:], p[:-1])[0, 1]) < 0.05


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 30.0]))
def test_capital_is_that_of_the_player_written_out(seed, drift):
    # All beginnings side by side: one game for each, its share of the first 1, and what is put by for later ones.
    rng = np.random.default_rng(seed)
    good, new = rng.random(30), rng.random(25) + drift
    watch, coin = DriftWatch(good, seed=seed), DriftWatch(good, seed=seed)
    games = []
    for t, value in enumerate(new, start=1):
        games.append(np.full(len(BETS), 1 / (t * (t + 1)) / len(BETS)))
        won = bets(coin.p_value(value))
        games = [(0.99 * game + 0.01 * game.mean()) * won for game in games]
        want = sum(game.sum() for game in games) + 1 / (t + 1)
        assert watch.add(value) == pytest.approx(np.log(want), abs=1e-9)


def test_false_alarms_stay_within_their_bound_however_often_one_looks():
    rng = np.random.default_rng(11)
    alarms = 0
    for run in range(150):
        watch = DriftWatch(rng.standard_normal(100), alarm=0.1, seed=run)
        for value in rng.standard_normal(200):
            watch.add(value)
        alarms += watch.alarm_at is not None
    assert alarms / 150 <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 150)


@pytest.mark.parametrize(("shift", "toward"), [(1.5, "higher"), (-1.5, "lower"), (8.0, "higher"), (-8.0, "lower")])
def test_drift_is_found_and_dated(shift, toward):
    rng = np.random.default_rng(4)
    watch = DriftWatch(rng.standard_normal(300), seed=0)
    for value in [*rng.standard_normal(400), *(rng.standard_normal(100) + shift)]:
        watch.add(value)
    assert watch.alarm_at is not None and 401 <= watch.alarm_at <= 460
    assert abs(watch.began - 401) <= 15
    assert toward in watch.toward


def test_a_jump_out_of_the_known_range_needs_few_parts():
    rng = np.random.default_rng(6)
    watch = DriftWatch(rng.standard_normal(300), seed=0)
    for value in rng.standard_normal(50) + 20:
        watch.add(value)
    assert watch.alarm_at <= 12 and watch.began == 1


def test_a_long_drift_overflows_nothing():
    watch = DriftWatch(np.zeros(50), seed=0)
    for _ in range(3000):
        watch.add(1.0)
    assert np.isfinite(watch.log_capital) and watch.alarm_at is not None


def test_the_same_seed_gives_the_same_capital():
    def run(seed):
        watch = DriftWatch(np.zeros(20), seed=seed)
        return [watch.add(0.0) for _ in range(20)]

    assert run(1) == run(1) != run(2)
