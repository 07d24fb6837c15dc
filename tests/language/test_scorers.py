"""Every method end to end on drawn videos against the scripted server."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.clips import Levels, write_frames
from zsad.errors import BudgetError, EndpointError, InputError
from zsad.language.cache import Cache
from zsad.language.endpoint import Endpoint
from zsad.language.gateway import Budget, Gateway, replaying
from zsad.language.record import write_calls
from zsad.language.scorers import AskScorer, GatedScorer, LavadScorer, McanetScorer, Setting, VeraScorer
from zsad.language.scorers.gated import proposed
from zsad.video.series import ScoreSeries, read_series, write_series

BRIGHT = {"mean_grey": [150, 255]}
RULES = [
    {"name": "caption", "when": {"text_contains": ["Describe this picture"]},
     "reply": {"template": "a scene of {grey_0}"}},
    {"name": "summary", "when": {"text_contains": ["Sum up"], "text_regex": "(?P<last>a scene of \\d+)\\nSum up"},
     "reply": {"template": "Summary:\n{last}\n"}},
    {"name": "score", "when": {"text_contains": ["Scene:"], "text_regex": "a scene of (?P<grey>2\\d\\d)"},
     "reply": {"text": "[0.9]"}},
    {"name": "no score", "when": {"text_contains": ["Scene:"]}, "reply": {"text": "[0.1]"}},
    {"name": "window", "when": {"text_contains": ["How anomalous"], "image": BRIGHT}, "reply": {"text": "[0.8]"}},
    {"name": "calm window", "when": {"text_contains": ["How anomalous"]}, "reply": {"text": "[0.1]"}},
    {"name": "learner", "when": {"text_contains": ["Output:"], "image": BRIGHT},
     "reply": {"text": "Answers: x\nOutput:\n1"}},
    {"name": "calm learner", "when": {"text_contains": ["Output:"]}, "reply": {"text": "Answers: x\nOutput:\n0"}},
]  # fmt: skip
LEVELS = [40] * 40 + [220] * 24 + [60] * 32
"""96 frames; what is bright is anomalous."""


@pytest.fixture
def video(tmp_path):
    return write_frames(tmp_path / "yard", LEVELS)


class Cheap:
    name = "cheap"

    def score(self, source, on_frame=lambda done, total: None):
        places = np.arange(96)
        return ScoreSeries(np.array(LEVELS) / 255, places, places / 8, 96, 8.0, "cheap")


def build(method, gateway, **more):
    setting = Setting(folder_fps=8.0, **more)
    if method == "gated":
        return GatedScorer(gateway, Cheap(), setting, share=0.4)
    return {"ask": AskScorer, "vera": VeraScorer, "lavad": LavadScorer, "mcanet": McanetScorer}[method](
        gateway, setting
    )


def reach(server, path, **more):
    return Gateway(Endpoint(server.url, "scripted-vlm", 5), Cache(path), sleep=lambda _: None, **more)


METHODS = ["ask", "vera", "lavad", "mcanet", "gated"]
CALLS = {"ask": 6, "vera": 6, "lavad": 6 + 3 + 3, "gated": 2}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_scores_and_asks_nothing_the_second_time(serve, video, tmp_path, method, monkeypatch):
    server = serve(*RULES, deterministic=True)
    series = build(method, reach(server, tmp_path / "c")).score(video)
    assert series.positions.tolist() == [0, 16, 32, 48, 64, 80] and series.n_frames == 96 and series.fps == 8
    assert series.method == method and not series.partial
    assert series.values.max() > series.values.min() and series.values.max() >= 0.4
    assert series.calls["unparsed"] == 0 and series.calls["sent"] == len(server.log) > 0 and series.calls["tokens"] > 0
    write_series(tmp_path / "scores.json", series)
    assert read_series(tmp_path / "scores.json").calls == series.calls
    sent = len(server.log)
    monkeypatch.setattr("zsad.language.footage.open_video", lambda *a, **k: pytest.fail("no video is opened again"))
    again = build(method, reach(server, tmp_path / "c")).score(video)
    assert len(server.log) == sent and again.calls["sent"] == 0
    one, two = series.to_dict(), again.to_dict()
    assert json.dumps({k: v for k, v in one.items() if k != "calls"}) == json.dumps(
        {k: v for k, v in two.items() if k != "calls"}
    )


def test_calls_are_as_planned(serve, video, tmp_path):
    server = serve(*RULES)
    for method, calls in CALLS.items():
        server.reset()
        scorer = build(method, reach(server, tmp_path / method))
        plan = scorer.plan(video)
        assert len(server.log) == 0 and plan.calls >= calls and plan.tokens > 0 and plan.hours == 96 / 8 / 3600
        assert scorer.score(video).calls["sent"] == calls == len(server.log), method


@pytest.mark.parametrize("method", ["lavad", "vera"])
def test_the_second_time_needs_no_encoder(serve, video, tmp_path, method):
    class Levelled(Levels):
        def images(self, images):
            pytest.fail("a picture was encoded again")

        texts = images

    server = serve(*RULES)
    first = build(method, reach(server, tmp_path / "c"), embedder=Levels()).score(video)
    again = build(method, reach(server, tmp_path / "c"), embedder=Levelled()).score(video)
    assert (first.values == again.values).all() and again.calls["sent"] == 0


def test_workers_and_times_change_nothing(serve, video, tmp_path):
    slow = [rule | {"behaviour": {"delay_by_hash": [0.0, 0.03]}} for rule in RULES]
    found = []
    for i, (rules, workers) in enumerate(((RULES, 1), (RULES, 8), (slow, 8))):
        one = build("lavad", reach(serve(*rules), tmp_path / str(i), concurrency=workers), embedder=Levels())
        found.append(one.score(video))
    assert all((one.values == found[0].values).all() for one in found) and found[0].refiners == (
        "retrieval 10 (offline)",
    )


def test_a_silent_video_is_lavads(serve, video, tmp_path):
    server = serve(*RULES)
    seen = build("lavad", reach(server, tmp_path / "a"), embedder=Levels()).score(video)
    bodies = sorted(row["text"] for row in server.log)
    server.reset()
    heard = build("mcanet", reach(server, tmp_path / "b"), embedder=Levels()).score(video)
    assert sorted(row["text"] for row in server.log) == bodies and (heard.values == seen.values).all()


def test_the_users_words_are_asked_about(serve, video, tmp_path):
    server = serve(*RULES)
    for method in METHODS:
        server.reset()
        build(method, reach(server, tmp_path / "c"), anomaly="a red van {frames}").score(video)
        assert all("a red van {frames}" in row["text"] for row in server.log if "Sum up" not in row["text"])


def test_a_refusal_is_filled_in_and_counted(serve, video, tmp_path):
    refused = {"when": {"text_contains": ["How anomalous"], "nth": 2}, "behaviour": {"refusal": True}}
    one = build("ask", reach(serve(refused, *RULES), tmp_path / "c", concurrency=1)).score(video)
    assert one.calls["unparsed"] == 0 and one.calls["sent"] == 7  # an apology is no number: asked again
    always = {"behaviour": {"refusal": "field"}}
    with pytest.raises(InputError, match=r"yard: no answer could be used \(refusal 6 times\)"):
        build("ask", reach(serve(always), tmp_path / "d")).score(video)


def test_a_missing_score_lies_between_its_neighbours(serve, video, tmp_path):
    prose = {"when": {"text_contains": ["How anomalous"], "image": {"mean_grey": [219, 221]}, "n_images": [8, 8]},
             "reply": {"text": "quite bright"}}  # fmt: skip
    one = build("ask", reach(serve(prose, *RULES), tmp_path / "c")).score(video)
    assert one.calls["unparsed"] > 0 and one.values.max() <= 0.1


def test_what_was_paid_for_is_kept_when_the_budget_ends(serve, video, tmp_path):
    server = serve(*RULES)
    with pytest.raises(BudgetError, match="5 calls"):
        build("lavad", reach(server, tmp_path / "c", budget=Budget(calls=5))).score(video)
    assert len(server.log) == 5
    assert build("lavad", reach(server, tmp_path / "c")).score(video).calls == {
        "sent": 7, "cached": 11, "unparsed": 0, "tokens": pytest.approx(400, abs=400)}  # fmt: skip


def test_a_record_is_enough(serve, video, tmp_path):
    one = reach(serve(*RULES), tmp_path / "c")
    series = build("vera", one).score(video)
    write_calls(tmp_path / "calls.jsonl", one.used.values())
    again = build("vera", replaying(str(tmp_path / "calls.jsonl"))).score(video)
    assert (again.values == series.values).all() and again.calls["sent"] == 0
    with pytest.raises(InputError, match="no answer could be used"):
        build("ask", replaying(str(tmp_path / "calls.jsonl"))).score(video)


def test_failures_make_it_partial_and_are_asked_again(serve, video, tmp_path):
    bad = {"when": {"text_contains": ["How anomalous"], "image": {"mean_grey": [219, 221]}, "max_uses": 5},
           "behaviour": {"status": 500}}  # fmt: skip
    server = serve(bad, *RULES)
    scorer = build("ask", reach(server, tmp_path / "c", concurrency=1))
    first = scorer.score(video)
    assert first.partial and first.fault == (
        "1 calls were not answered (HTTP 500: scripted 500); run again: what was answered is kept"
    )
    second = build("ask", reach(server, tmp_path / "c")).score(video)
    assert not second.partial and second.calls["sent"] == 1


def test_bad_videos_and_endpoints_are_one_line(serve, tmp_path):
    one = reach(serve(*RULES), None)
    with pytest.raises(InputError, match="no such file"):
        build("ask", one).score(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        build("ask", one).score(tmp_path / "empty")
    with pytest.raises(EndpointError, match="no endpoint there"):
        build("ask", Gateway(Endpoint("http://127.0.0.1:9", "m"), Cache(None))).score(
            write_frames(tmp_path / "v", [1, 2])
        )


def test_a_changed_video_is_asked_about_anew(serve, video, tmp_path):
    server = serve(*RULES)
    build("ask", reach(server, tmp_path / "c")).score(video)
    write_frames(video, [level + 9 for level in LEVELS])
    assert build("ask", reach(server, tmp_path / "c")).score(video).calls["sent"] == 6


def test_short_videos(serve, tmp_path):
    for method in METHODS[:4]:
        one = build(method, reach(serve(*RULES), None), embedder=Levels())
        series = one.score(write_frames(tmp_path / "short", [200]))
        assert series.positions.tolist() == [0] and len(series.to_frames()) == 1


def test_captions_and_summaries_that_apologise_are_none(serve, video, tmp_path):
    sorry = {"reply": {"text": "I'm sorry, but I can't help with that."}}
    caption = {"when": {"text_contains": ["Describe this picture"], "image": {"mean_grey": [39, 41]}}} | sorry
    server = serve(caption, *RULES)
    one = build("lavad", reach(server, tmp_path / "c")).score(video)
    assert one.calls["unparsed"] == 3 and not any("sorry" in row["text"] for row in server.requests("Sum up"))
    server = serve({"when": {"text_contains": ["Sum up"]}} | sorry, *RULES)
    one = build("lavad", reach(server, tmp_path / "d")).score(video)
    assert one.calls["unparsed"] > 0 and len(server.requests("Sum up", "sorry")) == len(server.requests("Sum up")) // 2
    scenes = [row["text"] for row in server.requests("Scene:")]
    assert scenes and all("a scene of" in text and "sorry" not in text for text in scenes)
    only = serve({"when": {"text_contains": ["Describe this picture"]}} | sorry)
    with pytest.raises(InputError, match=r"no answer could be used \(refusal"):
        build("lavad", reach(only, tmp_path / "e")).score(video)


def test_a_proposed_window_without_an_answer_lies_between_those_that_were_looked_at(serve, video, tmp_path):
    prose = {"when": {"text_contains": ["How anomalous"], "max_uses": 2}, "reply": {"text": "no"}}
    series = build("gated", reach(serve(prose, *RULES), tmp_path / "c", concurrency=1)).score(video)
    assert series.calls["unparsed"] == 1 and series.values.tolist() == [0, 0, 0.8, 0.8, 0, 0]
    none = serve(prose | {"when": {}})
    with pytest.raises(InputError, match="no answer could be used"):
        build("gated", reach(none, tmp_path / "d")).score(video)


def test_cheap_scores_are_kept_by_the_settings_of_the_cheap_method(serve, video, tmp_path):
    class Other(Cheap):
        def score(self, source, on_frame=lambda done, total: None):
            return replace(super().score(source), values=1 - np.array(LEVELS) / 255)

    one = reach(serve(*RULES), tmp_path / "c")
    made = [GatedScorer(one, cheap, Setting(folder_fps=8.0), share=0.4, settings=settings).score(video).values.tolist()
            for cheap, settings in ((Cheap(), "a"), (Other(), "b"), (Other(), "a"))]  # fmt: skip
    assert made[0] != made[1] and made[0] == made[2]


def test_what_is_proposed():
    assert proposed(np.zeros(10)).sum() == 0 and proposed(np.arange(10.0), 0.3).nonzero()[0].tolist() == [7, 8, 9]


def test_gated_states_calls_per_hour(serve, video, tmp_path):
    series = build("gated", reach(serve(*RULES), None)).score(video)
    assert series.model == "scripted-vlm" and series.calls["per_hour"] == 600 and series.values[0] == 0
