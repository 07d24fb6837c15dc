"""``zsad video score`` with the methods that ask a language model: exit codes, plans, budgets, records."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("openai")
pytest.importorskip("tenacity")
pytest.importorskip("av")

from tests.language.clips import write_frames
from zsad.cli import app
from zsad.video.series import read_series

RULES = [
    {"when": {"text_contains": ["How anomalous"], "image": {"mean_grey": [150, 255]}}, "reply": {"text": "[0.8]"}},
    {"when": {"text_contains": ["How anomalous"]}, "reply": {"text": "[0.1]"}},
    {"when": {"text_contains": ["Output:"]}, "reply": {"text": "Output: 1"}},
    {"when": {"text_contains": ["Describe this"]}, "reply": {"text": "A yard."}},
    {"when": {"text_contains": ["Sum up"]}, "reply": {"text": "A yard is seen."}},
    {"when": {"text_contains": ["Scene:"]}, "reply": {"text": "[0.2]"}},
]


@pytest.fixture
def yard(tmp_path):
    return write_frames(tmp_path / "yard", [40 + i for i in range(28)] + [220] * 20)


def run(yard, *arguments, out="out"):
    words = ["video", "score", yard, "--folder-fps", "2", "--no-video", *arguments]
    words += ["--out", yard.parent / out] if out else []
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.mark.parametrize("method", ["ask", "vera", "lavad", "mcanet", "gated"])
def test_scores_and_the_same_scores_again(serve, yard, method):
    server = serve(*RULES)
    done = run(yard, "--method", method, "--endpoint", server.url, "--record", yard.parent / "calls.jsonl")
    assert done.exit_code == 0, done.output
    first = read_series(yard.parent / "out" / "yard" / "scores.json")
    assert first.method == method and first.calls["sent"] == len(server.log)
    bare = "give --set text=FILE of `zsad export --text`" in " ".join(done.output.split())
    assert bare == (method in ("lavad", "mcanet")), done.output
    assert len(server.log) > 0 or method == "gated"  # nothing moves in even greys
    sent = len(server.log)
    before = (yard.parent / "out" / "yard" / "scores.json").read_bytes()
    again = run(yard, "--method", method, "--endpoint", server.url, "--llm", "scripted-vlm")
    assert again.exit_code == 0 and len(server.log) == sent
    assert (yard.parent / "out" / "yard" / "scores.json").read_bytes() == before
    if not sent:
        return
    played = run(yard, "--method", method, "--replay", yard.parent / "calls.jsonl", out="three")
    assert played.exit_code == 0, played.output
    assert (read_series(yard.parent / "three" / "yard" / "scores.json").values == first.values).all()


def test_what_it_will_cost(serve, yard):
    done = run(yard, "--method", "lavad", "--dry-run", out=None)
    assert done.exit_code == 0 and "calls: 9 at most" in done.output and "tokens: " in done.output
    assert "hours: " in done.output and not (yard.parent / "out").exists()


def test_budget_and_what_goes_on(serve, yard):
    server = serve(*RULES)
    done = run(yard, "--method", "ask", "--endpoint", server.url, "--budget", "calls=2")
    assert done.exit_code == 4 and len(server.log) == 2 and "budget reached" in done.output
    assert run(yard, "--method", "ask", "--endpoint", server.url).exit_code == 0 and len(server.log) == 3


def test_events_have_pictures_and_failed_calls_are_named(serve, yard):
    bad = {"when": {"text_contains": ["How anomalous"], "nth": 2}, "behaviour": {"status": 400, "message": "filtered"}}
    server = serve(bad, *RULES)
    asked = ("--method", "ask", "--endpoint", server.url, "--threshold", "0.5", "--concurrency", "1")
    done = run(yard, *asked)
    events = json.loads((yard.parent / "out" / "yard" / "events.json").read_text())
    why = "1 calls were not answered (HTTP 400: filtered); run again: what was answered is kept"
    assert done.exit_code == 1 and why in " ".join(done.output.split()) and events["fault"] == why
    (event,) = events["events"]
    assert (yard.parent / "out" / "yard" / "keyframes" / event["picture"]).is_file() and events["video"] == ""
    done = CliRunner().invoke(app, ["video", "score", str(yard), "--out", str(yard.parent / "out"), *asked, "--video"])
    assert done.exit_code == 2 and "ask has no annotated video" in done.output


def test_a_record_grows_and_is_gone_on_with(serve, yard):
    server, calls = serve(*RULES), yard.parent / "calls.jsonl"
    asked = ("--method", "ask", "--endpoint", server.url)
    assert run(yard, *asked, "--record", calls, "--budget", "calls=1").exit_code == 4
    assert len(calls.read_text().splitlines()) == 1
    first = calls.read_text()
    gone = ("--method", "ask", "--endpoint", "http://127.0.0.1:9", "--llm", "other", "--record", calls)
    assert run(yard, *gone).exit_code == 1 and calls.read_text() == first
    elsewhere = ("--cache", yard.parent / "other.sqlite", "--record", calls)
    done = run(yard, *asked, "--replay", calls, *elsewhere)
    assert done.exit_code == 0 and len(server.log) == 3, done.output
    assert len(calls.read_text().splitlines()) == 3 and first in calls.read_text()
    done = run(yard, *asked, "--anomaly", "a kite", "--record", calls)
    assert done.exit_code == 0 and len(calls.read_text().splitlines()) == 6
    done = run(yard, "--method", "ask", "--endpoint", serve(models=["large"]).url, "--replay", calls)
    assert done.exit_code == 1 and "answers of scripted-vlm, none of large" in done.output


def test_time_and_size_of_questions(serve, yard):
    server = serve(*RULES, limits={"max_images": 1})
    more = ("--timeout", "5", "--concurrency", "1", "--max-images", "3")
    plan = run(yard, "--method", "ask", "--dry-run", "--concurrency", "1", out=None)
    assert "1 at once" in plan.output and "and one more for each answer that can't be read" in plan.output
    done = run(yard, "--method", "ask", "--endpoint", server.url, *more)
    assert done.exit_code == 0, done.output
    assert server.most == 1 and [len(row["images"]) for row in server.log[:3]] == [3, 2, 1]
    assert run(yard, "--method", "motion", "--max-images", "3").exit_code == 2


def test_a_schema_on_request(serve, yard):
    formed = {"when": {"text_contains": ["How anomalous"]}, "reply": {"text": '{"score": 0.4}'}}
    server = serve(formed)
    asked = ("--method", "ask", "--endpoint", server.url)
    assert run(yard, *asked, "--schema", "--record", yard.parent / "calls.jsonl").exit_code == 0
    assert [row["body"]["response_format"]["type"] for row in server.log] == ["json_schema"] * 3
    assert read_series(yard.parent / "out" / "yard" / "scores.json").values.tolist() == [0.4] * 3
    assert run(yard, "--method", "ask", "--schema", "--replay", yard.parent / "calls.jsonl").exit_code == 0
    old = serve({"when": {"max_uses": 1}, "behaviour": {"status": 400, "message": "response_format: unknown"}}, *RULES)
    assert run(yard, *asked[:-1], old.url, "--schema", "--llm", "old").exit_code == 0
    assert ["response_format" in row["body"] for row in old.log] == [True, False, False, False]


def test_fail_on_and_failures(serve, yard):
    server = serve(*RULES)
    limit = ("--threshold", "0.5", "--fail-on", "anomalous")
    assert run(yard, "--method", "ask", "--endpoint", server.url, *limit).exit_code == 3
    broken = serve({"behaviour": {"refusal": "field"}})
    done = run(yard, "--method", "ask", "--endpoint", broken.url, "--llm", "other")
    assert done.exit_code == 1 and "no answer could be used" in done.output and "Traceback" not in done.output
    done = run(yard, "--method", "ask", "--endpoint", "http://127.0.0.1:9", "--llm", "third")
    assert done.exit_code == 1 and "no endpoint there" in done.output


@pytest.mark.parametrize(("key", "code"), [("sk-secret\r\n", 0), ("sk-secr\u00e9t", 2), ("sk-\rsecret", 2)])
def test_a_key_is_shown_nowhere(serve, yard, monkeypatch, key, code):
    monkeypatch.setenv("ZSAD_API_KEY", key)
    server = serve(*RULES, limits={"key": "sk-secret"})
    done = run(yard, "--method", "ask", "--endpoint", server.url)
    assert done.exit_code == code and "secr" not in done.output, done.output
    assert not any(b"secr" in file.read_bytes() for file in yard.parent.rglob("*") if file.is_file())


def test_cheap_scores_belong_to_the_settings_of_the_cheap_method(yard):
    from zsad.cli.video.choices import digest_of, settings_of
    from zsad.cli.video.methods import Choices

    model, questions = yard.parent / "m.onnx", yard.parent / "questions.yaml"
    found = {digest_of("motion", Choices()), digest_of("map", Choices()), digest_of("motion", Choices(motion_kind="x"))}
    learned, asked = Choices(model=str(model)), Choices(more={"questions": str(questions)})
    for text in ("one", "another"):
        model.write_text(text)
        found |= {digest_of("map", learned), digest_of(str(model), Choices())}
    assert len(found) == 7
    questions.write_text("questions: ['Is it dark?']")
    before = settings_of(asked)
    assert before == settings_of(asked)
    questions.write_text("questions: ['Is a kite in the air?']")
    assert before != settings_of(asked)  # so that --resume does not keep scores of other questions


def test_a_model_for_gated_proposes_by_its_map(monkeypatch, yard):
    from zsad.cli.video import language_methods
    from zsad.cli.video.methods import Choices
    from zsad.language.cache import Cache
    from zsad.language.gateway import Gateway

    class Cheap:
        def __init__(self, name, choices):
            self.name, self.choices = name, choices

    monkeypatch.setattr(language_methods, "build", Cheap)
    for model, name in ((None, "motion"), ("m.onnx", "map")):
        found = language_methods.build_language("gated", Choices(model=model), Gateway(None, Cache(None), model="m"))
        assert found.cheap.name == name and found.cheap.choices.model == model


def test_questions_that_were_learned(serve, yard):
    (yard.parent / "questions.yaml").write_text("questions: ['Is a kite in the air?']")
    server = serve(*RULES)
    more = ("--set", f"questions={yard.parent / 'questions.yaml'}")
    assert run(yard, "--method", "vera", "--endpoint", server.url, *more).exit_code == 0
    assert all("1. Is a kite in the air?" in row["text"] for row in server.log)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [(("--method", "ask"), "give --endpoint URL, or --replay calls.jsonl"),
     (("--method", "motion", "--endpoint", "http://a"), "--endpoint is for methods that ask"),
     (("--method", "ask", "--endpoint", "http://a", "--fps", "2"), "give --stride instead"),
     (("--method", "ask", "--endpoint", "http://a", "--set", "x=1"), "ask has none such"),
     (("--method", "gated", "--endpoint", "http://a", "--set", "share=2"), "share must be above 0"),
     (("--method", "ask", "--endpoint", "http://a", "--model", "m"), "--model: --method ask has no use for it"),
     (("--method", "vera", "--endpoint", "http://a", "--normal", "n"), "--normal: --method vera has no use for it"),
     (("--method", "mcanet", "--endpoint", "http://a", "--set", "sound=a.onnx"), "an encoder of sound goes with"),
     (("--method", "asks",), "known: motion, map, fused, lavad, mcanet, vera, ask, gated")],
)  # fmt: skip
def test_wrong_usage_is_one_line(yard, arguments, line):
    done = run(yard, *arguments)
    assert done.exit_code == 2 and line in " ".join(done.output.split()), done.output


def test_replies_are_only_shown(serve, yard):
    server = serve({"reply": {"text": "\x1b[31m [red]no number[/red]"}})
    done = run(yard, "--method", "ask", "--endpoint", server.url)
    assert done.exit_code == 1 and "\x1b" not in done.output
