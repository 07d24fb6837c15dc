"""Methods that look at frames: one score for each, of what is known to be there; and what is usual for a camera."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

import zsad
from tests.contrast import Contrast
from tests.video.clips import write_clip
from tests.video.moving_clips import FAST, FRAMES, calm_clip, fast_clip
from zsad.errors import InputError, UsageError
from zsad.types import Thresholds
from zsad.video.events import find_events
from zsad.video.live import Rule
from zsad.video.methods import FusedMethod, MapMethod, MotionMethod, NormalFootage, Sampling
from zsad.video.methods.normal import RowSpeeds
from zsad.video.source import open_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return fast_clip(tmp_path_factory.mktemp("methods") / "fast.mp4")


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    return calm_clip(tmp_path_factory.mktemp("methods") / "calm.mp4")


@pytest.mark.parametrize("kind", ["flow", "difference"])
def test_motion_is_highest_where_something_is_fast_and_the_first_frame_repeats_the_second(clip, kind):
    series = MotionMethod(kind, refiners=()).score(clip)
    assert len(series) == series.n_frames == FRAMES and series.values[0] == series.values[1]
    assert series.positions.tolist() == list(range(FRAMES)) and series.method == "motion"
    fast = np.isin(np.arange(FRAMES), np.array(FAST)[:4] + 1)
    assert series.values[fast].min() > 1.5 * np.median(series.values[~fast])
    causal = MotionMethod(kind).score(clip)
    assert causal.refiners == ("causal_mean size 9",)
    assert causal.values[20] == pytest.approx(series.values[12:21].mean())


def test_strides_and_rates_choose_frames(clip):
    assert MotionMethod(sampling=Sampling(stride=8)).score(clip).positions.tolist() == [0, 8, 16, 24, 32]
    assert MotionMethod(sampling=Sampling(fps=5)).score(clip).positions.tolist() == list(range(0, 34, 5))
    told = []
    MotionMethod(sampling=Sampling(stride=8)).score(clip, lambda done, total: told.append((done, total)))
    assert told[0] == (1, FRAMES) and told[-1] == (33, FRAMES)


def test_one_frame_has_a_score_too(tmp_path):
    one = write_clip(tmp_path / "one.mp4", 1)
    for method in (MotionMethod(), MapMethod(Contrast()), FusedMethod(Contrast())):
        assert np.isfinite(method.score(one).values).all() and len(method.score(one)) == 1


@pytest.mark.parametrize("score", ["max", "top1", "area", "fused"])
def test_map_scores_are_those_of_each_frame_by_itself(clip, score):
    detector = Contrast().with_thresholds(Thresholds(pixel=0.3))
    series = MapMethod(detector, score, refiners=()).score(clip)
    with open_video(clip) as video:
        slow = []
        for frame in video.frames():
            result = detector(frame.image)
            top = np.sort(result.map.ravel())[-max(1, round(0.01 * result.map.size)) :].mean()
            slow.append({"max": result.map.max(), "top1": top, "area": (result.map >= 0.3).mean(),
                         "fused": (top + result.score) / 2}[score])  # fmt: skip
    np.testing.assert_allclose(series.values, slow, rtol=1e-5)
    assert series.method == "map" and score in series.model


def test_fused_is_high_only_where_both_are(clip):
    looks = list(FusedMethod(Contrast(), refiners=()).looks(open_video(clip)))
    motion = list(MotionMethod(refiners=()).looks(open_video(clip)))
    maps = list(MapMethod(Contrast(), refiners=()).looks(open_video(clip)))
    assert [look.frame.index for look in looks] == list(range(FRAMES)) and looks[0].score == pytest.approx(
        looks[0].map.max(), rel=1
    )
    for fused, moved, seen in zip(looks, motion, maps, strict=True):
        assert fused.map.shape == moved.map.shape
        assert (fused.map <= moved.map * seen.map.max() + 1e-5).all()
    np.testing.assert_array_equal(motion[0].map, motion[1].map)


def test_speeds_are_told_in_those_of_their_row():
    rows = RowSpeeds()
    rng = np.random.default_rng(0)
    usual = np.where(np.arange(60) < 30, 1.0, 10.0)
    for _ in range(20):
        rows.add((usual[:, None] * rng.uniform(0.5, 1, (60, 80))).astype(np.float32))
    found = rows.usual()
    assert found[50] == pytest.approx(10, rel=0.1) and 2.5 < found[5] < 3.6  # not below a floor
    assert rows.relative(np.full((60, 80), 20, np.float32))[50].mean() == pytest.approx(2, rel=0.1)
    with pytest.raises(InputError, match="59 rows"):
        rows.add(np.ones((59, 80), np.float32))
    with pytest.raises(InputError, match="fewer than two frames"):
        RowSpeeds().usual()


def test_quantiles_of_rows_are_numpys():
    rows, maps = RowSpeeds(), np.random.default_rng(1).uniform(1, 2, (9, 40, 50)).astype(np.float32)
    for values in maps:
        rows.add(values)
    exact = np.quantile(maps.transpose(1, 0, 2).reshape(40, -1), 0.995, axis=1)
    np.testing.assert_allclose(rows.usual(), exact, rtol=0.04)


@pytest.mark.parametrize("footage", ["clip", "seconds"])
def test_with_normal_footage_the_unusual_is_above_one(clip, calm, footage):
    normal = NormalFootage((calm,)) if footage == "clip" else NormalFootage(seconds=24 / 25)
    method = MotionMethod(normal=normal, refiners=())
    values = method.score(clip).values
    assert "normal" in method.model and values[25:29].min() > 1.3 * np.median(values[:23])
    assert np.median(values[:23]) < 1.6
    if footage == "clip":
        first = method.score(clip).values
        np.testing.assert_array_equal(first, values)


def test_a_memory_of_normal_footage_finds_what_it_has_not_seen(calm, tmp_path):
    def odd(index, frame):
        from tests.video.moving_clips import calm as usual

        usual(index, frame)
        if index >= 4:
            frame[8:30, 60:90] = 250 * (np.add.outer(np.arange(22), np.arange(30)) % 2)[..., None]

    clip = write_clip(tmp_path / "odd.mp4", 8, draw=odd, size=(96, 72))
    method = MapMethod(zsad.load(), sampling=Sampling(stride=4), normal=NormalFootage((calm,)), refiners=())
    values = method.score(clip).values
    assert values[1] > values[0]
    looks = list(method.looks(open_video(clip)))
    y, x = np.unravel_index(looks[-1].map.argmax(), looks[-1].map.shape)
    assert y < 45 and x > 45


def test_footage_must_fit(clip, tmp_path):
    with pytest.raises(UsageError, match="not both"):
        NormalFootage((clip,), 3.0)
    with pytest.raises(UsageError, match="above 0"):
        NormalFootage(seconds=0)
    other = write_clip(tmp_path / "other.mp4", 4, size=(64, 64))
    with pytest.raises(InputError, match="64 x 64 px, the video has 96 x 72"):
        MotionMethod(normal=NormalFootage((other,))).score(clip)


def test_a_detector_of_videos(clip):
    with pytest.raises(UsageError, match="did you mean motion"):
        zsad.VideoDetector(method="motions")
    with pytest.raises(UsageError, match="needs a detector"):
        zsad.VideoDetector(method="fused")
    result = zsad.VideoDetector(threshold=60.0, gap=2)(clip)
    assert result.score == result.series.values.max() and not result.hint and not result.fault
    assert list(result.events) == find_events(result.series, Rule(60.0, None, 1, 2), lambda i: result.events[0].region)
    (event,) = result.events
    assert event.start in range(24, 34) and event.region[1] > 30 and event.region[3] <= 72
    assert len(result.maps) == FRAMES and result.maps[-1].shape == (72, 96) and len(result.maps[:3]) == 3
    assert len(result.with_rule(Rule(1e9)).events) == 0
    hinted = zsad.VideoDetector()(clip)
    assert hinted.hint and len(hinted.events) == 1


def test_a_stream_says_the_same_as_the_whole(clip):
    for detector in (zsad.VideoDetector(threshold=60.0), zsad.VideoDetector(Contrast(), threshold=0.2)):
        result = detector(clip)
        moments = list(detector.stream(clip))
        seen = moments if moments[-1].index != moments[-2].index else moments[:-1]
        np.testing.assert_allclose([m.score for m in seen], result.series.values)
        found = [m.event for m in moments if m.event is not None]
        facts = [(e.start, e.end, e.peak, e.score) for e in result.events]
        assert [(e.start, e.end, e.peak, e.score) for e in found] == facts
    assert not any(moment.on for moment in zsad.VideoDetector().stream(clip))
    with pytest.raises(UsageError, match="looks at later frames"):
        next(zsad.VideoDetector(refiners=["median"]).stream(clip))
