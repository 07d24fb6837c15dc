"""Frame metrics against scikit-learn, the field's own numbers, slow loops and worked examples."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc as area
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from zsad.errors import MetricError
from zsad.metrics.alarms import alarms_at
from zsad.metrics.bootstrap import draw
from zsad.metrics.frames import BASELINES, VideoFrames, baselines, centre_prior, frame_metrics
from zsad.metrics.frames_bootstrap import bootstrap_frames
from zsad.metrics.tracks import FoundRegion, TrueRegion, rbdc_tbdc

GOLDEN = Path(__file__).parents[1] / "golden" / "video" / "frame_metrics.npz"


def scikit(videos):
    """The same metrics, each by scikit-learn on joined arrays."""
    y, s = np.concatenate([v.truth for v in videos]), np.concatenate([v.scores for v in videos])
    some = [v for v in videos if v.truth.any()]
    both = [v for v in some if not v.truth.all()]
    precision, recall, _ = precision_recall_curve(y, s)
    return {
        "auc": roc_auc_score(y, s),
        "auc_abnormal": roc_auc_score(*(np.concatenate([getattr(v, k) for v in some]) for k in ("truth", "scores"))),
        "auc_macro": np.mean([roc_auc_score(v.truth, v.scores) for v in both]),
        "ap": average_precision_score(y, s),
        "pr_auc_trapezoid": area(recall, precision),
    }  # fmt: skip


def random_videos(seed, count=6, levels=0, length=40):
    rng = np.random.default_rng(seed)
    videos = []
    for i in range(count):
        n = int(rng.integers(length // 2, length))
        truth = np.zeros(n, bool)
        if i % 2 == 0:
            truth[n // 4 : n // 2 + i] = True
        scores = rng.normal(size=n) + truth
        videos.append(VideoFrames.of(truth, np.round(scores * levels) / levels if levels else scores))
    return videos


@pytest.mark.parametrize("levels", [0, 1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scikit_learn_with_and_without_ties(seed, levels):
    videos = random_videos(seed, levels=levels)
    got = {name: metric.value for name, metric in frame_metrics(videos).items()}
    assert got == pytest.approx(scikit(videos), abs=1e-12)


@pytest.mark.parametrize("case", ["random", "ties"])
def test_equal_to_the_fields_numbers(case):
    with np.load(GOLDEN, allow_pickle=False) as data:
        cases = sorted({key.split(".")[0] for key in data.files})
        name = next(found for found in cases if case in found) if any(case in found for found in cases) else cases[0]
        video = VideoFrames.of(data[f"{name}.gt_frames"], np.repeat(data[f"{name}.snippet_prob"], 16))
        got = frame_metrics([video])
        for mine, theirs in (("auc", "auc"), ("ap", "ap_step"), ("pr_auc_trapezoid", "pr_auc_trapezoid")):
            assert got[mine].value == pytest.approx(float(data[f"{name}.{theirs}"]), abs=1e-9)


LABELLED = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(LABELLED)
def test_the_trapezoid_is_scikit_learns(pairs):
    truth, scores = np.array([p[0] for p in pairs]), np.array([float(p[1]) for p in pairs])
    got = frame_metrics([VideoFrames.of(truth, scores)])["pr_auc_trapezoid"]
    if truth.all() or not truth.any():
        assert np.isnan(got.value) and "only one class" in got.reason
    else:
        precision, recall, _ = precision_recall_curve(truth, scores)
        assert got.value == pytest.approx(area(recall, precision), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(LABELLED, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_videos_and_a_monotone_change_of_scores_do_not_matter(lists, random):
    videos = [VideoFrames.of(np.array([p[0] for p in one]), np.array([float(p[1]) for p in one])) for one in lists]
    first = {name: metric.value for name, metric in frame_metrics(videos).items()}
    random.shuffle(videos)
    turned = [VideoFrames(v.truth, np.exp(v.scores) - 3) for v in videos]
    second = {name: metric.value for name, metric in frame_metrics(turned).items()}
    assert second == pytest.approx(first, abs=1e-12, nan_ok=True)


def test_baselines_know_labels_and_places_only():
    truths = [np.array([False, True, True, False]), np.zeros(4, bool)]
    found = baselines(truths)
    assert list(found) == list(BASELINES)
    # Four frames of the abnormal video at 1 (two of them wrong), four at 0: 2 x (4 + 2 / 2) of 2 x 6 pairs.
    assert found["video_oracle"]["auc"].value == pytest.approx(10 / 12)
    assert found["video_oracle"]["auc_abnormal"].value == 0.5
    # Weights e^-1/2, e^-1/8, 1, e^-1/8 in both: 2 won and 3 tied, 5 won and 1 tied.
    weights = centre_prior(truths[0])
    assert weights == pytest.approx(np.exp([-0.5, -0.125, 0, -0.125]))
    assert found["centre_prior"]["auc"].value == pytest.approx((2 + 3 / 2 + 5 + 1 / 2) / 12)
    assert len(centre_prior(np.zeros(0, bool))) == 0 and centre_prior(np.zeros(1, bool)).shape == (1,)


def test_what_is_undefined_says_why():
    normal = frame_metrics([VideoFrames.of(np.zeros(3, bool), np.arange(3.0))])
    assert all(np.isnan(metric.value) and metric.reason for metric in normal.values())
    whole = frame_metrics([VideoFrames.of(np.ones(3, bool), np.arange(3.0)), VideoFrames.of([0, 0], [0.0, 1.0])])
    assert whole["auc"].value > 0 and whole["auc_macro"].reason == "no video has both normal and anomalous frames"
    assert np.isnan(frame_metrics([])["auc"].value)
    with pytest.raises(MetricError, match="clip: scores: 1 of 2 values are NaN"):
        VideoFrames.of([0, 1], [0.0, np.nan], "clip")
    with pytest.raises(MetricError, match=r"clip: labels \(2,\) and scores \(3,\)"):
        VideoFrames.of([0, 1], [0.0, 1, 2], "clip")


def test_intervals_agree_with_resampled_exact_metrics():
    videos = random_videos(7, count=10, levels=8)
    exact = frame_metrics(videos)
    got = bootstrap_frames(videos, exact, 60, seed=5)
    counts = draw([v.truth.any() for v in videos], 60, seed=5)
    slow = [frame_metrics([v for v, n in zip(videos, row, strict=True) for _ in range(n)]) for row in counts]
    for name in exact:
        wanted = np.quantile([one[name].value for one in slow], [0.025, 0.975])
        assert got[name] == pytest.approx(tuple(wanted), abs=1e-12), name


def test_bins_move_intervals_by_little(monkeypatch):
    videos = random_videos(3, count=8, length=900)
    exact = frame_metrics(videos)
    fine = bootstrap_frames(videos, exact, 100, seed=1)
    monkeypatch.setattr("zsad.metrics.frames_bootstrap.BINS", 512)
    coarse = bootstrap_frames(videos, exact, 100, seed=1)
    for name in exact:
        assert coarse[name] == pytest.approx(fine[name], abs=2e-3), name
    assert bootstrap_frames([VideoFrames.of([0, 0], [0.0, 1.0])], frame_metrics([]), 5) == {}


def test_alarms_by_hand():
    truth = np.zeros(100, bool)
    truth[20:40] = truth[60:70] = truth[80:90] = True
    scores = np.zeros(100)
    scores[[5, 6, 10]] = 1  # two false alarms
    scores[25:30] = 0.5  # an event found 5 frames late
    scores[55:62] = 1  # on before the event begins
    found = alarms_at([VideoFrames.of(truth, scores)], [10.0], 0.5)
    assert (found.events, found.found, found.false_alarms) == (3, 2, 2)
    assert found.delays == (0.0, 0.5) and found.median_delay == 0.25
    assert found.normal_hours == pytest.approx(6 / 3600) and found.false_alarms_per_hour == pytest.approx(1200)
    never = alarms_at([VideoFrames.of(np.ones(3, bool), np.zeros(3))], [1.0], 0.5)
    assert never.found == 0 and np.isnan(never.median_delay) and np.isnan(never.false_alarms_per_hour)


def test_regions_and_tracks_by_hand():
    box, other = (0, 0, 10, 10), (50, 50, 60, 60)
    truth = [TrueRegion(0, box, 1), TrueRegion(1, box, 1), TrueRegion(2, box, 2), TrueRegion(3, box, 2)]
    # Regions found from 0.9, 0.7 and 0.5 on; a false region from 0.8 on, a second from 0.5 on; 4 frames.
    found = [FoundRegion(0, box, 0.9), FoundRegion(1, other, 0.8), FoundRegion(1, (0, 0, 10, 9), 0.7),
             FoundRegion(2, other, 0.5), FoundRegion(2, box, 0.5)]  # fmt: skip
    # By regions: (0, 1/4), (1/4, 1/4), (1/4, 2/4), (2/4, 3/4), flat to 1.
    got = rbdc_tbdc(truth, found, 4)
    assert got.rbdc.value == pytest.approx(0.25 * 0.25 + 0.25 * (0.5 + 0.75) / 2 + 0.5 * 0.75)
    # By tracks, one region in ten of each: (0, 1/2), (1/4, 1/2), (2/4, 1), flat to 1.
    assert got.tbdc.value == pytest.approx(0.25 * 0.5 + 0.25 * 0.75 + 0.5)
    # Half of a track's regions: the second track has one of two.
    assert rbdc_tbdc(truth, found, 4, share=1.0).tbdc.value == pytest.approx(0.25 * 0 + 0.25 * 0.5 + 0.5 * 0.5)
    assert rbdc_tbdc(truth, [], 4).rbdc.value == 0
    assert rbdc_tbdc(truth, [FoundRegion(i, box, 1.0) for i in range(4)], 4).rbdc.value == 1
    # Beyond one false region per frame nothing counts: half way up the line from (0, 0) to (2, 1).
    both = [FoundRegion(0, box, 1.0), FoundRegion(0, other, 1.0), FoundRegion(0, (80, 80, 81, 81), 1.0)]
    assert rbdc_tbdc([TrueRegion(0, box, 1)], both, 1).rbdc.value == pytest.approx(0.25)
    assert "no anomalous region" in rbdc_tbdc([], found, 4).tbdc.reason
    with pytest.raises(MetricError, match="frames must be at least 1"):
        rbdc_tbdc(truth, found, 0)
    with pytest.raises(MetricError, match="NaN"):
        rbdc_tbdc(truth, [FoundRegion(0, box, float("nan"))], 4)
