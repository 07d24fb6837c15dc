"""Events against a slow definition, and those of a stream against those of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zsad.errors import UsageError
from zsad.video import ScoreSeries
from zsad.video.events import Tracker, find_events, hint_threshold, video_score
from zsad.video.live import Alarm, Rule

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=40)
RULES = st.builds(
    lambda high, drop, shortest, gap: Rule(high, high - drop, shortest, gap),
    st.integers(1, 5), st.integers(0, 3), st.integers(1, 6), st.integers(0, 6),
)  # fmt: skip


def series(values, stride=1, **more):
    n = len(values)
    return ScoreSeries(values, np.arange(n) * stride, np.arange(n) * stride / 10, n * stride, 10.0, "map", **more)


def slow(values, rule):
    """Spans of a series at stride 1, frame by frame."""
    inside, spans = False, []
    for i, value in enumerate(values):
        if not inside and value >= rule.threshold:
            inside = True
            spans.append([i, i])
        if inside and value < rule.end:
            inside = False
        if inside:
            spans[-1][1] = i + 1
    joined = []
    for start, end in spans:
        if joined and rule.gap and start - joined[-1][1] <= rule.gap:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [(start, end) for start, end in joined if end - start >= rule.min_frames]


@settings(max_examples=150)
@given(SCORES, RULES)
def test_spans_are_those_of_a_slow_loop(values, rule):
    found = find_events(series(values), rule)
    assert [(e.start, e.end) for e in found] == slow(values, rule)
    for event in found:
        part = values[event.start : event.end]
        assert event.score == max(part) and event.peak == event.start + part.index(max(part))
        assert event.start_s == event.start / 10 and event.end_s == pytest.approx(event.end / 10)


@settings(max_examples=150)
@given(SCORES, RULES, st.integers(1, 4))
def test_a_stream_finds_the_same_events(values, rule, stride):
    whole = series(values, stride)
    tracker, found = Tracker(rule), []
    for score, frame, time in zip(whole.values, whole.positions, whole.timestamps, strict=True):
        found.append(tracker(float(score), int(frame), float(time))[1])
    found.append(tracker.close(whole.n_frames, whole.n_frames / 10))
    facts = [(e.start, e.end, e.peak, e.score, e.start_s, round(e.end_s, 9)) for e in found if e is not None]
    assert facts == [(e.start, e.end, e.peak, e.score, e.start_s, round(e.end_s, 9)) for e in find_events(whole, rule)]


@settings(max_examples=100)
@given(SCORES, RULES, st.integers(0, 40))
def test_an_alarm_takes_nothing_back(values, rule, cut):
    whole = [alarm(v, i) for alarm in [Alarm(rule)] for i, v in enumerate(values)]
    part = [alarm(v, i) for alarm in [Alarm(rule)] for i, v in enumerate(values[:cut])]
    assert part == whole[:cut]
    events = find_events(series(values), rule)
    assert any(whole) == bool(events)
    for event in events:  # on from when it is known to be long enough, to its end
        states = whole[event.start : event.end]
        assert not any(states[: rule.min_frames - 1]) and states[-1] and states == sorted(states)


def test_hold_off_keeps_an_alarm_on():
    alarm = Alarm(Rule(1.0, gap=2))
    assert [alarm(v, i) for i, v in enumerate([0, 1, 0, 0, 1, 0, 0, 0, 0])] == [0, 1, 1, 1, 1, 1, 1, 1, 0]


def test_seconds_label_and_region():
    classes = {"normal": [9.0] * 4, "fight": [0.0, 0.2, 0.3, 0.0], "fire": [0.0, 0.1, 0.2, 9.0]}
    start = ScoreSeries([0, 2, 3, 0], [0, 8, 16, 24], [0, 0.5, 0.9, 1.7], 30, 0.0, "x", classes=classes)
    (event,) = find_events(start, Rule(2), lambda index: (index, 0, 9, 9))
    assert event.to_dict() == {
        "start": 8, "end": 24, "peak": 16, "key": 16, "start_s": 0.5, "end_s": 1.7, "peak_s": 0.9, "score": 3.0,
        "label": "fight", "region": [2, 0, 9, 9],
    }  # fmt: skip
    (last,) = find_events(series([0, 1], 5), Rule(1))
    assert (last.end, last.end_s) == (10, 1.0)


def test_scores_of_a_video_and_a_threshold_to_begin_with():
    assert video_score(series([1, 3, 2])) == 3 and video_score(series([])) == 0
    assert hint_threshold(np.zeros(0)) == 0
    calm = np.random.default_rng(0).normal(1, 0.1, 1000)
    calm[500:520] += 5
    assert 1.2 < hint_threshold(calm) < 6 and hint_threshold(np.ones(9)) == 1


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ((float("nan"),), "finite"),
        ((1.0, 2.0), "must not be above"),
        ((1.0, None, 0), "at least 1 frame"),
        ((1.0, None, 1, -1), "gap"),
    ],
)
def test_bad_rules(numbers, says):
    with pytest.raises(UsageError, match=says):
        Rule(*numbers)
