from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.errors import UsageError
from zsad.images.tiling import (
    CONTEXT,
    ORDINARY,
    OVERLAP,
    Tile,
    blend,
    check_tile,
    is_large,
    is_long,
    parse_tile,
    split,
    tile_side,
    together,
)

SIZES = st.tuples(st.integers(8, 400), st.integers(8, 400))


@settings(max_examples=100, deadline=None)
@given(SIZES, st.integers(32, 200))
def test_tiles_cover_everything_and_overlap_enough(size, side):
    tiles = split(size, side)
    covered = np.zeros(size, int)
    for tile in tiles:
        assert tile.top >= 0 and tile.left >= 0
        assert tile.top + tile.height <= size[0] and tile.left + tile.width <= size[1]
        assert max(tile.height, tile.width) <= 8 * min(tile.height, tile.width)
        covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
    assert covered.min() >= 1
    for starts, length in (({t.top for t in tiles}, tiles[0].height), ({t.left for t in tiles}, tiles[0].width)):
        ordered = sorted(starts)
        gaps = np.diff(ordered)
        assert (gaps <= np.ceil(length * (1 - OVERLAP))).all()
        assert ordered[0] == 0


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(32, 200), st.integers(0, 2**31))
def test_blend_of_a_cut_up_map_is_the_map(size, side, seed):
    whole = np.random.default_rng(seed).random(size, dtype=np.float32)
    tiles = split(size, side)
    pieces = (whole[t.top : t.top + t.height, t.left : t.left + t.width] for t in tiles)
    assert np.abs(blend(size, tiles, pieces) - whole).max() < 1e-5


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(32, 200), st.floats(0, 1, width=32), st.floats(0, 1, width=32), st.floats(0.01, 1))
def test_constant_maps_give_a_constant_map(size, side, value, whole, share):
    tiles = split(size, side)
    blended = blend(size, tiles, (np.full((t.height, t.width), value, np.float32) for t in tiles))
    assert np.abs(blended - value).max() < 1e-6
    joined = together(np.full(size, whole, np.float32), blended, share)
    assert np.abs(joined - whole).max() < 1e-6


def test_no_seam_between_tiles_that_disagree():
    size = (64, 200)
    tiles = split(size, 64)
    blended = blend(size, tiles, (np.full((t.height, t.width), i % 2, np.float32) for i, t in enumerate(tiles)))
    assert np.abs(np.diff(blended, axis=1)).max() < 0.2


def test_what_has_no_context_does_not_count():
    """A tile that is wrong along its borders, where it can't see what is around, changes nothing."""
    size, tiles = (320, 320), split((320, 320), 128)
    margin = int(128 * CONTEXT)

    def wrong_at_the_border(t: Tile) -> np.ndarray:
        values = np.ones((128, 128), np.float32)
        top, left = margin * (t.top > 0), margin * (t.left > 0)
        bottom, right = 128 - margin * (t.top + 128 < 320), 128 - margin * (t.left + 128 < 320)
        values[top:bottom, left:right] = 0.25
        return values

    assert np.abs(blend(size, tiles, map(wrong_at_the_border, tiles)) - 0.25).max() < 1e-4


@settings(max_examples=60, deadline=None)
@given(SIZES, st.floats(0.01, 1), st.integers(0, 2**31))
def test_whole_and_tiles_together(size, share, seed):
    rng = np.random.default_rng(seed)
    whole, closer = rng.random(size, dtype=np.float32), rng.random(size, dtype=np.float32)
    excess = np.clip(closer - np.quantile(closer, ORDINARY), 0, 1)
    expected = 1 - (1 - whole.astype(np.float64)) * (1 - (1 - share) * excess)
    joined = together(whole.copy(), closer.copy(), share)
    assert joined.dtype == np.float32 and np.abs(joined - expected).max() < 1e-6
    assert (joined >= whole).all() and joined.max() <= 1
    assert np.array_equal(together(whole.copy(), closer, 1.0), whole)


def test_the_ordinary_of_a_huge_map_is_taken_of_evenly_spread_pixels():
    ramp = np.linspace(0, 1, 3000, dtype=np.float32)
    joined = together(np.zeros((2000, 3000), np.float32), np.tile(ramp, (2000, 1)), 0.0)
    assert np.abs(joined - np.clip(ramp - ORDINARY, 0, 1)).max() < 1e-3


def test_one_tile_for_a_small_image():
    assert split((40, 50), 64) == [Tile(0, 0, 40, 50)]
    assert Tile(1, 2, 3, 4).box == (2, 1, 6, 4)
    assert Tile(0, 0, 40, 50).share((40, 50)) == 1.0 and Tile(0, 0, 40, 50).share((80, 100)) == 0.25


@pytest.mark.parametrize(("side", "overlap"), [(31, 0.25), (64, 1.0), (64, -0.1)])
def test_errors(side, overlap):
    with pytest.raises(UsageError, match="use at least 32 px"):
        split((100, 100), side, overlap)


@pytest.mark.parametrize(
    ("tile", "size", "side"),
    [
        (None, (9000, 9000), None),
        (512, (512, 512), None),
        (512, (512, 513), 512),
        (512, (400, 20), 512),  # too long to be squeezed
        ("auto", (400, 400), None),
        ("auto", (401, 30), 200),
        ("auto", (60, 500), 200),
        ("auto", (20, 161), 200),
    ],
)
def test_which_images_are_cut_into_which_tiles(tile, size, side):
    assert tile_side(tile, size, 100) == side
    assert (side is not None) or not (tile and is_long(size))
    assert tile != "auto" or (side is not None) == (is_large(size, 100) or is_long(size))


@pytest.mark.parametrize(("text", "tile"), [(None, None), ("auto", "auto"), ("32", 32), ("4096", 4096)])
def test_reading_what_was_asked_for(text, tile):
    assert parse_tile(text) == tile
    check_tile(tile)


@pytest.mark.parametrize("text", ["", "31", "-512", "0", "512px", "1e3", "AUTO", "9" * 5000, "²", "5\x1b[31m"])
def test_refusing_what_is_no_tile(text):
    with pytest.raises(UsageError) as caught:
        parse_tile(text)
    assert len(str(caught.value)) < 120 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize("tile", [31, 0, -5, True, 512.0, "512", "x" * 5000])
def test_refusing_what_is_no_tile_in_python(tile):
    with pytest.raises(UsageError) as caught:
        check_tile(tile)
    assert len(str(caught.value)) < 120
