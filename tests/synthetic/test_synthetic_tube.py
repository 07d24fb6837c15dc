"""The inside of a hollow organ, and what grows there."""

import numpy as np
import pytest

from zsad.synthetic.families import SURFACE_DEFECTS
from zsad.synthetic.scans_tube import endoscopy
from zsad.synthetic.sites import Site, choose


@pytest.mark.parametrize("size", [32, 97, 160])
def test_a_view_is_an_image_and_a_region(size):
    for k in range(8):
        image, region = endoscopy(np.random.default_rng(k), size)
        assert image.shape == (3, size, size) and region.shape == (size, size)
        assert image.dtype == region.dtype == np.float32
        assert image.min() >= 0 and image.max() <= 1 and region.min() >= 0 and region.max() <= 1


def test_lesions_lie_on_the_lit_wall_and_neither_in_the_lumen_nor_outside_the_frame():
    for k in range(20):
        image, region = endoscopy(np.random.default_rng(k), 96)
        assert (region > 0.5).mean() > 0.2
        if (region < 0.05).any():
            assert image[:, region < 0.05].mean() < 0.6 * image[:, region > 0.5].mean()


def test_the_wall_is_red_and_its_glints_are_white():
    red = white = 0
    for k in range(20):
        image, region = endoscopy(np.random.default_rng(k), 96)
        means = image[:, region > 0.5].mean(1)
        red += int(means[0] > means[1] and means[0] > means[2])
        white += int((image.min(0) > 0.8).any())
    assert red >= 18 and white >= 8


def test_a_polyp_is_lit_from_one_side_and_throws_its_shadow_to_the_other():
    wall = np.full((3, 96, 96), 0.5, np.float32)
    before, behind, lit, far = [], [], [], []
    for k in range(40):
        out, where = SURFACE_DEFECTS["polyp"](np.random.default_rng(k), wall, Site(48, 48, 16, 0.0, 1.0))
        left, right = where.copy(), where.copy()
        left[:, 48:] = right[:, :48] = 0
        lit.append(out[:, left > 0.5].mean())
        far.append(out[:, right > 0.5].mean())
        outside = np.where(where > 0, np.nan, out.mean(0))
        before.append(np.nanmean(outside[40:56, :44]))
        behind.append(np.nanmean(outside[40:56, 52:]))
    assert np.mean(np.array(lit) > np.array(far)) > 0.9
    assert np.allclose(before, 0.5, atol=0.01)  # a shadow falls away from the light only
    assert np.mean(np.array(behind) < 0.499) > 0.7


def test_what_grows_in_a_body_is_mostly_large():
    areas = []
    for k in range(60):
        rng = np.random.default_rng(k)
        image, region = endoscopy(rng, 96)
        _, where = SURFACE_DEFECTS["polyp"](rng, image, choose(rng, 96, 96, region, grown=True))
        areas.append(where.mean())
    assert np.median(areas) > 0.03 and np.quantile(areas, 0.9) > 0.12 and np.quantile(areas, 0.1) < 0.02
