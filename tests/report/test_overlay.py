from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from zsad.report.heat import heat_table, heatmap, to_bytes
from zsad.report.overlay import counted_mask, overlay
from zsad.types import Result, Thresholds


def result(values: np.ndarray, **thresholds) -> Result:
    return Result(0.5, values.astype(np.float32), Thresholds(**thresholds), name="part.png")


def test_heat_grows_evenly_brighter():
    table = heat_table().astype(float)
    assert table.shape == (256, 3)
    luminance = table @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -0.6).all()  # rounding to whole numbers apart
    assert luminance[0] < 15 and luminance[-1] > 235


def test_table_is_not_writeable():
    with pytest.raises(ValueError, match="read-only"):
        heat_table()[0] = 1


def test_heatmap_can_be_read_back_as_a_map(tmp_path):
    values = np.random.default_rng(0).random((20, 30), dtype=np.float32)
    heatmap(values).save(tmp_path / "heat.png")
    with Image.open(tmp_path / "heat.png") as image:
        assert image.mode == "P" and image.size == (30, 20)
        assert np.abs(np.asarray(image) / 255.0 - values).max() <= 0.5 / 255 + 1e-6


def test_to_bytes_rounds_and_keeps_the_ends():
    assert to_bytes(np.array([0.0, 0.5, 1.0], np.float32)).tolist() == [0, 128, 255]


def test_a_clean_part_looks_clean():
    image = Image.effect_noise((64, 48), 40).convert("RGB")
    clean = overlay(image, result(np.full((48, 64), 0.1)))
    assert np.array_equal(np.asarray(clean), np.asarray(image))


def test_scale_is_fixed_not_stretched_to_the_image():
    image = Image.new("RGB", (64, 64), (90, 90, 90))
    values = np.zeros((64, 64))
    values[20:40, 20:40] = 0.3
    alone = np.asarray(overlay(image, result(values)))
    values[0, 0] = 1.0  # another pixel's value changes nothing elsewhere
    beside = np.asarray(overlay(image, result(values, pixel="never")))
    assert np.array_equal(alone[20:40, 20:40], beside[20:40, 20:40])


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_outline_is_readable_on_any_ground(ground):
    image = Image.new("RGB", (96, 96), (ground,) * 3)
    values = np.zeros((96, 96))
    values[40:56, 40:56] = 1.0
    grey = np.asarray(overlay(image, result(values)).convert("L")).astype(int)
    row = grey[48, 20:48]  # from outside to inside
    assert row.max() - row.min() > 150


def test_region_of_one_pixel_gets_a_visible_outline():
    image = Image.new("RGB", (200, 100), (128, 128, 128))
    values = np.zeros((100, 200))
    values[50, 100] = 1.0
    changed = np.abs(np.asarray(overlay(image, result(values))).astype(int) - 128).max(axis=2) > 60
    assert changed.sum() > 10
    assert changed[:40].sum() == 0


def test_regions_below_the_smallest_area_are_not_outlined():
    values = np.zeros((100, 100))
    values[10, 10] = values[50:60, 50:60] = 1.0
    kept = counted_mask(result(values, min_area=0.005))
    assert kept.sum() == 100 and not kept[10, 10]
    assert counted_mask(result(values)).sum() == 101


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_modes_and_sizes(mode):
    values = np.random.default_rng(1).random((40, 70))
    picture = overlay(Image.new(mode, (70, 40)), result(values))
    assert picture.mode == "RGB" and picture.size == (70, 40)


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 60), st.integers(8, 60), st.floats(0, 1), st.integers(0, 2**31))
def test_any_map_can_be_drawn(height, width, threshold, seed):
    values = np.random.default_rng(seed).random((height, width))
    picture = overlay(Image.new("RGB", (width, height)), result(values, pixel=threshold))
    assert picture.size == (width, height)
