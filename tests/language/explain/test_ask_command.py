"""``zsad video ask`` end to end: spans are told, questions follow one another, conversations are kept."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.clips import write_frames
from tests.language.explain.drawn import FPS, TALK, document, make_yard, run
from zsad.language.explain.chat import read_turn, told_spans
from zsad.language.explain.judged import Judged
from zsad.language.smoothing import spans_of
from zsad.video.series import ScoreSeries

SPANS = "a score counts as anomalous from 0.5 on. Spans of time that reach it: from "


@pytest.fixture
def yard(tmp_path):
    return make_yard(tmp_path)


def ask(yard, *words, code=0, scores=True, frames=("--frames", 4)):
    given = ("--scores", yard.parent / "out" / "yard" / "scores.json") if scores else ()
    return run("video", "ask", yard, *words, "--folder-fps", FPS, *frames, *given, code=code)


def follow(yard, *words, code=0):
    kept = yard.parent / "out" / "yard" / "conversation.json"
    return ask(yard, *words, "--follow", kept, code=code, scores=False, frames=())


def test_a_question_is_answered_with_what_the_scores_say(serve, yard):
    server = serve(*TALK, deterministic=True)
    said = ask(yard, "What is unusual?", "--endpoint", server.url, "--threshold", 0.5)
    data = document(yard, "conversation")
    assert data["kind"] == "zsad conversation" and data["spans"].startswith(SPANS) and SPANS in server.log[0]["text"]
    row = data["answers"][0]
    assert row["title"] == "What is unusual?" and row["reason"] == "ok"
    assert row["value"] == {"anomaly": True, "classes": [], "spans": [[5.0, 8.0]]}
    assert {one["kind"]: one["verdict"] for one in row["claims"]} == {
        "time": "aligned", "presence": "aligned", "class": "unsupported"}  # fmt: skip
    assert "aligned: from 5 to 8 s" in said and (yard.parent / "out" / "yard" / "conversation.html").is_file()


def test_follow_up_questions_in_one_command_or_later_are_the_same(serve, yard):
    server = serve(*TALK, deterministic=True)
    ask(yard, "What is unusual?", "--endpoint", server.url)
    follow(yard, "And then?", "--endpoint", server.url)
    later = document(yard, "conversation")
    assert [row["title"] for row in later["answers"]] == ["What is unusual?", "And then?"]
    before = (yard.parent / "out" / "yard" / "conversation.json").read_bytes()
    said = follow(yard, "And then?", "--endpoint", server.url)  # the same command again
    assert "answered before, and not asked again: And then?" in said
    assert (yard.parent / "out" / "yard" / "conversation.json").read_bytes() == before
    assert len(server.log) == 2 and "Yes, there exists fire" not in server.log[0]["text"]
    assert "Yes, there exists fire from 5s to 8s." in server.log[1]["text"] and server.log[1]["images"]
    at_once = ask(yard, "What is unusual?", "And then?", "--endpoint", server.url, "--out", yard.parent / "two")
    assert len(server.log) == 2 and "0 sent, 2 kept" in at_once
    both = json.loads((yard.parent / "two" / "yard" / "conversation.json").read_text())
    assert {**both, "calls": 0} == {**later, "calls": 0}
    page = (yard.parent / "out" / "yard" / "conversation.html").read_text()
    assert "And then?" in page and "It ends at 8 s." in page and page.count('class="event"') == 1
    before = (yard.parent / "two" / "yard" / "conversation.json").read_bytes()
    ask(yard, "What is unusual?", "And then?", "--endpoint", server.url, "--out", yard.parent / "two")
    assert (yard.parent / "two" / "yard" / "conversation.json").read_bytes() == before


def test_without_scores_nothing_is_checked(serve, yard):
    server = serve(*TALK)
    ask(yard, "What is unusual?", "--endpoint", server.url, "--out", yard.parent / "bare", scores=False)
    data = json.loads((yard.parent / "bare" / "yard" / "conversation.json").read_text())
    assert data["scores"] is None and data["spans"] == "" and data["summary"]["unsupported"] == 3
    assert "anomaly detector" not in server.log[0]["text"]
    assert "no claim can be checked" in (yard.parent / "bare" / "yard" / "conversation.html").read_text()


def test_spans_are_those_of_32_windows():
    values = [0.2] * 64 + [0.9] * 20 + [0.1] * 76
    series = ScoreSeries(values, list(range(160)), [i / 10 for i in range(160)], 160, 10.0, "x")
    found = spans_of(values, 10.0, 0.5)
    assert [(one.start_s, one.end_s) for one in found] == [(6.5, 8.5)]
    assert "from 6.5 s to 8.5 s (mean up to 0.9)" in told_spans(Judged(series, (), 0.5, True))
    assert told_spans(Judged(series, (), 0.95, True)).endswith("no span of time reaches it on average.")
    assert told_spans(Judged(series, (), 0.15, False)).startswith("a score counts as anomalous from 0.5 on")  # a hint


@pytest.mark.parametrize(
    ("question", "reply", "value", "reason", "claims"),
    [("Is it suspicious?", "No.", {"anomaly": False, "classes": [], "spans": []}, "no", 1),
     ("Is it suspicious?", "It is hard to say.", "It is hard to say.", "text, decides nothing (unparsed)", 0),
     ("Does he run?", "Yes, from 3 to 4 s.", "Yes, from 3 to 4 s.", "text", 0),
     ("What is unusual?", "Yes, a spill from 3s to 4s.",
      {"anomaly": True, "classes": ["spill"], "spans": [[3.0, 4.0]]}, "ok", 2)],
)  # fmt: skip
def test_answers_decide_only_what_was_asked(question, reply, value, reason, claims):
    found = read_turn(question, ("spill",), reply)
    assert found.reason == reason and found.value[0] == value and len(found.value[1]) == claims
    assert read_turn(question, (), " ") == (None, "empty") and read_turn(question, (), "Sorry, no.")[0] is None


def test_a_refused_answer_is_left_out_of_what_follows(serve, yard):
    server = serve({"when": {"text_contains": ["Who?"]}, "behaviour": {"refusal": "field"}}, *TALK)
    ask(yard, "Who?", "And then?", "--endpoint", server.url)
    data = document(yard, "conversation")
    assert data["unparsed"] == 1 and [row["value"] for row in data["answers"]] == [None, "It ends at 8 s."]
    assert "Who?" not in server.log[1]["text"]


def test_the_budget_ends(serve, yard):
    server = serve(*TALK)
    said = ask(yard, "What is unusual?", "And then?", "--endpoint", server.url, "--budget", "calls=1", code=4)
    data = document(yard, "conversation")
    assert "1 questions are missing" in said and len(server.log) == 1 and data["partial"] and len(data["answers"]) == 1
    assert [one["title"] for one in data["missing"]] == ["And then?"]
    follow(yard, "And then?", "--endpoint", server.url)
    assert len(server.log) == 2 and not document(yard, "conversation")["partial"]


def test_what_it_will_cost(yard):
    said = ask(yard, "One?", "Two?", "--dry-run")
    assert "calls: 2 at most" in said and "explain.follow" in said and not list(yard.parent.rglob("conversation.*"))


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [(("", "--endpoint", "http://a"), 2, "a question is empty"), (("Who?",), 2, "give --endpoint URL"),
     (("Who?", "--follow", "x.json", "--endpoint", "http://a"), 2, "--frames and --anomaly out"),
     (("Who?", "--endpoint", "http://127.0.0.1:9", "--llm", "x"), 1, "no endpoint there")],
)  # fmt: skip
def test_wrong_usage_is_one_line(yard, words, code, line):
    assert line in ask(yard, *words, code=code)
    assert "QUESTION" in run("video", "ask", yard, code=2)


def test_context_overflow_of_one_question(serve, yard):
    rule = {"behaviour": {"status": 400, "message": "maximum context length exceeded"}}
    said = ask(yard, "Who?", "--endpoint", serve(rule).url, "--llm", "x", code=1)
    assert "context overflow: longer than this model reads; serve it with a longer context" in said


CHANGES = [
    ({"kind": "zsad explanation"}, "no conversation of `zsad video ask`"), ({"format": 2}, "no conversation of"),
    ({"video": {"sha256": "0" * 64, "name": "other"}}, "is about another video (other)"), ({"frames": []}, "no frames"),
    ({"frames": [{"index": 99, "timestamp": 1, "sha256": ""}]}, "index is 99"), ({"answers": [3]}, "answers"),
    ({"found": {"anomaly": 3}}, "anomaly is 3"), ({"spans": 7}, "spans is 7"), ({"scores": 4}, "scores"),
]  # fmt: skip


def test_kept_conversations_are_not_trusted(serve, yard):
    url = serve(*TALK).url
    ask(yard, "What is unusual?", "--endpoint", url)
    good = document(yard, "conversation")
    place = yard.parent / "out" / "yard" / "conversation.json"
    for change, line in CHANGES:
        place.write_text(json.dumps(good | change, indent=1))
        code = 2 if "kind" in change else 1
        said = follow(yard, "And then?", "--endpoint", url, code=code)
        assert "was not written by zsad" in said if code == 2 else line in said, (change, said)
    bad = good["answers"][0] | {"claims": [{"kind": "time", "verdict": "certain", "evidence": ""}]}
    place.write_text(json.dumps(good | {"answers": [bad]}, indent=1))
    assert "a verdict in it is none" in follow(yard, "And then?", "--endpoint", url, code=1)
    evil = good["answers"][0] | {"title": "<script>alert(1)</script>", "value": {"classes": 3, "spans": [[1]]}}
    place.write_text(json.dumps(good | {"answers": [evil]}, indent=1))
    follow(yard, "And then?", "--endpoint", url)
    assert "<script" not in place.with_suffix(".html").read_text()
    other = write_frames(yard.parent / "other", [1, 2])
    said = run("video", "ask", other, "Who?", "--follow", place, "--endpoint", url, code=1)
    assert "is about another video (yard)" in said
