"""What ``zsad language check`` says of servers that can all, some, or nothing."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from zsad.cli import app

ALL = [
    {"when": {"audio": True}, "reply": {"text": "A tone."}},
    {"when": {"n_images": [3, 3]}, "reply": {"text": "red, green, blue"}},
    {"when": {"n_images": [1, 1]}, "reply": {"template": "{colour}"}},
    {"when": {"text_contains": ["JSON"]}, "reply": {"text": '{"score": 0.5}'}},
    {"reply": {"text": "ready"}},
]


def run(*arguments):
    return CliRunner().invoke(app, ["language", "check", *map(str, arguments)], env={"COLUMNS": "200"})


def test_a_server_that_can_all(serve):
    done = run(serve(*ALL).url)
    assert done.exit_code == 0, done.output
    assert [line.split()[-1] for line in done.stdout.splitlines() if " yes " in line]
    assert done.stdout.count(" yes ") == 5 and "scripted-vlm" in done.stdout


def test_a_server_with_text_alone(serve):
    no = {"status": 400, "message": "this server has no \x1b[31mmultimodal input"}
    server = serve({"when": {"audio": True}, "behaviour": no}, {"when": {"n_images": [1, 9]}, "behaviour": no},
                   {"reply": {"text": "ready"}})  # fmt: skip
    done = run(server.url, "--json", "--llm", "m")
    rows = {row["what"]: row for row in json.loads(done.stdout)["checks"]}
    assert [name for name, row in rows.items() if row["works"]] == ["text"]
    assert list(rows) == ["text", "image", "several images", "schema", "audio"]
    assert "multimodal" in rows["image"]["note"] and "\x1b" not in rows["image"]["note"] and done.exit_code == 0


def test_colours_that_were_not_sent_are_said(serve):
    done = run(serve({"reply": {"text": "purple"}}).url)
    assert "not the colours that were sent: red" in done.stdout


@pytest.mark.parametrize(
    ("rules", "more", "line", "code"),
    [([], {"limits": {"key": "x"}}, "the key is missing", 1), ([], {"models": ["a", "b"]}, "choose one with --llm", 1),
     ([{"reply": {"text": ""}}], {}, "an empty answer", 1)],
)  # fmt: skip
def test_what_is_wrong_is_one_line(serve, rules, more, line, code):
    done = run(serve(*rules, **more).url)
    assert done.exit_code == code and line in done.output and "Traceback" not in done.output


def test_no_server_and_no_address():
    done = run("http://127.0.0.1:9/v1", "--llm", "m")
    assert done.exit_code == 1 and done.output.count("\n") == 1 and "no endpoint there" in done.output
    assert run("localhost").exit_code == 2
