"""A trial's comparisons: each case with all good images but its own, background left out or not; by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from zsad.fitting.trial import Case, Trial
from zsad.scoring.foreground import Foreground
from zsad.scoring.memory import unit

n, V, L, N, D = 3, 2, 2, 16, 8


def by_hand(good, case, owners, views):
    """Return ``(1 - cosine) / 2`` with the nearest patch of others, mean over layers, patch by patch."""
    found = np.zeros(N)
    for patch in range(N):
        for layer in range(L):
            cosines = [
                float(case[layer, patch] @ good[i, v, layer, other])
                for i in owners for v in range(views) for other in range(N)
            ]  # fmt: skip
            found[patch] += (1 - max(cosines)) / 2 / L
    return found


@pytest.mark.parametrize("turned", [False, True])
def test_each_case_is_compared_with_all_good_images_but_its_own(turned):
    rng = np.random.default_rng(0)
    good = unit(rng.standard_normal((n, V, L, N, D)))
    cases = tuple(Case(owner, unit(rng.standard_normal((L, N, D))), np.zeros(N)) for owner in (0, 0, 1, 2, 2))
    trial = Trial(good, cases)
    far = trial.distances(turned)
    for case, found in zip(cases, far, strict=True):
        expected = by_hand(good, case.units, [i for i in range(n) if i != case.owner], V if turned else 1)
        np.testing.assert_allclose(found, expected, atol=1e-5)

    assert all(map(np.array_equal, trial.within(far, None), far))
    axis = np.eye(D, dtype=np.float32)[0]
    for index, case in enumerate(cases):
        part = Foreground(axis, float(np.sort(case.units[-1] @ axis)[-2]))  # one patch, and those around it
        mask = part.mask(case.units[-1])
        assert 4 <= mask.sum() <= 9
        np.testing.assert_array_equal(trial.within(far, part)[index], np.where(mask > 0, far[index], 0))


def test_one_good_image_is_compared_with_itself():
    rng = np.random.default_rng(1)
    good = unit(rng.standard_normal((1, 1, L, N, D)))
    case = Case(0, unit(rng.standard_normal((L, N, D))), np.zeros(N))
    (found,) = Trial(good, (case,), alone=True).distances(False)
    np.testing.assert_allclose(found, by_hand(good, case.units, [0], 1), atol=1e-5)
