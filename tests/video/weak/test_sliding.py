"""Live scoring: every row once, as late as stated, as the window alone would have it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.video.weak import small
from zsad.errors import InputError, UsageError
from zsad.video.learned.scoring import score_features
from zsad.video.learned.sliding import SlidingWindow
from zsad.video.weak.folder import load_weak


@pytest.mark.parametrize("delay", [0, 3])
def test_every_row_is_scored_once_by_the_window_that_is_there(tmp_path, delay):
    network, x = load_weak(small.folder(tmp_path / "m", "vadclip-ucf")), small.features("vadclip-ucf", 20).numpy()
    window = SlidingWindow(network, length=8, delay=delay)
    found, when = [], {}
    for index, row in enumerate(x):
        scored = window.push(row)
        if scored is not None:
            found.append(scored)
            when[scored[0]] = index
    found += window.finish()
    assert [row for row, _, _ in found] == list(range(20))
    assert all(index - row == delay for row, index in when.items())
    for row, score, classes in found:
        last = min(row + delay, 19)
        seen = x[max(0, last - 7) : last + 1]
        want = score_features(network, seen)
        at = len(seen) - 1 - (last - row)
        assert abs(score - want.values[at]) < 1e-5 and np.allclose(classes, want.classes[at], atol=1e-5)
    assert window.seconds(25.0) == delay * 16 / 25


def test_what_cannot_slide(tmp_path):
    network = load_weak(small.folder(tmp_path / "m", "vadclip-ucf"))
    for length, delay in ((300, 0), (8, 8), (8, -1)):
        with pytest.raises(UsageError, match="at most 256"):
            SlidingWindow(network, length, delay)
    with pytest.raises(UsageError, match="scores clips"):
        SlidingWindow(load_weak(small.folder(tmp_path / "v", "vador")))
    with pytest.raises(InputError, match="8 wide, the model reads 16"):
        SlidingWindow(network).push(np.zeros(8, np.float32))
