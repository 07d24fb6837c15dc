from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.metrics.oracles import aupro_brute, random_case
from zsad.errors import MetricError
from zsad.metrics import aupro, aupro_200step, average_precision, image_auroc, pixel_auroc, pixel_metrics
from zsad.metrics.regions import split_all

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics.npz"
CASES = ["m1", "m2_ties", "m3_diag", "m4_sum4"]


@pytest.mark.parametrize("case", CASES)
def test_golden(case):
    with np.load(GOLDEN) as golden:
        masks, maps = golden[f"{case}.masks"], golden[f"{case}.maps"]
        labels, scores = golden[f"{case}.image_labels"], golden[f"{case}.image_scores"]
        assert aupro_200step(masks, maps).value == pytest.approx(float(golden[f"{case}.pixel_aupro"]), abs=1e-9)
        assert pixel_auroc(masks, maps).value == pytest.approx(float(golden[f"{case}.pixel_auroc"]), abs=1e-9)
        assert image_auroc(labels, scores).value == pytest.approx(float(golden[f"{case}.image_auroc"]), abs=1e-9)
        assert average_precision(labels, scores).value == pytest.approx(float(golden[f"{case}.image_ap"]), abs=1e-9)
        if case in ("m2_ties", "m3_diag"):  # the others have too many distinct scores to try each
            assert aupro(masks, maps).value == pytest.approx(aupro_brute(masks, maps), abs=1e-9)
        # Published values are an approximation from below on these cases.
        assert 0 < aupro(masks, maps).value - float(golden[f"{case}.pixel_aupro"]) < 0.011


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [None, 2, 9])
@pytest.mark.parametrize("seed", range(4))
def test_reference_brute_force(seed, levels, limit):
    masks, maps = random_case(seed, levels=levels)
    expected = pytest.approx(aupro_brute(masks, maps, limit), abs=1e-12)
    assert aupro(masks, maps, limit).value == expected
    assert aupro(masks, maps.astype(np.float64), limit).value == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 3, 30]))
def test_property_brute_force_and_invariance(seed, levels):
    masks, maps = random_case(seed, n=3, h=7, w=8, levels=levels)
    value = aupro(masks, maps).value
    assert value == pytest.approx(aupro_brute(masks, maps), abs=1e-12)
    assert aupro(masks[::-1], maps[::-1]).value == pytest.approx(value, abs=1e-12)
    assert aupro(masks[:, ::-1, ::-1], maps[:, ::-1, ::-1]).value == pytest.approx(value, abs=1e-12)
    # The float64 image of float32 values is strictly monotone here, so the order of scores is unchanged.
    assert aupro(masks, 5 * np.exp(maps.astype(np.float64)) - 3).value == pytest.approx(value, abs=1e-12)


def test_all_from_one_sort_equal_the_single_functions():
    masks, maps = random_case(3, levels=40)
    got = pixel_metrics(masks, maps)
    assert got["pixel_aupro"] == aupro(masks, maps)
    assert got["pixel_aupro_200step"] == aupro_200step(masks, maps)
    assert got["pixel_auroc"] == pixel_auroc(masks, maps)
    assert got["pixel_auroc"].value == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-9)
    assert got["pixel_ap"].value == pytest.approx(average_precision_score(masks.ravel(), maps.ravel()), abs=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_, np.int64, np.float32])
def test_masks_of_any_type_are_left_alone(dtype):
    masks, maps = random_case(6)
    typed, before = masks.astype(dtype), masks.copy()
    assert aupro(typed, maps) == aupro(masks, maps)
    assert np.array_equal(typed, before) and typed.dtype == dtype
    with pytest.raises(MetricError, match="only 0"):
        aupro(masks.astype(np.int8) * -1, maps)


@pytest.mark.parametrize("corner", [(0, 0), (0, 13), (11, 0), (11, 13), (5, 6)])
def test_pixels_outside_of_the_box_of_defects_are_normal(corner):
    masks, maps = random_case(8)
    masks[1:] = 0
    masks[1][corner] = 1
    masks[2] = 1
    for image, mask, scores in zip(split_all(masks, maps), masks, maps, strict=True):
        assert np.array_equal(image.normal, scores[mask == 0]) and np.array_equal(image.defect, scores[mask == 1])
    room = np.full(maps.size, np.nan, np.float32)
    M = int((masks == 0).sum())
    for image, mask, scores in zip(split_all(masks, maps, room), masks, maps, strict=True):
        assert np.shares_memory(image.normal, room) == bool(image.normal.size)
        assert np.array_equal(image.normal, scores[mask == 0])
    assert np.array_equal(room[:M], maps[masks == 0]) and np.isnan(room[M:]).all()


def test_sizes_may_differ():
    rng = np.random.default_rng(0)
    maps = [rng.random((9, 5)), rng.random((4, 11))]
    masks = [(m > 0.7).astype(np.uint8) for m in maps]
    assert aupro(masks, maps).value == pytest.approx(1.0, abs=1e-12)
    assert aupro(iter(masks), iter(maps)).value == pytest.approx(1.0, abs=1e-12)


def test_negative_scores_and_signed_zero():
    masks = np.array([[[1, 0, 0, 1]]], np.uint8)
    maps = np.array([[[0.0, -0.0, -2.0, -1.0]]], np.float32)
    assert aupro(masks, maps).value == pytest.approx(aupro_brute(masks, maps), abs=1e-12)


def test_undefined_is_nan_with_reason():
    masks, maps = random_case(0)
    for metric in (aupro, aupro_200step):
        assert "no annotated region" in metric(np.zeros_like(masks), maps).reason
        assert "nothing is normal" in metric(np.ones_like(masks), maps).reason
        assert "no scores" in metric([], []).reason
        assert np.isnan(metric([], []).value)
    assert "equal" in aupro_200step(masks, np.zeros_like(maps)).reason


def test_errors():
    masks, maps = random_case(0)
    with pytest.raises(MetricError, match="same size"):
        aupro(masks[:, :-1], maps)
    with pytest.raises(MetricError, match="only 0"):
        aupro(masks * 255, maps)
    with pytest.raises(MetricError, match="more maps"):
        aupro(masks[:-1], maps)
    maps[2, 3, 3] = np.nan
    with pytest.raises(MetricError, match=r"map 2.*NaN"):
        aupro(masks, maps)
