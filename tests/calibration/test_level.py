"""The region level against a search through all values of a map."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from zsad.calibration.level import region_level

maps = arrays(
    np.float32, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
)


def largest_region(values, threshold):
    labels, count = ndimage.label(values >= threshold, np.ones((3, 3)))
    return max((int((labels == i).sum()) for i in range(1, count + 1)), default=0)


@given(maps, st.floats(0, 1))
def test_level_is_the_last_threshold_with_a_region(values, min_area):
    need = max(1, int(np.ceil(min_area * values.size)))
    want = max(float(t) for t in np.unique(values) if largest_region(values, t) >= need)
    assert region_level(values, min_area) == want


@given(maps, st.floats(0, 1), st.floats(0, 1))
def test_a_larger_region_has_no_higher_level(values, one, other):
    low, high = sorted((one, other))
    assert region_level(values, high) <= region_level(values, low) <= values.max()


def test_a_real_map():
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.random((90, 70)), 4).astype(np.float32)
    level = region_level(values, 0.01)
    above = np.nextafter(np.float32(level), np.float32(2))
    assert largest_region(values, level) >= 63 > largest_region(values, above)
