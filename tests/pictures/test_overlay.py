from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from zsad.pictures.heat import heat_table, heatmap, to_bytes
from zsad.pictures.notes import MOST_BOXES, Notes, line_width, text_height
from zsad.pictures.overlay import overlay


def drawn(image: Image.Image, values: np.ndarray, level: float = 0.5, notes: Notes | None = None) -> np.ndarray:
    return np.asarray(overlay(image, values.astype(np.float32), values >= level, notes))


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
    assert np.array_equal(drawn(image, np.full((48, 64), 0.1)), np.asarray(image))


def test_scale_is_fixed_not_stretched_to_the_image():
    image = Image.new("RGB", (64, 64), (90, 90, 90))
    values = np.zeros((64, 64))
    values[20:40, 20:40] = 0.3
    alone = drawn(image, values)
    values[0, 0] = 1.0  # another pixel's value changes nothing elsewhere
    beside = drawn(image, values, level=1.1)
    assert np.array_equal(alone[20:40, 20:40], beside[20:40, 20:40])


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_outline_is_readable_on_any_ground(ground):
    image = Image.new("RGB", (96, 96), (ground,) * 3)
    values = np.zeros((96, 96))
    values[40:56, 40:56] = 1.0
    grey = np.asarray(Image.fromarray(drawn(image, values)).convert("L")).astype(int)
    row = grey[48, 20:48]  # from outside to inside
    assert row.max() - row.min() > 150


def test_region_of_one_pixel_gets_a_visible_outline():
    image = Image.new("RGB", (200, 100), (128, 128, 128))
    values = np.zeros((100, 200))
    values[50, 100] = 1.0
    changed = np.abs(drawn(image, values).astype(int) - 128).max(axis=2) > 60
    assert changed.sum() > 10
    assert changed[:40].sum() == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_modes_and_sizes(mode):
    values = np.random.default_rng(1).random((40, 70))
    assert drawn(Image.new(mode, (70, 40)), values).shape == (40, 70, 3)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(8, 240),
    st.integers(8, 240),
    st.floats(0, 1),
    st.text(max_size=50),
    st.integers(0, 40),
    st.integers(0, 2**31),
)
@example(40, 200, 0.5, "two\nlines", 1, 0)
def test_anything_can_be_drawn(height, width, level, text, count, seed):
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.integers(0, [[width + 1], [height + 1]], (count, 2, 2)), axis=2)
    boxes = tuple((int(x[0]), int(y[0]), int(max(x[1], x[0] + 1)), int(max(y[1], y[0] + 1))) for x, y in corners)
    notes = Notes(text, level, boxes, (text,) * count)
    values = rng.random((height, width))
    assert drawn(Image.new("RGB", (width, height)), values, level, notes).shape == (height, width, 3)


# ---- what it says


def changed(notes: Notes, size=(400, 300), values=None) -> np.ndarray:
    """Return where notes change a grey picture: bool (H, W)."""
    values = np.zeros(size[::-1]) if values is None else values
    image = Image.new("RGB", size, (128, 128, 128))
    return (drawn(image, values, 2.0, notes) != drawn(image, values, 2.0)).any(axis=2)


def test_a_box_runs_around_its_region_and_leaves_it_free():
    found = changed(Notes(boxes=((100, 80, 160, 120),)))
    ys, xs = np.nonzero(found)
    assert not found[80:120, 100:160].any()
    assert 90 < xs.min() < 100 and 160 <= xs.max() < 170 and 70 < ys.min() < 80 and 120 <= ys.max() < 130


def test_a_region_at_the_border_keeps_its_box():
    found = changed(Notes(boxes=((0, 0, 400, 300),)))
    assert found[:, 0].all() and found[:, -1].all() and found[0].all() and found[-1].all()


def test_labels_stand_at_their_boxes_and_never_on_each_other():
    one, other = (100, 80, 160, 120), (104, 84, 164, 124)
    bare, labelled = changed(Notes(boxes=(one, other))), changed(Notes(boxes=(one, other), labels=("#1", "#2")))
    both = labelled & ~bare
    assert both.any() and both[60:150, 90:180].sum() == both.sum()
    alone = changed(Notes(boxes=(one, other), labels=("#1",))) & ~bare
    assert both.sum() > 1.5 * alone.sum()


def test_only_the_highest_get_boxes():
    boxes = tuple((20 + 12 * i, 100, 24 + 12 * i, 104) for i in range(MOST_BOXES + 10))
    assert np.array_equal(changed(Notes(boxes=boxes)), changed(Notes(boxes=boxes[:MOST_BOXES])))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_legend_stands_where_it_hides_least(row, column):
    values = np.full((300, 400), 0.9)
    quiet = np.s_[150 * row : 150 * row + 150, 200 * column : 200 * column + 200]
    values[quiet] = 0.0
    found = changed(Notes("score 0.900, anomalous", 0.5), values=values)
    assert found.any() and found[quiet].sum() == found.sum()


def test_the_legend_has_the_whole_colour_bar_and_the_level_on_it():
    image, flat, colours = Image.new("RGB", (400, 300), (128, 128, 128)), np.zeros((300, 400)), heat_table()
    plain = drawn(image, flat, 2.0, Notes("score 0.500, normal"))
    line = np.flatnonzero((plain == colours[-1]).all(axis=2).any(axis=1))[0]
    (left, *_), (*_, right) = (np.flatnonzero((plain[line] == colours[end]).all(axis=1)) for end in (0, -1))
    bar = plain[line, left : right + 1]
    at = [int((colours == pixel).all(axis=1).nonzero()[0][0]) for pixel in bar]
    assert at == sorted(at) and np.abs(np.array(at) - np.linspace(0, 255, len(bar))).max() < 2
    for level in (0.25, 0.75):
        marked = drawn(image, flat, 2.0, Notes("score 0.500, normal", level))
        where = np.flatnonzero((marked[line] != plain[line]).any(axis=1))
        assert abs(where.mean() - (left + level * len(bar))) <= 1.5


def test_small_pictures_have_no_legend_and_say_nothing_wrong():
    assert not changed(Notes("score 0.500, normal", 0.5), size=(100, 60)).any()
    assert changed(Notes("score 0.500, normal", 0.5), size=(224, 224)).any()


def test_lines_and_letters_grow_with_the_picture():
    assert line_width((100, 100)) == 1.5 and line_width((4000, 4000)) == 10
    assert text_height((100, 100)) == 10 and text_height((4800, 4800)) == 100
    assert text_height((20_000, 500)) <= 500 / 12  # a strip is not filled by its letters
