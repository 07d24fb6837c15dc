"""Offline refiners against scipy and the published numbers; live ones against their own future."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d, median_filter

from zsad.errors import ConfigError, InputError, UsageError
from zsad.video import ScoreSeries
from zsad.video.live import Causal
from zsad.video.refine import (
    REFINERS,
    Refiner,
    apply_refiners,
    centre_weight,
    check_live,
    gaussian,
    median,
    min_max,
    read_refiners,
    refiners_of,
    retrieval,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "video_refine" / "vera.npz"
VALUES = st.lists(st.floats(-100, 100), min_size=1, max_size=60).map(np.array)


def series(values, stride=1, **more):
    n = len(values)
    return ScoreSeries(values, np.arange(n) * stride, np.arange(n) * 0.1, n * stride, 10.0, "map", **more)


@given(VALUES, st.floats(0.3, 8), st.integers(0, 9))
def test_gaussian_inside_is_scipys(values, sigma, reach):
    found = gaussian(values, sigma, 2 * reach + 1, edges="zeros")
    expected = gaussian_filter1d(values, sigma, mode="constant", radius=reach)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    weight = gaussian_filter1d(np.ones(len(values)), sigma, mode="constant", radius=reach)
    np.testing.assert_allclose(gaussian(values, sigma, 2 * reach + 1), expected / weight, atol=1e-9)


def test_a_long_gaussian_takes_the_quick_way_to_the_same():
    values = np.random.default_rng(0).random(30_000)
    expected = gaussian_filter1d(values, 50, mode="constant", radius=200)
    np.testing.assert_allclose(gaussian(values, 50, 401, edges="zeros"), expected, atol=1e-9)


@given(VALUES, st.integers(0, 12))
def test_median_is_scipys(values, reach):
    size = 2 * reach + 1
    np.testing.assert_array_equal(median(values, size), median_filter(values, size, mode="nearest"))


@given(VALUES)
def test_min_max_covers_zero_to_one_and_keeps_the_order(values):
    found = min_max(values)
    assert found.min() == 0 and found.max() in (0.0, 1.0)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


@pytest.mark.parametrize("name", ["Stairs012", "Normal_Hall_004", "Lot077", "Yard3"])
def test_the_published_chain_of_a_question_method(name):
    golden = np.load(GOLDEN, allow_pickle=False)
    start, features = golden[f"{name}:initial_score"].astype(float), golden[f"{name}:feature"]
    refined = retrieval(start, features, 0.15, 0.1)
    np.testing.assert_allclose(refined, golden[f"{name}:refined"], atol=1e-6)
    smooth = gaussian(refined, 10, 15, edges="zeros")
    np.testing.assert_allclose(smooth, golden[f"{name}:smoothed_centred"], atol=1e-6)
    frames = len(golden[f"{name}:frame_score_centred"])
    per_frame = np.repeat(np.round(smooth * 10) / 10, 16)[:frames]
    weighted = centre_weight(per_frame, np.arange(frames), frames)
    np.testing.assert_allclose(weighted, golden[f"{name}:frame_score_centred"], atol=1e-6)


def test_retrieval_in_blocks_is_that_of_a_slow_loop():
    rng = np.random.default_rng(1)
    values, features = rng.random(40), rng.standard_normal((40, 6))
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    for share in (0.0, 0.1, 1.0):
        most, slow = int(share * 40) or 40, []
        for row in units @ units.T:
            near = sorted(range(40), key=lambda j: -row[j])[:most]
            weight = [np.exp(row[j] / 0.3) for j in near]
            slow.append(sum(w * values[j] for w, j in zip(weight, near, strict=True)) / sum(weight))
        np.testing.assert_allclose(retrieval(values, features, share, 0.3, block=7), slow, atol=1e-12)


def test_centre_weight_of_tiny_videos():
    assert centre_weight(np.array([2.0]), np.array([0]), 1).tolist() == [2.0]
    assert centre_weight(np.array([1.0, 1.0]), np.array([0, 1]), 2).tolist() == [np.exp(-0.5), 1.0]


@settings(max_examples=60)
@given(VALUES, st.integers(0, 60), st.sampled_from(["mean", "median"]), st.integers(1, 12))
def test_live_scores_never_change(values, cut, kind, size):
    whole = Causal(kind, size).all(values)
    np.testing.assert_array_equal(Causal(kind, size).all(values[:cut]), whole[:cut])
    slow = [getattr(np, kind)(values[max(0, i - size + 1) : i + 1]) for i in range(len(values))]
    np.testing.assert_allclose(whole, slow, atol=1e-9)


@pytest.mark.parametrize("name", [name for name, kind in REFINERS.items() if not kind.future])
def test_those_that_are_called_live_are(name):
    values = np.random.default_rng(2).random(30)
    whole = apply_refiners(series(values), [name]).values
    np.testing.assert_array_equal(apply_refiners(series(values[:11]), [name]).values, whole[:11])
    check_live([Refiner(name)])


def test_names_are_noted_in_order_and_classes_are_refined_too():
    start = series([0.0, 4.0, 0.0], classes={"fight": [0.0, 1.0, 0.0]}, refiners=("before",))
    found = apply_refiners(start, [{"median": {"size": 3}}, "minmax"])
    assert found.refiners == ("before", "median size 3 (uses the future)", "minmax (uses the future)")
    assert found.values.tolist() == [0.0] * 3 and found.classes["fight"].tolist() == [0.0] * 3
    assert apply_refiners(start, []).refiners == ("before",)
    for name in REFINERS:
        if name != "retrieval":
            assert len(apply_refiners(series([]), [name])) == 0


def test_a_file_of_refiners(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("- median: {size: 5}\n- gaussian: {sigma: 2, edges: zeros}\n- centre\n- causal_mean:\n")
    assert [str(one) for one in read_refiners(path)] == [
        "median size 5 (uses the future)", "gaussian sigma 2 edges zeros (uses the future)",
        "centre (uses the future)", "causal_mean size 9",
    ]  # fmt: skip
    path.write_text("")
    assert read_refiners(path) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("median: {size: 5}", "must be a list"),
        ("- gausian", "did you mean gaussian"),
        ("- median: {size: 4}", "size must be odd"),
        ("- median: {size: 0}", "size is 0"),
        ("- gaussian: {sigma: -1}", "sigma is -1"),
        ("- gaussian: {width: 3}", "unknown key 'width'"),
        ("- gaussian: {edges: round}", "edges must be normalised or zeros"),
        ("- median: 5", "numbers must be a mapping"),
        ("- {median: {size: 5}, centre: {}}", "a name with its numbers"),
        ("- [a]", "a name with its numbers"),
    ],
)
def test_bad_files_are_one_line(tmp_path, text, says):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says) as error:
        read_refiners(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_features_must_fit():
    with pytest.raises(InputError, match="needs features"):
        apply_refiners(series([1.0, 2.0]), ["retrieval"])
    with pytest.raises(InputError, match=r"2 positions, but features of shape \(3, 4\)"):
        apply_refiners(series([1.0, 2.0]), ["retrieval"], np.ones((3, 4)))


def test_a_stream_takes_no_refiner_that_looks_ahead():
    with pytest.raises(UsageError, match="refiner median: looks at later frames"):
        check_live(refiners_of(["causal_mean", "median"]))
    with pytest.raises(UsageError, match="mean or median"):
        Causal("mode", 3)
