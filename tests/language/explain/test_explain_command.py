"""``zsad video explain`` end to end: answers, verdicts, what is kept, and everything that can go wrong."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("cv2")

from tests.language.clips import write_frames
from tests.language.explain.drawn import ANSWERS, FPS, RULES, document, explain, make_yard, run, scored
from zsad.language.clicks import uniform_frames
from zsad.language.explain.tasks import TASKS
from zsad.video.series import write_series

PAGE = ("explanation.json", "explanation.html")


@pytest.fixture
def yard(tmp_path):
    return make_yard(tmp_path)


def bytes_of(yard):
    return [(yard.parent / "out" / "yard" / name).read_bytes() for name in PAGE]


def test_a_video_is_explained_and_a_second_run_changes_nothing(serve, yard, monkeypatch):
    monkeypatch.setenv("ZSAD_API_KEY", "sk-very-secret")
    server = serve(*RULES, deterministic=True)
    said = explain(yard, "--endpoint", server.url, "--threshold", 0.5, "--frames", 6)
    data = document(yard)
    assert data["kind"] == "zsad explanation" and data["format"] == 1 and data["model"] == "scripted-vlm"
    assert [row["task"] for row in data["answers"]] == list(TASKS) and len(server.log) == len(TASKS)
    assert [row["answer"] for row in data["answers"]] == list(ANSWERS.values())
    assert data["calls"]["sent"] == 9 and data["calls"]["cached"] == 0 and data["calls"]["tokens"] > 0
    assert data["unparsed"] == 0 and not data["partial"] and data["missing"] == []
    values = {row["task"]: row["value"] for row in data["answers"]}
    assert values["judgement"] is True and values["when"] == [[5.0, 8.0]]
    assert values["which"] == {"number": 9, "name": "fire"} and values["how"] == "It lasts for 3 seconds."
    verdicts = {row["task"]: [(one["kind"], one["verdict"]) for one in row["claims"]] for row in data["answers"]}
    assert verdicts["judgement"] == [("class", "unsupported"), ("presence", "aligned")]
    assert verdicts["description"] == [("time", "aligned"), ("time", "contradicted")]
    assert verdicts["analysis"] == [("presence", "aligned"), ("severity", "aligned")]
    assert verdicts["when"] == [("time", "aligned")] and verdicts["which"] == [("class", "unsupported")]
    assert verdicts["why"] == [("time", "unsupported")] and verdicts["motion"] == [("presence", "contradicted")]
    assert data["summary"]["contradicted"] == 2 and "contradicted 2" in said
    assert data["summary"]["trust"] == data["summary"]["aligned"] / (data["summary"]["aligned"] + 2)
    frames = data["frames"]
    assert [one["index"] for one in frames] == uniform_frames(47, 6) and frames[3]["timestamp"] == 6.75
    assert frames[3]["score"] == 0.9 and {row["sha256"] for row in frames} <= {
        one["sha"] for row in server.log for one in row["images"]
    }
    moving = next(row for row in server.log if "what moves" in row["text"])
    assert len(moving["images"]) == 12 and "Frame 27, 6.8 s:" in moving["text"]
    assert "What a detector has found" not in "".join(row["text"] for row in server.log)
    before = bytes_of(yard)
    again = explain(yard, "--endpoint", server.url, "--threshold", 0.5, "--frames", 6)
    assert len(server.log) == 9 and bytes_of(yard) == before and "0 sent, 9 kept from before" in again
    assert not any(b"sk-very-secret" in one.read_bytes() for one in yard.parent.rglob("*") if one.is_file())


def test_a_record_needs_no_server(serve, yard):
    server = serve(*RULES)
    calls = yard.parent / "calls.jsonl"
    explain(yard, "--endpoint", server.url, "--record", calls, "--cache", yard.parent / "own.sqlite")
    first = document(yard)
    assert (yard.parent / "own.sqlite").is_file() and not (yard.parent / "home" / "cache").exists()
    explain(yard, "--replay", calls, "--out", yard.parent / "two")
    second = json.loads((yard.parent / "two" / "yard" / "explanation.json").read_text())
    assert second["calls"]["sent"] == 0 and {**first, "calls": 0} == {**second, "calls": 0}


def test_without_a_threshold_presence_is_not_decided(serve, yard):
    explain(yard, "--endpoint", serve(*RULES).url, "--tasks", "judgement,when")
    data = document(yard)
    assert not data["scores"]["known"] and [row["task"] for row in data["answers"]] == ["judgement", "when"]
    kinds = {one["kind"]: one["verdict"] for row in data["answers"] for one in row["claims"]}
    assert kinds["presence"] == "unsupported" and kinds["time"] == "aligned"
    assert "uncalibrated" in bytes_of(yard)[1].decode()


def test_the_model_is_told_only_if_asked(serve, yard):
    server = serve(*RULES)
    explain(yard, "--endpoint", server.url, "--tasks", "what", "--threshold", 0.5, "--hint", "--anomaly", "a {frames}")
    text = server.log[0]["text"]
    assert "What a detector has found in the same video: events from 4.0 s to 8.0 s (score up to 0.9)." in text
    assert "Unusual is in particular: a {frames}" in text and document(yard)["hint"].startswith("events from 4.0 s")


def test_a_detector_gives_places(serve, yard):
    explain(yard, "--endpoint", serve(*RULES).url, "--tasks", "what", "--threshold", 0.5, "--model", "tiny")
    data = document(yard)
    assert len(data["found"]["places"]) == 1 and data["scores"]["events"][0]["region"] and data["detector"]
    place = next(one for one in data["answers"][0]["claims"] if one["kind"] == "location")
    assert place["verdict"] in ("aligned", "contradicted")


def test_refusals_prose_and_silence_are_counted_and_shown(serve, yard):
    bad = [
        {"when": {"text_contains": ["Why does"]}, "behaviour": {"refusal": "field"}},
        {"when": {"text_contains": ["How does"]}, "behaviour": {"refusal": True}},
        {"when": {"text_contains": ["What is the unusual event?"]}, "reply": {"text": " "}},
        {"when": {"text_contains": ["When does"]}, "reply": {"text": "Soon after the <b>beginning</b>."}},
        {"when": {"text_contains": ["Which of these"]}, "behaviour": {"refusal": "filter"}},
        {"when": {"text_contains": ["Begin with yes or no"]}, "reply": {"text": "Yes and no."}},
    ]
    said = explain(yard, "--endpoint", serve(*bad, *RULES).url)
    data = document(yard)
    reasons = {row["task"]: row["reason"] for row in data["answers"] if row["value"] is None}
    assert reasons == {"why": "refusal", "how": "refusal", "what": "empty", "when": "unparsed",
                       "which": "content_filter", "judgement": "unparsed"}  # fmt: skip
    assert data["unparsed"] == 6 and all(row["claims"] == [] for row in data["answers"] if row["value"] is None)
    assert "answers not readable: 6" in said and "not used: unparsed" in said
    page = bytes_of(yard)[1].decode()
    assert "6 not readable" in page and "&lt;b&gt;beginning&lt;/b&gt;" in page and "<b>beginning" not in page


def test_no_answer_at_all_is_a_failure(serve, yard):
    said = explain(yard, "--endpoint", serve({"behaviour": {"refusal": "field"}}).url, code=1)
    assert "yard: no answer could be used (refusal 9 times)" in said and document(yard)["unparsed"] == 9


def test_when_the_budget_ends_what_was_paid_for_is_kept(serve, yard):
    server = serve(*RULES)
    said = explain(yard, "--endpoint", server.url, "--budget", "calls=4", code=4)
    data = document(yard)
    assert len(server.log) == 4 and data["partial"] and len(data["answers"]) == 4 and len(data["missing"]) == 5
    assert (
        "5 questions are missing; what was paid for is kept" in said and "5 not answered" in bytes_of(yard)[1].decode()
    )
    explain(yard, "--endpoint", server.url)
    data = document(yard)
    assert len(server.log) == 9 and data["calls"]["sent"] == 5 and not data["partial"] and len(data["answers"]) == 9


def test_one_lost_answer_leaves_the_others(serve, yard):
    lost = {"when": {"text_contains": ["Why does"]}, "behaviour": {"status": 400, "message": "no grammar here"}}
    said = explain(yard, "--endpoint", serve(lost, *RULES).url, code=1)
    data = document(yard)
    assert data["partial"] and [one["task"] for one in data["missing"]] == ["why"] and len(data["answers"]) == 8
    assert "1 of 9 questions were not answered" in said and "choose another model" in said


def test_what_it_will_cost(yard):
    said = explain(yard, "--dry-run", "--tasks", "what,why,motion")
    assert "calls: 3 at most" in said and "tokens: " in said and "hours: " in said
    assert not (yard.parent / "out" / "yard" / "explanation.json").exists()


def test_the_page_and_the_videos_page_are_linked(serve, yard):
    page = yard.parent / "out" / "yard" / "index.html"
    run("video", "score", yard, "--folder-fps", FPS, "--no-video", "--threshold", 1e9, "--out", yard.parent / "out")
    bare = page.read_text()
    for _ in range(2):
        explain(yard, "--endpoint", serve(*RULES).url, "--tasks", "what")
        assert page.read_text() == bare.replace('"tools">', '"tools"><a href="explanation.html">explanation</a>')
    assert '<a href="index.html">scores and events</a>' in bytes_of(yard)[1].decode()
    assert document(yard)["scores"]["known"] and document(yard)["found"]["anomaly"] is False
    run("video", "score", yard, "--folder-fps", FPS, "--no-video", "--threshold", 1e9, "--out", yard.parent / "out")
    assert 'href="explanation.html"' in page.read_text()


def test_texts_from_a_model_stay_texts(serve, yard):
    evil = "\x1b[31m</script><img src=x onerror=alert(1)> [red]Fire[/red] at 6 s {{ 7 * 7 }}"
    said = explain(yard, "--endpoint", serve({"reply": {"text": evil}}).url, "--tasks", "what,description")
    page = bytes_of(yard)[1].decode()
    assert "<img src=x" not in page and "\x1b" not in page + said and "{{ 7 * 7 }}" in page and "[red]Fire" in said
    assert re.findall(r"<script", page) == []


FAULTS = [
    ({"behaviour": {"status": 401}}, "the key is missing (HTTP 401)"),
    ({"behaviour": {"status": 400, "message": "this model does not support image input"}}, "takes no images"),
    ({"behaviour": {"status": 400, "message": "maximum context length exceeded"}}, "context overflow"),
    ({"behaviour": {"status": 404}}, "not there (HTTP 404"),
]


@pytest.mark.parametrize(("rule", "line"), FAULTS)
def test_an_endpoint_that_takes_nothing_is_one_line(serve, yard, rule, line):
    said = explain(yard, "--endpoint", serve(rule).url, "--llm", "scripted-vlm", code=1)
    assert line in said and not (yard.parent / "out" / "yard" / "explanation.json").exists()
    said = explain(yard, "--endpoint", serve(rule).url, "--llm", "scripted-vlm", "--tasks", "what", code=1)
    assert line in said, "of one question as well"


def test_nobody_is_there(yard):
    assert "no endpoint there" in explain(yard, "--endpoint", "http://127.0.0.1:9", "--llm", "x", code=1)


def test_scores_of_another_video_are_refused_with_both_lengths(serve, yard):
    write_series(yard.parent / "out" / "yard" / "scores.json", scored(n_frames=40))
    said = explain(yard, "--endpoint", serve(*RULES).url, code=1)
    assert "is of a video of 40 frames, " in said and "has 48" in said and "give the scores of this video" in said


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [((), 2, "give --endpoint URL, or --replay calls.jsonl"),
     (("--endpoint", "http://a", "--tasks", "what,whi"), 2, "--tasks whi: there is none (did you mean which"),
     (("--endpoint", "http://a", "--tasks", ","), 2, "--tasks is empty"),
     (("--endpoint", "http://a", "--budget", "10"), 2, "give calls=N, tokens=N"),
     (("--endpoint", "http://a", "--scores", "none.json"), 1, "none.json"),
     (("--endpoint", "http://a", "--scores", "elsewhere/scores.json"), 2, "--out is missing")],
)  # fmt: skip
def test_wrong_usage_is_one_line(yard, monkeypatch, words, code, line):
    monkeypatch.chdir(yard.parent)
    more = ("--out", "out") if "none.json" in words else ()
    assert line in explain(yard, *words, *more, code=code)


def test_videos_that_are_none(serve, yard):
    url = serve(*RULES).url
    (yard.parent / "empty").mkdir()
    for name, line in (("empty", "empty"), ("absent.mp4", "no such file")):
        said = run("video", "explain", yard.parent / name, "--scores", yard.parent / "out" / "yard" / "scores.json",
                   "--out", yard.parent / "out", "--endpoint", url, code=1)  # fmt: skip
        assert line in said


def test_files_of_others_stay(serve, yard):
    for name in PAGE:
        place = yard.parent / "out" / "yard" / name
        place.write_text("mine")
        said = explain(yard, "--endpoint", serve(*RULES).url, code=2)
        assert "was not written by zsad" in said and place.read_text() == "mine"
        place.unlink()


def test_events_of_an_earlier_run_are_read_with_care(serve, yard):
    run("video", "score", yard, "--folder-fps", FPS, "--no-video", "--threshold", 0, "--out", yard.parent / "out")
    place = yard.parent / "out" / "yard" / "events.json"
    told = json.loads(place.read_text())
    assert told["events"]
    told["events"][0]["start"] = "first"
    place.write_text(json.dumps(told))
    assert "not what `zsad video score` writes" in explain(yard, "--endpoint", serve(*RULES).url, code=1)


def test_a_short_clip_of_two_frames(serve, tmp_path):
    clip = write_frames(tmp_path / "clip", [10, 200])
    write_series(tmp_path / "s.json", scored([0.9], 2))
    run("video", "explain", clip, "--folder-fps", FPS, "--scores", tmp_path / "s.json", "--out", tmp_path / "o",
        "--endpoint", serve(*RULES).url)  # fmt: skip
    data = json.loads((tmp_path / "o" / "clip" / "explanation.json").read_text())
    assert [one["index"] for one in data["frames"]] == [0, 1] and data["sampler"]["name"] == "uniform"
