"""Which frames are shown, and as what pictures."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.language.clips import write_frames
from zsad.language.cache import Cache
from zsad.language.clicks import uniform_frames
from zsad.language.explain.choice import Choice, choose, snippet_scores
from zsad.language.explain.shots import read_shots
from zsad.language.explain.tasks import fewer
from zsad.language.footage import Footage
from zsad.video.series import ScoreSeries


def series_of(values, every=16, n_frames=None):
    count = len(values) * every if n_frames is None else n_frames
    places = np.arange(len(values)) * every
    return ScoreSeries(np.array(values, float), places, places / 8, count, 8.0, "x")


def quantiles(scores, count, tau=0.1):
    """Where the middles of equal parts of the mass lie, by walking along it."""
    total, found = sum(s + tau for s in scores), []
    for k in range(count):
        wanted, mass = (k + 0.5) / count * total, 0.0
        for i, s in enumerate(scores):
            mass += s + tau
            if wanted < mass:
                found.append(i)
                break
    return found


def test_short_videos_and_those_without_scores_are_sampled_evenly():
    scored = series_of([0.1] * 8)
    assert choose(128, scored, 12) == Choice(tuple(sorted(set(uniform_frames(127, 12)))), "uniform")
    assert choose(5000, None, 12).sampler == "uniform" and len(choose(5000, None, 12).frames) == 12
    assert choose(1, None, 12).frames == (0,)


def test_long_videos_are_sampled_where_scores_are_high():
    scores = [0.0] * 10 + [0.9, 1.0, 0.8] + [0.05] * 7
    found = choose(320, series_of(scores), 8)
    snippets = [frame // 16 for frame in found.frames]
    assert found.sampler == "density" and not found.scaled
    assert snippets == quantiles(scores, 8) and sum(10 <= i < 13 for i in snippets) >= 4
    assert all(frame % 16 == 0 for frame in found.frames if snippets.count(frame // 16) == 1)


def test_a_snippet_that_is_taken_often_shows_several_frames():
    found = choose(320, series_of([0.0] * 10 + [50.0] + [0.0] * 9), 8)
    inside = [frame for frame in found.frames if frame // 16 == 10]
    assert found.scaled and len(inside) >= 3 and inside[0] == 160 and len(set(inside)) == len(inside)


@pytest.mark.parametrize("seed", range(8))
def test_frames_ascend_and_lie_in_the_video(seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(1, 700))
    places = np.unique(rng.integers(0, length, 30))
    scored = ScoreSeries(rng.normal(0, 3, len(places)), places, places / 8, length, 8.0, "x")
    frames = choose(length, scored, int(rng.integers(1, 20))).frames
    assert frames and list(frames) == sorted(set(frames)) and frames[0] >= 0 and frames[-1] < length


def test_scores_of_snippets_are_means_of_frames():
    means, scaled = snippet_scores(series_of([0.2, 0.4, 0.9], every=8, n_frames=20))
    assert not scaled and means == pytest.approx([0.3, 0.9])
    means, scaled = snippet_scores(series_of([-2.0, 6.0], every=16))
    assert scaled and means == pytest.approx([0.0, 1.0])
    assert snippet_scores(series_of([7.0, 7.0]))[0].tolist() == [0.0, 0.0]


def test_fewer_shots_keep_both_ends():
    assert fewer(list(range(12)), 8) == [0, 1, 3, 4, 6, 7, 9, 11] and fewer([1, 2], 8) == [1, 2]
    assert fewer([1, 2, 3], 1) == [1]


def test_motion_frames_show_what_moved_since_the_frame_before(tmp_path):
    pytest.importorskip("cv2")
    from zsad.video.motion_frames import motion_frame

    write_frames(tmp_path / "clip", [60] * 6, (224, 224))
    for i in range(6):  # a bright square that goes to the right
        image = Image.open(tmp_path / "clip" / f"{i:04d}.png")
        image.paste((250, 250, 250), (20 + 12 * i, 90, 60 + 12 * i, 130))
        image.save(tmp_path / "clip" / f"{i:04d}.png")
    shots, size = read_shots(Footage(tmp_path / "clip", Cache(None)), [0, 3], motion=True)
    assert size == (224, 224) and [shot.index for shot in shots] == [0, 3]
    frames = [np.asarray(Image.open(tmp_path / "clip" / f"{i:04d}.png")) for i in range(6)]
    for shot, (before, after) in zip(shots, ((0, 1), (2, 3)), strict=True):
        shown = np.asarray(Image.open(BytesIO(shot.motion.load())).convert("RGB"), float)
        wanted = motion_frame(frames[before], frames[after])
        assert np.abs(shown - wanted).mean() < 3  # JPEG
        assert (shown.max(axis=2) > 40).mean() < 0.3  # what stands still is black
    plain, _ = read_shots(Footage(tmp_path / "clip", Cache(None)), [0, 3])
    assert [one.picture.sha for one in plain] == [one.picture.sha for one in shots] and plain[0].motion is None


def test_one_frame_has_no_motion(tmp_path):
    pytest.importorskip("cv2")
    shots, _ = read_shots(Footage(write_frames(tmp_path / "one", [200]), Cache(None)), [0], motion=True)
    assert np.asarray(Image.open(BytesIO(shots[0].motion.load()))).max() == 0
