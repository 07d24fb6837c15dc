"""What the README says is so: its tables come from the result files, its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.readme import fill
from zsad.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_tables_come_from_the_result_files():
    assert fill(README, ROOT / "benchmarks" / "results") == README


# Commands start a line of a shell block or stand in backticks.
_SHELL = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.S) + re.findall(r"`(zsad [^`\n]+)`", README))
_START = r"(?:^|&& )zsad "
_WORDS = r"((?:data|bench|video|language) [a-z-]+|[a-z-]+)"
COMMANDS = sorted({tuple(w.split()) for w in re.findall(_START + _WORDS, _SHELL, re.M)})
OPTIONS = sorted(set(re.findall(_START + _WORDS + r"[^|\n]*?(--[a-z-]+)", _SHELL, re.M)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_exist(words):
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=[" ".join(pair) for pair in OPTIONS])
def test_options_exist(command, option):
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert option in result.output


def test_files_that_are_named_exist():
    for name in re.findall(r"`((?:benchmarks|export|zsad|prompts|examples)/[\w./-]*)`", README):
        assert (ROOT / name).exists(), name
