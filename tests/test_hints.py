"""Every hint is a command: what messages tell a person to type exists, with the options that they name.

Strings of the package are read from its source, docstrings and examples of the help included. Commands that need no
download and no torch are run as they stand.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
import typer.main

from zsad.cli import app
from zsad.runtime.__main__ import _parser

PACKAGE = Path(__file__).resolve().parents[1] / "zsad"
ROOT = typer.main.get_command(app)
_COMMAND = re.compile(r"(?<![\w./-])(?:zsad (?=[a-z])|python -m (?:zsad|factory)[.\w]*)[^`\n;\[\]]*")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# Words of other programs that messages name.
_OTHERS = {"--porcelain", "--untracked-files", "--upgrade", "--force-reinstall", "--no-deps", "--target",
           "--model-config-name", "--model-repository"}  # fmt: skip


def texts(path: Path) -> list[str]:
    """Every string of a file; what an f-string fills in is a capital word."""
    found, inside = [], set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            inside |= {id(value) for value in node.values}
            found.append("".join(v.value if isinstance(v, ast.Constant) else "WORD" for v in node.values))
    found += [node.value for node in ast.walk(tree)
              if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside]  # fmt: skip
    return found


TEXTS = {path: texts(path) for path in sorted(PACKAGE.rglob("*.py"))}


def command_of(words: list[str]):
    """The command that words begin with, and the words after its name."""
    command = ROOT
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


@lru_cache(maxsize=1)
def all_options() -> set[str]:
    found, left = set(_OTHERS), [ROOT]
    while left:
        command = left.pop()
        found |= options_of(command)
        left += list(getattr(command, "commands", {}).values())
    return found | {name for action in _parser()._actions for name in action.option_strings}


ALL = [text for strings in TEXTS.values() for text in strings]
HINTS = sorted({match.group().strip(" .,:'\")(") for text in ALL for match in _COMMAND.finditer(text)})


def test_there_are_hints_to_check():
    assert len(HINTS) > 60 and {"zsad models", "zsad data list"} <= set(HINTS)


@pytest.mark.parametrize("hint", HINTS)
def test_a_hint_is_a_command_with_the_options_that_it_names(hint):
    words = hint.split()
    if words[0] == "python":
        assert importlib.util.find_spec(words[2]) is not None, hint
        return
    command, rest = command_of(words[1:])
    named = len(words) - 1 - len(rest)
    if named == 0:
        # Prose, such as "zsad wrote it"; a word in its place that looks like a command is a slip.
        assert not rest or not any(word.startswith("--") for word in rest[:2]), hint
        return
    wrong = [option for option in _OPTION.findall(" ".join(rest)) if option not in options_of(command)]
    # In prose the sentence goes on: an option of another command may follow, but never right after the name.
    assert not wrong or (wrong[0] in all_options() and rest[0] != wrong[0]), (hint, wrong)


@pytest.mark.parametrize("path", sorted(TEXTS), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_option_that_a_text_names_exists(path):
    known = all_options()
    if "synthetic" in path.parts or path.name == "providers.py":
        known = known | set(_OPTION.findall(path.read_text(encoding="utf-8")))  # programs of their own
    unknown = {option for text in TEXTS[path] for option in _OPTION.findall(text)} - known
    assert unknown == set()


@pytest.mark.parametrize("hint", ["zsad models", "zsad info", "zsad data list", "zsad data list visa ksdd"])
def test_hints_that_need_nothing_are_run(hint, tmp_path):
    assert hint.removesuffix(" visa ksdd") in HINTS
    code = "import sys; sys.argv[0] = 'zsad'; from zsad.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *shlex.split(hint)[1:]], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []
