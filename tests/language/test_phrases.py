"""Phrases by a language model: read robustly, counted, kept, and read by OVVAD's training."""

from __future__ import annotations

import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from typer.testing import CliRunner

from zsad.cli import app
from zsad.documents import read_yaml
from zsad.language.phrases import phrases

RULES = [
    {
        "when": {"text_contains": ["noun phrases", "ordinary day"]},
        "reply": {"text": "Sure!\n1. A *wet* street.\n2. bins"},
    },
    {
        "when": {"text_contains": ["each with a verb", "ordinary day"]},
        "reply": {"text": "- people walk\n- people walk"},
    },
    {
        "when": {"text_contains": ["noun phrases", "arson"]},
        "reply": {"text": "1) a burning car\n2) bins\n3) " + "x " * 20},
    },
    {"when": {"text_contains": ["arson", "Answer with a numbered list"]}, "reply": {"text": "1. a man lights a bin"}},
    {"when": {"text_contains": ["arson"]}, "reply": {"text": "They would set things on fire."}},
]


def run(*arguments):
    return CliRunner().invoke(app, ["language", "phrases", *map(str, arguments)], env={"COLUMNS": "300"})


def test_phrases_are_written_for_training(serve, tmp_path):
    server, out = serve(*RULES), tmp_path / "phrases.yaml"
    done = run("arson", "--out", out, "--endpoint", server.url)
    assert done.exit_code == 0, done.output
    assert "3 normal and 2 abnormal phrases" in done.output and len(server.log) == 5  # one was asked for its form again
    data = read_yaml(out)
    assert data["normal"] == ["A *wet* street", "bins", "people walk"] and data["classes"] == ["arson"]
    assert data["abnormal"] == ["a burning car", "a man lights a bin"]  # what is normal too says nothing
    again = run("arson", "--out", out, "--endpoint", server.url)
    assert again.exit_code == 0 and len(server.log) == 5 and read_yaml(out) == data


def test_the_file_is_what_ovvad_reads(serve, tmp_path):
    pytest.importorskip("torch")
    from zsad.video.weak.starting import read_phrases

    run("arson", "--out", tmp_path / "p.yaml", "--endpoint", serve(*RULES).url)
    normal, abnormal = read_phrases(tmp_path / "p.yaml")
    assert len(normal) == 3 and len(abnormal) == 2


def test_plan_budget_and_prose(serve, tmp_path):
    planned = run("arson", "theft", "--out", tmp_path / "p.yaml", "--dry-run")
    assert planned.exit_code == 0 and "calls: 6," in planned.output and not (tmp_path / "p.yaml").exists()
    server = serve(*RULES)
    spent = run("arson", "--out", tmp_path / "p.yaml", "--endpoint", server.url, "--budget", "calls=1")
    assert spent.exit_code == 4 and len(server.log) == 1 and "budget reached" in spent.output
    prose = run(
        "arson", "--out", tmp_path / "p.yaml", "--endpoint", serve({"reply": {"text": "No list."}}).url, "--llm", "m"
    )
    assert prose.exit_code == 1 and "no phrase of normal life could be read" in " ".join(prose.output.split())
    assert run(" ", "--out", tmp_path / "p.yaml", "--dry-run").exit_code == 2


def test_a_phrase_is_short_and_there_once():
    assert phrases("1. a\n2. A.\n3. b\n4. c", 2).value == ["a", "b"]
    assert phrases("", 3).reason == "empty" and phrases("1. " + "word " * 30, 3).reason == "no_phrase"
