from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.measure import label, regionprops

from zsad.images.postprocess import resize_map
from zsad.regions import Region, Regions, find_regions, without_small
from zsad.types import Result, Thresholds


def reference(values: np.ndarray, mask: np.ndarray, smallest: int) -> list[tuple]:
    """Regions by scikit-image's own description of labelled images."""
    found = []
    for region in regionprops(label(mask, connectivity=2), intensity_image=values):
        if region.area >= smallest:
            y0, x0, y1, x1 = region.bbox
            y, x = region.centroid
            found.append(((x0, y0, x1, y1), int(region.area), float(region.intensity_max), (x, y)))
    return found


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.1]), st.integers(0, 2**31)
)
def test_regions_against_regionprops(height, width, density, min_area, seed):
    rng = np.random.default_rng(seed)
    values = rng.random((height, width), dtype=np.float32)
    mask = rng.random((height, width)) < density
    got = find_regions(values, mask, min_area)
    want = reference(values, mask, max(1, int(np.ceil(min_area * mask.size))))
    assert len(got) == len(want)
    by_box = lambda entry: (entry[0], entry[1])  # noqa: E731
    plain = [(r.box, r.area, r.score, r.centroid) for r in got]
    for a, b in zip(sorted(plain, key=by_box), sorted(want, key=by_box), strict=True):
        assert a[:2] == b[:2] and a[2] == pytest.approx(b[2]) and a[3] == pytest.approx(b[3])
    assert [r.score for r in got] == sorted((r.score for r in got), reverse=True)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.floats(0, 1), st.integers(1, 9), st.integers(0, 2**31))
def test_bands_make_no_difference(height, width, density, lines, seed):
    rng = np.random.default_rng(seed)
    values = (rng.integers(0, 4, (height, width)) / 4).astype(np.float32)  # with ties
    mask = rng.random((height, width)) < density
    assert find_regions(values, mask, lines=lines) == find_regions(values, mask, lines=height)
    smallest = int(rng.integers(2, 9))
    labels = label(mask, connectivity=2)
    enough = np.bincount(labels.ravel()) >= smallest
    enough[0] = False
    np.testing.assert_array_equal(without_small(mask, smallest, lines=lines), enough[labels])


@pytest.mark.parametrize("mask", ["whole", "dots", "columns", "noise", "diagonal"])
def test_memory_stays_below_32_bytes_a_pixel_whatever_the_mask(mask):
    side = 1500
    rng = np.random.default_rng(0)
    values, noise = rng.random((side, side), dtype=np.float32), rng.random((side, side)) < 0.25
    y, x = np.indices((side, side), np.int16)
    masks = {"whole": x >= 0, "dots": (x % 2 == 0) & (y % 2 == 0), "columns": x % 2 == 0, "noise": noise,
             "diagonal": (x + y) % 4 == 0}  # fmt: skip
    chosen = masks[mask]
    del masks, y, x, noise
    find_regions(values[:64], chosen[:64], lines=16)  # imports
    tracemalloc.start()
    try:
        found = find_regions(values, chosen)
        regions = tracemalloc.get_traced_memory()[1] / chosen.size
        tracemalloc.reset_peak()
        without_small(chosen, 40)
        small = tracemalloc.get_traced_memory()[1] / chosen.size
    finally:
        tracemalloc.stop()
    assert found.area == chosen.sum() and (len(found) == 1 if mask == "whole" else len(found) > 300)
    assert regions < 27 and small < 27, (regions, small)  # beside map and mask, 5 bytes


def test_regions_are_a_sequence_that_equals_a_tuple():
    mask = np.zeros((4, 9), bool)
    mask[1, 1:3] = mask[3, 8] = True
    values = np.where(mask, np.float32(0.5), np.float32(0))
    values[3, 8] = 0.75
    found = find_regions(values, mask)
    assert found == (Region((8, 3, 9, 4), 1, 0.75, (8.0, 3.0)), Region((1, 1, 3, 2), 2, 0.5, (1.5, 1.0)))
    assert tuple(found) == found and found[1:] == (found[1],) and found[-1] is not found[0] and bool(found)
    assert found.area == 3 and found != found[:1] and hash(found) == hash(find_regions(values, mask))
    assert repr(found).startswith("Regions(Region(box=(8, 3, 9, 4), area=1, score=0.75")
    assert "and 2 more" in repr(Regions(np.concatenate([found._table] * 3)[:5]))
    assert pickle.loads(pickle.dumps(found)) == found


def test_diagonal_neighbours_are_one_region():
    assert len(find_regions(np.eye(5, dtype=np.float32), np.eye(5, dtype=bool))) == 1


def test_no_region():
    assert find_regions(np.zeros((5, 5), np.float32), np.zeros((5, 5), bool)) == ()


def test_verdict_by_score_or_by_region():
    values = np.zeros((10, 10), np.float32)
    values[2:4, 2:4] = 0.7
    assert Result(0.4, values, Thresholds(0.5, 0.8)).fired == ()
    assert Result(0.5, values, Thresholds(0.5, 0.8)).fired == ("score",)
    assert Result(0.4, values, Thresholds(0.5, 0.7)).fired == ("region",)
    assert Result(0.5, values, Thresholds(0.5, 0.7)).fired == ("score", "region")
    assert Result(0.4, values, Thresholds(0.5, 0.7, min_area=0.05)).verdict == "normal"
    assert Result(0.4, values, Thresholds(0.5, 0.7, min_area=0.04)).verdict == "anomalous"


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 20), st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_resize_law(side, height, width, seed):
    values = np.random.default_rng(seed).random((side, side), dtype=np.float32)
    out = resize_map(values, (height, width))
    assert out.shape == (height, width) and out.dtype == np.float32
    assert out.min() >= values.min() - 1e-6 and out.max() <= values.max() + 1e-6


def test_resize_is_bilinear_and_the_identity_at_its_own_size():
    values = np.random.default_rng(0).random((7, 7), dtype=np.float32)
    assert np.array_equal(resize_map(values, (7, 7)), values)
    want = np.asarray(Image.fromarray(values).resize((21, 14), Image.Resampling.BILINEAR))
    assert np.allclose(resize_map(values, (14, 21)), want)
