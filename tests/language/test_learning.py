"""``zsad video learn-questions`` on drawn videos: the learner really looks, accuracy reaches 1, the best is kept."""

from __future__ import annotations

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.clips import write_frames
from zsad.cli import app
from zsad.errors import InputError, PromptError
from zsad.language.guiding import read_labelled, read_questions

REPLIES = [
    "Reasoning:\nhaze\nNew Prompt Questions:\n1. Is there smoke?\n2. Is it dark?",
    "I would keep them.",
    "**New Prompt Questions:**\n1. Is there smoke?\n2. Is somebody running?",
    "New Prompt Questions:\n1. Is the ground wet?",
]
ONE, ZERO = {"text": "Answers: something.\nOutput:\n**1**"}, {"text": "Answers: calm, 10 people.\nOutput:\n[0]"}
SMOKE, RUN = {"mean_grey": [195, 205]}, {"mean_grey": [245, 255]}
RULES = [
    {"when": {"n_images": [9, 16]}, "reply": {"sequence": REPLIES}},
    {"when": {"text_contains": ["smoke"], "image": SMOKE}, "reply": ONE},
    {"when": {"text_contains": ["running"], "image": RUN}, "reply": ONE},
    {"reply": ZERO},
]
LEVELS = {"smoke1": 200, "smoke2": 200, "run1": 250, "run2": 250, "calm1": 40, "calm2": 60, "calm3": 80, "calm4": 90}


@pytest.fixture
def lists(tmp_path):
    for name, level in LEVELS.items():
        write_frames(tmp_path / name, [level] * 9)
    (tmp_path / "start.yaml").write_text("questions: ['Is anything odd?']")
    for name, number in (("train", "1"), ("val", "2")):
        rows = [f"smoke{number},1", f"run{number},1", f"calm{number},0", f"calm{int(number) + 2},0"]
        (tmp_path / f"{name}.csv").write_text("video,label\n" + "\n".join(rows) + "\n")
    return tmp_path


def run(lists, *arguments):
    words = ["video", "learn-questions", lists / "train.csv", lists / "val.csv", "--out", lists / "questions.yaml",
             "--folder-fps", "8", "--questions", lists / "start.yaml", "--epochs", "2", "--validate-every", "1",
             *arguments]  # fmt: skip
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_best_questions_are_kept(serve, lists):
    server = serve(*RULES)
    done = run(lists, "--endpoint", server.url, "--record", lists / "calls.jsonl")
    assert done.exit_code == 0, done.output
    found = yaml.safe_load((lists / "questions.yaml").read_text())
    assert found["accuracy"] == 1.0 and found["questions"] == ["Is there smoke?", "Is somebody running?"]
    assert [row["accuracy"] for row in found["validations"]] == [0.5, 0.75, 0.75, 1.0, 0.5]
    assert read_questions(lists / "questions.yaml") == ("Is there smoke?", "Is somebody running?")
    sent = len(server.log)
    again = run(lists, "--endpoint", server.url)
    assert again.exit_code == 0 and len(server.log) == sent
    assert yaml.safe_load((lists / "questions.yaml").read_text()) == found
    assert run(lists, "--replay", lists / "calls.jsonl").exit_code == 0 and len(server.log) == sent


def test_a_budget_ends_it_and_a_second_run_goes_on(serve, lists):
    server = serve(*RULES)
    done = run(lists, "--endpoint", server.url, "--budget", "calls=9")
    assert done.exit_code == 4 and "budget reached" in done.output and len(server.log) == 9
    assert not (lists / "questions.yaml").exists()
    assert run(lists, "--endpoint", server.url).exit_code == 0


@pytest.mark.parametrize("images", [[8, 8], [9, 16]])
def test_a_call_that_is_not_answered_is_no_wrong_answer(serve, lists, images):
    refused = {"when": {"n_images": images, "max_uses": 1}, "behaviour": {"status": 400, "message": "filtered"}}
    server = serve(refused, *RULES)
    done = run(lists, "--endpoint", server.url, "--record", lists / "calls.jsonl")
    said = " ".join(done.output.split())
    assert done.exit_code == 1 and "calls were not answered (" in said and "HTTP 400: filtered" in said, said
    assert "what was answered is kept" in said and not (lists / "questions.yaml").exists()
    done = run(lists, "--replay", lists / "calls.jsonl")
    assert done.exit_code == 1 and "not in the record; --endpoint URL beside --replay" in " ".join(done.output.split())
    assert run(lists, "--endpoint", server.url).exit_code == 0


def test_what_it_will_cost(serve, lists):
    done = run(lists, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "calls: 32 at most (28 learner, 4 optimiser)" in done.output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [((), "give --endpoint URL, or --replay"), (("--endpoint", "x"), "is no address"),
     (("--endpoint", "http://a", "--budget", "5"), "give calls=N"),
     (("--record", "a", "--replay", "b"), "leave --record out, or give --endpoint URL as well")],
)  # fmt: skip
def test_wrong_usage_is_one_line(lists, arguments, line):
    done = run(lists, *arguments)
    assert done.exit_code == 2 and line in " ".join(done.output.split())


def test_bad_lists(lists):
    for text, line in (("a,b\n1,2\n", "needs the columns"), ("video,label\nx,2\n", "a label of 0 or 1"),
                       ("video,label\n", "no video in it")):  # fmt: skip
        (lists / "bad.csv").write_text(text)
        with pytest.raises(InputError, match=line):
            read_labelled(lists / "bad.csv")
    with pytest.raises(InputError, match="no such file"):
        read_labelled(lists / "none.csv")
    (lists / "bad.yaml").write_text("questions: [1]")
    with pytest.raises(PromptError, match="must be texts"):
        read_questions(lists / "bad.yaml")
