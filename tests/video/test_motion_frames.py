"""Motion frames: equal to HAWK's published code, and nothing but what moves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from zsad.video.motion_frames import flow_magnitude, motion_frame

GOLDEN = Path(__file__).parents[1] / "golden" / "language" / "hawk_motion.npz"


def test_equal_to_the_published_code():
    golden = np.load(GOLDEN, allow_pickle=False)
    for before, after, expected, speed in zip(
        *(golden[key] for key in ("before", "after", "motion_frames", "magnitude")), strict=True
    ):
        np.testing.assert_allclose(flow_magnitude(before, after), speed.astype(np.float32), atol=3e-3)
        differ = (motion_frame(before, after) != expected).any(axis=-1).mean()
        assert differ <= 1e-3
    soft = motion_frame(golden["before"][1], golden["after"][1], soft=True)
    np.testing.assert_allclose(soft, golden["paper_weighted_first"], atol=0.51)  # ours is rounded to bytes


def test_a_moving_square_is_seen_and_a_still_picture_is_black():
    rng = np.random.default_rng(0)
    ground = np.full((96, 128, 3), 90, np.uint8)
    square = rng.integers(0, 256, (28, 28, 3), np.uint8)
    before, after = ground.copy(), ground.copy()
    before[30:58, 40:68], after[32:60, 44:72] = square, square
    found = motion_frame(before, after)
    assert (found[34:58, 46:70] > 0).any(axis=-1).mean() > 0.95
    assert not found[:, 110:].any()
    assert not motion_frame(before, before).any()
    assert not motion_frame(before, before, soft=True).any()
