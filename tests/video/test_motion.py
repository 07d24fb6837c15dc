"""Motion of drawn squares, whose speed is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zsad.errors import UsageError
from zsad.video.motion import Motion, top_mean

pytest.importorskip("cv2")


def textured(rng, side, middle, contrast):
    noise = gaussian_filter(rng.standard_normal((side, side)), 2)
    return np.clip(middle + contrast * noise / np.abs(noise).max(), 0, 255).astype(np.uint8)


def moving(step, side=120, size=24, frames=4, top=40):
    """Return frames in which a textured square moves by ``step`` pixels a frame over a textured ground."""
    rng = np.random.default_rng(0)
    ground = textured(rng, side, 90, 20)
    square = textured(rng, size, 128, 100)
    out = []
    for i in range(frames):
        frame = ground.copy()
        frame[top : top + size, 10 + step * i : 10 + step * i + size] = square
        out.append(frame)
    return out


def maps(frames, kind="flow", rate=25.0):
    motion = Motion(kind, rate)
    return [motion(frame, i / (rate or 25)) for i, frame in enumerate(frames)]


def test_the_speed_is_that_of_the_square_and_its_place_too():
    first, *rest = maps(moving(3))
    assert first is None
    for values in rest:
        assert values.dtype == np.float32 and values.shape == (120, 120)
        assert top_mean(values) == pytest.approx(100 * 3 / 120 * 25, rel=0.35)
        y, x = np.unravel_index(values.argmax(), values.shape)
        assert 35 <= y <= 70 and x < 60
        assert values[100:, 80:].max() < 0.2 * values.max()


def test_faster_is_higher_and_still_is_nothing():
    speeds = [top_mean(maps(moving(step))[-1]) for step in (0, 1, 2, 4)]
    assert speeds[0] < 0.01 * speeds[-1] and speeds == sorted(speeds)


def test_speed_is_a_second_s_whatever_the_stride_and_a_frame_s_without_a_rate():
    each, every_second = maps(moving(2, frames=5)), moving(2, frames=5)[::2]
    motion = Motion("flow", 25.0)
    skipped = [motion(frame, 2 * i / 25) for i, frame in enumerate(every_second)]
    assert top_mean(skipped[-1]) == pytest.approx(top_mean(each[-1]), rel=0.6)
    assert top_mean(maps(moving(2), rate=0.0)[-1]) == pytest.approx(top_mean(maps(moving(2))[-1]) / 25, rel=1e-4)
    same_time = Motion("flow", 25.0)
    assert [same_time(frame, 0.0) is not None for frame in moving(2)[:2]] == [False, True]


def test_difference_is_in_percent_of_grey_levels():
    black, white = np.zeros((50, 50), np.uint8), np.full((50, 50), 255, np.uint8)
    assert top_mean(maps([black, white], "difference")[1]) == pytest.approx(100)
    assert maps([black, black], "difference")[1].max() == 0


def test_another_kind_is_refused():
    with pytest.raises(UsageError, match="give flow or difference"):
        Motion("speed")
