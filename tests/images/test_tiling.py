from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.errors import UsageError
from zsad.images.tiling import OVERLAP, Tile, blend, split

SIZES = st.tuples(st.integers(8, 400), st.integers(8, 400))


@settings(max_examples=100, deadline=None)
@given(SIZES, st.integers(32, 200))
def test_tiles_cover_everything_and_overlap_enough(size, side):
    tiles = split(size, side)
    covered = np.zeros(size, int)
    for tile in tiles:
        assert tile.top >= 0 and tile.left >= 0
        assert tile.top + tile.height <= size[0] and tile.left + tile.width <= size[1]
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
    pieces = ((t, whole[t.top : t.top + t.height, t.left : t.left + t.width]) for t in tiles)
    assert np.abs(blend(size, pieces) - whole).max() < 1e-5


def test_no_seam_between_tiles_that_disagree():
    size = (64, 200)
    tiles = split(size, 64)
    blended = blend(size, ((t, np.full((t.height, t.width), i % 2, np.float32)) for i, t in enumerate(tiles)))
    assert np.abs(np.diff(blended, axis=1)).max() < 0.2


def test_one_tile_for_a_small_image():
    assert split((40, 50), 64) == [Tile(0, 0, 40, 50)]
    assert Tile(1, 2, 3, 4).box == (2, 1, 6, 4)


@pytest.mark.parametrize(("side", "overlap"), [(31, 0.25), (64, 1.0), (64, -0.1)])
def test_errors(side, overlap):
    with pytest.raises(UsageError, match="use at least 32 px"):
        split((100, 100), side, overlap)
