"""The choice of thresholds: the right order statistic, parts that only tie, few parts, and the joint statement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.calibration.choice import Goal, choose
from zsad.calibration.order import confidence_of, rank
from zsad.errors import InputError, UsageError

RULES = ("score", "region", "either")


def world(rng, *shape):
    """Scores and region levels that go together, of different scales and tails; float32, as detectors give them."""
    common, own = rng.standard_normal(shape), rng.standard_normal(shape)
    scores = 1 / (1 + np.exp(2 - common))
    levels = 1 / (1 + np.exp(-0.3 * common - 0.2 * own**2))
    return scores.astype(np.float32).astype(float), levels.astype(np.float32).astype(float)


def rejects(choice, scores, levels):
    by_score = scores >= choice.image if choice.image is not None else np.zeros(scores.shape, bool)
    by_region = levels.astype(np.float32) >= choice.pixel if choice.pixel is not None else np.zeros(levels.shape, bool)
    return by_score | by_region


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n", [299, 330, 473, 1000])
def test_exactly_k_minus_one_of_the_used_parts_are_rejected(rule, n):
    scores, levels = world(np.random.default_rng(n), n)
    choice = choose(scores, levels, Goal(rule=rule))
    assert (choice.image is None, choice.pixel is None) == (rule == "region", rule == "score")
    assert choice.k == rank(choice.n, 0.01, 0.95) and choice.rate == 0.01
    assert rejects(choice, scores[choice.used], levels[choice.used]).sum() == choice.k - 1
    spare = 0 if rule != "either" else {299: 0, 330: 31, 473: 100, 1000: 87}[n]
    assert len(set(choice.used.tolist())) == choice.n == n - spare
    assert rejects(choice, scores[choice.used[:4]], levels[choice.used[:4]]).tolist() == [
        i < choice.k - 1 for i in range(4)
    ]


def test_parts_that_tie_the_thresholds_set_none():
    # Whatever lies far out among the parts that tie, the others alone decide how far out a part may lie.
    rng = np.random.default_rng(0)
    scores, levels = world(rng, 420)
    choice = choose(scores, levels, Goal())
    tied = np.setdiff1d(np.arange(420), choice.used)
    assert len(tied) == 100 and choice.family.source == "100 other good parts"
    worse = scores.copy()
    worse[tied[np.argmax(scores[tied])]] = 0.999999  # above nine tenths of them anyway
    again = choose(worse, levels, Goal())
    assert (again.image, again.pixel) == (choice.image, choice.pixel)


def test_without_spare_parts_the_card_ties():
    scores, levels = world(np.random.default_rng(1), 299)
    low, high = (choose(scores, levels, Goal(), card=(image, 0.5)) for image in (0.1, 0.9))
    assert "card" in low.family.source
    assert low.image < high.image and low.pixel > high.pixel


@pytest.mark.parametrize(
    ("n", "said"), [(50, "n = 50 supports 5.8 %"), (20, "n = 20 supports 13.9 %"), (298, "n = 298"), (0, "n = 0")]
)
def test_too_few_parts_say_what_they_support(n, said):
    scores, levels = world(np.random.default_rng(2), n)
    with pytest.raises(InputError, match=f"{said}.*1 % at 95 % confidence needs 299 good parts"):
        choose(scores, levels, Goal())


@pytest.mark.parametrize("rule", RULES)
def test_what_few_parts_support_can_be_accepted(rule):
    scores, levels = world(np.random.default_rng(3), 50)
    choice = choose(scores, levels, Goal(rule=rule, accept=True))
    assert choice.rate == pytest.approx(0.0582, abs=1e-4) and choice.n == 50 and choice.k == 1
    assert not rejects(choice, scores, levels).any()
    enough = choose(*world(np.random.default_rng(3), 300), Goal(rule=rule, accept=True))
    assert enough.rate == 0.01


@pytest.mark.parametrize("rule", RULES)
def test_parts_at_the_highest_value_are_refused(rule):
    ones = np.ones(299)
    with pytest.raises(InputError, match="highest possible value"):
        choose(ones, ones, Goal(rule=rule))


@pytest.mark.parametrize("rule", RULES)
def test_all_parts_alike_are_let_through(rule):
    scores, levels = np.full(299, 0.25), np.full(299, 0.5)
    choice = choose(scores, levels, Goal(rule=rule))
    assert not rejects(choice, scores, levels).any()
    assert rejects(choice, scores + 0.1, levels + 0.1).all()


@given(st.integers(0, 10**6), st.sampled_from(RULES))
def test_the_order_of_the_parts_changes_nothing_but_the_draw(seed, rule):
    rng = np.random.default_rng(seed)
    scores, levels = world(rng, 300)
    order = rng.permutation(300)
    one, other = choose(scores, levels, Goal(rule=rule)), choose(scores[order], levels[order], Goal(rule=rule))
    assert (one.image, one.pixel) == (other.image, other.pixel)


@pytest.mark.parametrize(
    ("rule", "n"), [("score", 100), ("region", 60), ("either", 60), ("either", 100), ("either", 220)]
)
def test_the_true_rate_is_kept_as_often_as_stated(rule, n):
    rng = np.random.default_rng(n)
    scores, levels = world(rng, 40_000)
    kept, k, used = [], 0, 0
    for _ in range(400):
        choice = choose(*world(rng, n), Goal(rate=0.05, rule=rule))
        k, used = choice.k, choice.n
        kept.append(rejects(choice, scores, levels).mean() <= 0.05)
    exact = confidence_of(used, 0.05, k)
    assert exact >= 0.95 and abs(np.mean(kept) - exact) <= 0.04


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 2}, {"confidence": 1}])
def test_goals_out_of_range(wrong):
    with pytest.raises(UsageError, match="give a share"):
        Goal(**wrong)
