"""Every hint does what it promises: the command that prints it is run, then what it says, and the complaint is gone.

Each row of ``hint_cases.CASES`` is a command that goes wrong or leaves something open, a piece of what it then
prints, and what a person types next. ``None`` stands for the commands in the message itself. What cannot be run
is in ``NOT_RUN``.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil

import pytest
from typer.testing import CliRunner

from tests.hint_cases import CALIBRATE, CASES, DETECT, FIT, NOT_RUN, QUICK
from tests.hint_place import build, with_features
from tests.quick_trial import quick_trial
from tests.test_hints import PACKAGE
from zsad.cli import app

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_PRINTED = re.compile(r"(?<![\w./-])zsad (?:detect|calibrate|fit|models|data|bench|eval|export) ?[^`\n;]*|zsad models")
PLACES = {"PARTS": "parts", "PATH": "parts", "GOOD_FOLDER": "good", "good/": "good", "NAME": "visa"}
"""What a person puts for the words that a printed command leaves open."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = build(tmp_path_factory.mktemp("made"))
    pytest.importorskip("onnx", reason="makes a model with features")
    with_features(place / "features.onnx")
    for name in ("blind.onnx", "my models/blind.onnx"):
        with_features(place / name, scores=False)
    with pytest.MonkeyPatch.context() as patch:
        quick_trial(patch)
        patch.chdir(place)
        for line in (FIT.replace("--out b", "--out made"), CALIBRATE.replace("t.json", "set.json"),
                     f"{DETECT} --thresholds set.json --json set.jsonl"):  # fmt: skip
            code, output = typed(line)
            assert code == 0, output
    return place


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    quick_trial(monkeypatch)
    monkeypatch.setenv("ZSAD_HOME", str(tmp_path / "home"))
    shutil.copytree(made, tmp_path / "at")
    monkeypatch.chdir(tmp_path / "at")
    return tmp_path / "at"


def typed(line: str) -> tuple[int, str]:
    """Run a command line without its first word; returns exit code and all that was printed."""
    done = CliRunner().invoke(app, shlex.split(line), env={"COLUMNS": "300", "TERM": "dumb"})
    return done.exit_code, done.output


def pieces(says: str) -> re.Pattern[str]:
    """Return what a piece of the source looks like when it is printed."""
    return re.compile(".*".join(re.escape(part) for part in re.split(r"\{[^}]*\}?", says)))


def printed(output: str) -> list[str]:
    """Return the commands in an output, with what a person puts for the words left open."""
    lines = [match.group().strip(" .)") for match in _PRINTED.finditer(output)]
    return [" ".join(PLACES.get(word, word) for word in line.split()[1:]) for line in lines]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says.replace(" ", "-"))
def test_what_a_message_asks_for_can_be_done(place, case):
    for line in case.first:
        code, output = typed(line.removeprefix("? "))
        assert code == 0 or line.startswith("? "), output
    _, output = typed(case.wrong)
    assert pieces(case.says).search(output), output
    commands = printed(output) if case.then is None else [case.then]
    assert commands, output
    for line in commands:
        line += QUICK if case.then is None and line.startswith("calibrate") else ""
        code, after = typed(line)
        assert code == case.code, (line, after)
        assert case.then is None or case.stays or not pieces(case.says).search(after), (line, after)
    if case.then is not None and case.then.split()[:2] == case.wrong.split()[:2]:  # what is new was named
        new = set(_OPTION.findall(case.then)) - set(_OPTION.findall(case.wrong + QUICK))
        assert new <= set(_OPTION.findall(output)), output


NAMES = ("zsad detect", "zsad export", "zsad train", "--fail-on anomalous", "--rule {rule}")
"""Beginnings of commands that are printed and tested whole, and what a message quotes."""
_DESCRIBES = {"Option", "Argument", "option", "knob", "add_argument", "add_parser"}
_REMEDY = re.compile(r"(?<![\w-])--[a-z]|(?<![\w./-])zsad (?=[a-z])|\bpip (?:un)?install")


def messages() -> dict[str, str]:
    """Every string of the package that names a command or an option and is no description, with its place."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = set()
        for node in ast.walk(tree):
            called = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if called in _DESCRIBES:
                skipped |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.JoinedStr):
                skipped |= {id(value) for value in node.values}
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(id(node.value))
        for node in ast.walk(tree):
            text = "" if id(node) in skipped else _text(node)
            example = "[cyan]" in text  # of the help: tests/cli/test_examples.py runs it
            if " " in text and not example and text not in NAMES and _REMEDY.search(text):
                found[f"{path.relative_to(PACKAGE).as_posix()}:{node.lineno}"] = text
    return found


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                       for part in node.values)  # fmt: skip
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_message_with_a_remedy_is_run_or_has_a_reason():
    covered = [case.says for case in CASES] + list(NOT_RUN)
    left = {where: text for where, text in messages().items() if not any(says in text for says in covered)}
    assert left == {}
