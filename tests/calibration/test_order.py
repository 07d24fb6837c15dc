"""Order statistics against scipy's distributions and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zsad.calibration.order import binomial_interval, confidence_of, needed, rank, supported_rate
from zsad.errors import UsageError

rates = st.floats(1e-4, 0.5)
confidences = st.floats(0.5, 0.999)


@pytest.mark.parametrize(("n", "percent"), [(20, 13.9), (50, 5.8), (299, 1.0), (2995, 0.1)])
def test_the_figures_that_the_readme_states(n, percent):
    assert round(100 * supported_rate(n, 0.95), 1) == percent


@given(st.integers(1, 5000), rates, st.data())
def test_confidence_is_a_binomial_tail(n, rate, data):
    k = data.draw(st.integers(1, n))
    assert confidence_of(n, rate, k) == pytest.approx(stats.binom.sf(k - 1, n, rate), abs=1e-10)


@given(st.integers(1, 5000), confidences, st.data())
def test_the_supported_rate_is_a_quantile_of_beta(n, confidence, data):
    k = data.draw(st.integers(1, n))
    assert supported_rate(n, confidence, k) == pytest.approx(stats.beta.ppf(confidence, k, n - k + 1), rel=1e-8)


@given(rates, confidences)
def test_needed_is_the_smallest_number_that_suffices(rate, confidence):
    n = needed(rate, confidence)
    assert stats.binom.sf(0, n, rate) >= confidence - 1e-12
    assert n == 1 or stats.binom.sf(0, n - 1, rate) < confidence + 1e-12
    assert rank(n, rate, confidence) >= 1 and rank(n - 1, rate, confidence) == 0


@given(st.integers(1, 2000), rates, confidences)
def test_rank_is_the_largest_that_suffices(n, rate, confidence):
    tails = stats.binom.sf(np.arange(n), n, rate)  # for k = 1, 2, ...
    lowest, highest = int((tails >= confidence + 1e-9).sum()), int((tails >= confidence - 1e-9).sum())
    assert lowest <= rank(n, rate, confidence) <= highest


@given(st.integers(1, 400), st.data(), confidences)
def test_the_interval_of_a_share_is_that_of_scipy(n, data, confidence):
    hits = data.draw(st.integers(0, n))
    want = stats.binomtest(hits, n).proportion_ci(confidence, method="exact")
    assert binomial_interval(hits, n, confidence) == pytest.approx((want.low, want.high), abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_simulated_parts_keep_the_rate(k, ties):
    rng = np.random.default_rng(22)
    n, rate = 300, 0.02
    samples = rng.random((4000, n))
    if ties:  # twenty values: what lies above the k-th largest is then known exactly, too
        samples = np.ceil(20 * samples) / 20
    limits = np.sort(samples, axis=1)[:, -k]
    held = float(np.mean(1.0 - limits <= rate))  # the true share above a limit
    exact = confidence_of(n, rate, k)
    assert held >= exact - 0.02
    assert ties or held <= exact + 0.02


@pytest.mark.parametrize(
    ("rate", "confidence", "named"),
    [(0.0, 0.95, "false reject of 0"), (0.6, 0.95, "false reject of 0.6"), (float("nan"), 0.95, "nan"),
     (0.01, 1.0, "confidence of 1"), (0.01, 0.2, "confidence of 0.2"), (0.01, float("nan"), "confidence of nan")],
)  # fmt: skip
def test_shares_out_of_range_are_refused(rate, confidence, named):
    with pytest.raises(UsageError, match=named):
        needed(rate, confidence)
