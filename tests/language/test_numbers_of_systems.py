"""The numeric steps of Holmes-VAD, VAD-LLaMA, HAWK, CUVA, ECVA and VANE-Bench against golden numbers and their laws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.errors import InputError
from zsad.language import choices, clicks, importance, motion_text, parse, smoothing

FOLDER = Path(__file__).parents[1] / "golden/language"
SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=80)


def told(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def arrays(name: str) -> Mapping[str, Any]:
    return dict(np.load(FOLDER / f"{name}.npz", allow_pickle=False))


def test_clicks_become_labels() -> None:
    data, known = told("holmes"), arrays("holmes")
    for row in data["pseudo"]:
        name = f"pseudo{row['case']}"
        hard, soft = clicks.labels_of_clicks(known[f"{name}:scores"], row["clicks"])
        np.testing.assert_array_equal(hard, known[f"{name}:hard"])
        np.testing.assert_allclose(soft, known[f"{name}:soft"], atol=1e-9)
        assert clicks.cross_entropy(known[f"{name}:scores"], soft) == pytest.approx(row["bce"])
    with pytest.raises(InputError, match="clicks must lie in 0 to 2"):
        clicks.labels_of_clicks([0.1, 0.2, 0.3], [3])


@given(SCORES, st.data())
def test_what_a_click_takes_is_one_run_that_holds_it(scores: list[float], data: st.DataObject) -> None:
    click = data.draw(st.integers(0, len(scores) - 1))
    hard, soft = clicks.labels_of_clicks(scores, [click])
    taken = np.flatnonzero(hard)
    assert click in taken and len(taken) == taken[-1] - taken[0] + 1
    assert (soft[hard] == 1).all() and ((soft >= 0) & (soft <= 1)).all()


def test_frames_of_short_videos_and_of_judgements() -> None:
    data = told("holmes")
    for row in data["uniform"]:
        assert clicks.uniform_frames(row["max_frame"], row["segments"]) == row["frames"]
    row = data["frame_scores_of_judgements"]
    np.testing.assert_allclose(clicks.judged_frames(row["answers"], row["n_frames"]), row["right"])
    assert clicks.judged_frames([None, None], 20) is None


def test_scores_become_steps_and_spans() -> None:
    data, known = told("vadllama"), arrays("vadllama")
    for row in data["post"]:
        name = f"post{row['length']}"
        np.testing.assert_allclose(smoothing.stepped(known[f"{name}:in"]), known[f"{name}:out"], atol=1e-9)
    for row in data["videos"]:
        path, length, *_ = row["line"].split()
        name = path.rpartition("/")[2]
        frames = smoothing.clips_to_frames(known[f"{name}:clip_score"], int(length))
        np.testing.assert_allclose(smoothing.stepped(frames), known[f"{name}:frame_score"], atol=1e-6)
        found = [(one.start, one.end, one.start_s, one.end_s) for one in smoothing.spans_of(frames, row["fps"])]
        assert found == [tuple(s[k] for k in ("start_frame", "end_frame", "start_s", "end_s")) for s in row["spans"]]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_steps_keep_the_mean_and_windows_cover_the_video(scores: list[float]) -> None:
    assert smoothing.stepped(scores).mean() == pytest.approx(np.mean(scores))
    covered = [frame for span in smoothing.windows_of(len(scores)) for frame in range(*span)]
    assert covered == list(range(len(scores)))


def test_snippets() -> None:
    data, known = told("vadllama"), arrays("vadllama")
    for row in data["sampling"]:
        n = row["n_frames"]
        np.testing.assert_array_equal(smoothing.snippets(n, within=False), known[f"sampling{n}:indices"])
    assert smoothing.snippets(5).max() == 4 and smoothing.snippets(5, within=False).max() == 56
    row = data["sampling_with_gt"]
    truth = np.zeros(row["n_frames"])
    truth[slice(*row["gt"])] = 1
    assert smoothing.mostly_positive(smoothing.snippets(row["n_frames"]), truth) == row["eligible"]


def test_the_curve_of_importance() -> None:
    data, known = told("cuva"), arrays("cuva")
    for number, row in enumerate(data["curve"]):
        vectors = known[f"curve{number}:image_emb"], known[f"curve{number}:text_emb"]
        curve = importance.importance(*vectors)
        np.testing.assert_allclose(curve, known[f"curve{number}:importance"], atol=1e-9)
        cosines = importance.importance_by_cosine(*vectors)
        np.testing.assert_allclose(cosines, known[f"curve{number}:importance_cosine_variant"], atol=1e-9)
        assert importance.peaks(curve, row["threshold2"]) == row["peaks_at_threshold2"]
    for row in data["peaks"]:
        assert importance.peaks(row["values"]) == row["right"]


def test_frames_by_importance_and_by_moments() -> None:
    data = told("cuva")
    for row in data["frames"]:
        assert importance.coarse_frames(row["n_frames"]) == row["coarse"]
        assert importance.fine_frames(row["n_frames"], row["peaks"], within=False) == row["fine"]
        assert max(importance.fine_frames(row["n_frames"], row["peaks"])) < row["n_frames"]
    for row in data["uniform_frames"]:
        assert importance.uniform(row["total"], row["wanted"]) == row["frames"]
    for row in data["interval_modes"]:
        n, count, fps = row["n_frames"], row["num_frames"], int(row["fps"])
        assert importance.moment_frames(row["moments_s"], row["fps"]) == list(map(tuple, row["moment_frames_right"]))
        published = importance.moment_frames(row["moments_s"], fps)
        found = (
            importance.moments_replaced(n, published, count, row["seed"])
            if row["mode"] == 1
            else importance.moments_added(n, fps, row["moments_s"], count)
        )
        assert found == row["reference"]
    assert importance.moments_replaced(10, [(0, 10)], 10) == sorted(set(importance.uniform(10, 10)))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=3), st.integers(0, 20), st.integers(1, 9))
def test_the_overlap_of_spans_is_that_of_whole_seconds(spans: list[tuple[int, int]], start: int, length: int) -> None:
    first = [(a, a + more) for a, more in spans]
    cells = {cell for a, b in first for cell in range(a, b)}
    other = set(range(start, start + length))
    expected = len(cells & other) / len(cells | other)
    assert importance.spans_iou(first, [(start, start + length)]) == pytest.approx(expected)


def test_quarters_by_rank() -> None:
    for row in told("ecva")["chunk_use"]["examples"]:
        assert importance.best_quarters(row["ranking"]) == row["frames"]


def test_motion_indices_and_phrases() -> None:
    data = told("hawk")
    for row in data["sampling"]:
        assert motion_text.motion_indices(row["video_length"], row["frames"]) == row["reference"]
    for row in data["motion_phrases"]:
        assert motion_text.motion_phrases([tuple(token) for token in row["tokens"]]) == row["phrases"]
    assert motion_text.motion_indices(0) == []


def test_inconsistency_and_its_gradient() -> None:
    video, motion = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    assert motion_text.inconsistency(video, 3 * video) == pytest.approx(0)
    assert motion_text.inconsistency(video[:1], motion[:1]) == pytest.approx(
        motion_text.inconsistency(video[:1], motion[:1], per_sample=False)
    )
    step = np.zeros_like(video)
    step[1, 2, 3] = 1e-6
    ends = [motion_text.inconsistency(video + way * step, motion, per_sample=False) for way in (1, -1)]
    assert motion_text.inconsistency_gradient(video, motion)[0][1, 2, 3] == pytest.approx(
        (ends[0] - ends[1]) / 2e-6, abs=1e-7
    )
    assert motion_text.joined_loss(2, 1.3, 0.4) == pytest.approx(2.17)


def test_projection() -> None:
    weights = {
        "encoder_0.weight": np.array([[2.0, 0.0], [0.0, 3.0]]), "encoder_0.bias": np.array([1.0, 0.0]),
        "encoder_1.weight": np.array([[1.0, 1.0]]), "encoder_1.bias": np.array([0.5]),
        "decoder_2.weight": np.array([[0.0, 1.0], [1.0, 0.0]]), "decoder_2.bias": np.zeros(2),
    }  # fmt: skip
    full, compressed = motion_text.projected([[1.0, 1.0]], weights)
    assert full.tolist() == [[3.0, 3.0]] and compressed.tolist() == [[6.5]]


def test_accuracy_over_choices() -> None:
    data = told("vane")
    rows, wanted = data["replies"], data["accuracy"]
    letters = [parse.letter(row["reply"], data["options_text"]).value for row in rows]
    found = choices.accuracy(letters, [row["gold"] for row in rows])
    assert found == choices.Accuracy(wanted["total"], wanted["right_correct"], wanted["right_unparsed"])
    strict = [choices.published_match(row["reply"], row["gold"]) for row in rows]
    assert strict.count(True) == wanted["reference_closed_correct"]
    assert strict.count(None) == wanted["reference_closed_crashes"]
    assert choices.macro_mean([choices.Accuracy(2, 1, 0), choices.Accuracy(0, 0, 0)]) == 50
    assert choices.macro_mean([]) is None
