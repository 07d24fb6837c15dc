"""Spans and their mAP against VadCLIP's own numbers, brute force and worked examples."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.errors import MetricError
from zsad.metrics.spans import IOUS, LabelledSpan, Proposal, average_precision_at, map_at_iou, propose, runs

GOLDEN = Path(__file__).parents[1] / "golden" / "video"
CASES = json.loads((GOLDEN / "vadclip_detection.json").read_text(encoding="utf-8"))


def columns(name):
    """The class probabilities of every video of a case, at frame rate."""
    case = CASES[name]
    with np.load(GOLDEN / "vadclip_detection.npz", allow_pickle=False) as data:
        found = [data[f"{name}.pred{i}"] for i in range(case["videos"])]
        stored = {key.removeprefix(f"{name}.proposals_class"): data[key] for key in data.files if
                  key.startswith(f"{name}.proposals_class")}  # fmt: skip
    return [np.repeat(p, 16, axis=0) if wide else p for p, wide in zip(found, case["repeat16"], strict=True)], stored


def truth(case, align):
    """The labelled spans; ``align`` gives what is called A the name that the class list has for normal."""
    normal = case["classes"][0]
    return [[LabelledSpan(s, e, normal if align and label == "A" else label)
             for (s, e), label in zip(spans, labels, strict=True)]
            for spans, labels in zip(case["segments"], case["labels"], strict=True)]  # fmt: skip


def claims(case, predicted, compat=""):
    return {name: [one for i, p in enumerate(predicted) for one in propose(p[:, c], i, compat=compat)]
            for c, name in enumerate(case["classes"])}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_fields_rule_gives_the_fields_numbers(name):
    case, (predicted, stored) = CASES[name], columns(name)
    claimed = claims(case, predicted, "vadclip")
    for c, label in enumerate(case["classes"]):
        if str(c) not in stored:
            continue
        mine = sorted(claimed[label], key=lambda one: -one.score)
        assert sorted((p.video, p.start, p.end) for p in mine) == sorted(map(tuple, stored[str(c)][:, :3].astype(int)))
        assert np.allclose([p.score for p in mine], stored[str(c)][:, 3], atol=1e-5, rtol=0)
    for iou in IOUS:
        wanted = case["reference"][str(iou)]
        if case["excludeNormal"]:  # it drops videos past the 140th, of which there are none here
            assert len(predicted) < 140
        got = map_at_iou(truth(case, False), claimed, iou, compat="vadclip")
        assert 100 * got.map.value == pytest.approx(wanted["map"], abs=1e-9)
        assert list(got.per_class.values()) == pytest.approx(wanted["per_class"][: len(got.per_class)], abs=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_right_rule_gives_the_right_numbers(name):
    case, (predicted, _) = CASES[name], columns(name)
    claimed, normal = claims(case, predicted), case["classes"][0]
    for iou in IOUS:
        wanted = case["correct"][str(iou)]
        without = map_at_iou(truth(case, True), claimed, iou, normal=normal)
        everything = map_at_iou(truth(case, True), claimed, iou)
        assert 100 * without.map.value == pytest.approx(wanted["map_anomalous_only"], abs=1e-9)
        assert 100 * everything.map.value == pytest.approx(wanted["map_with_normal"], abs=1e-9)
        assert without.per_class == pytest.approx(wanted["per_class"], abs=1e-12)


def test_a_perfect_detector_is_perfect_only_by_the_right_rule():
    case, (predicted, _) = CASES["ucf_oracle"], columns("ucf_oracle")
    right = map_at_iou(truth(case, True), claims(case, predicted), 0.5, normal="Normal")
    theirs = map_at_iou(truth(case, False), claims(case, predicted, "vadclip"), 0.5, compat="vadclip")
    assert right.map.value == 1 and 100 * theirs.map.value == pytest.approx(1300 / 14)


def slow_ap(proposals, truth, iou):
    """Frame sets and lists, one proposal after the other."""
    left = {video: [set(range(*span)) for span in spans] for video, spans in truth.items()}
    count, hits, precisions = sum(map(len, left.values())), 0, []
    for rank, one in enumerate(sorted(proposals, key=lambda p: -p.score), 1):
        mine, best, where = set(range(one.start, one.end)), -1.0, None
        for other in left.get(one.video, []):
            overlap = len(mine & other) / len(mine | other)
            if overlap > best:
                best, where = overlap, other
        if where is not None and best >= iou:
            left[one.video].remove(where)
            hits += 1
            precisions.append(hits / rank)
    return sum(precisions) / count


SPAN = st.tuples(st.integers(0, 20), st.integers(1, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), SPAN, st.integers(0, 5)), max_size=12),
    st.dictionaries(st.integers(0, 2), st.lists(SPAN, min_size=1, max_size=3), min_size=1),
    st.sampled_from(IOUS),
)
def test_average_precision_against_sets_of_frames(claimed, spans, iou):
    proposals = [Proposal(video, *span, float(score)) for video, span, score in claimed]
    assert average_precision_at(proposals, spans, iou) == pytest.approx(slow_ap(proposals, spans, iou), abs=1e-12)


def test_proposals_of_a_column_by_hand():
    column = np.zeros(32)
    column[4:8], column[20] = [0.5, 1.0, 0.9, 0.41], 0.8
    # Above 1 - 0.6 = 0.4: frames 4 to 7, and frame 20 alone, which is too short; the top sixteenth is (1 + 0.9) / 2.
    assert [tuple(p) for p in propose(column, 3)] == [(3, 4, 8, pytest.approx(1 + 0.7 * 0.95))]
    assert propose(np.ones(40)) == [] and propose(np.zeros(0)) == [] and propose(-column) == []
    short = np.array([0.0, 1, 1, 0])
    assert len(propose(short)) == 1 and propose(short, compat="vadclip") == []


def test_what_is_refused_and_what_is_undefined():
    claimed = {"fire": [Proposal(0, 0, 5, 1.0)]}
    with pytest.raises(MetricError, match="label 'Fires' of video 0 is none of the classes"):
        map_at_iou([[LabelledSpan(0, 5, "Fires")]], claimed, 0.5)
    with pytest.raises(MetricError, match="compat 'other'"):
        map_at_iou([], claimed, 0.5, compat="other")
    with pytest.raises(MetricError, match="NaN"):
        propose(np.array([0.0, np.nan]))
    none = map_at_iou([[]], claimed, 0.5)
    assert np.isnan(none.map.value) and none.map.reason == "no class has a labelled span"
    assert runs(np.zeros(0, bool)) == [] and runs(np.ones(3, bool)) == [(0, 3)]
