from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from zsad.cli.train import train
from zsad.detector.torch_detector import load_detector
from zsad.errors import UsageError
from zsad.prompt.words import Words

from .drawn_parts import MICRO


@pytest.fixture
def command():
    app = typer.Typer()
    app.command()(train)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


def test_command_writes_a_usable_prompt_and_says_how(command, tree, tmp_path):
    (tree / "part/test/good/001.png").write_bytes(b"not an image")
    out = tmp_path / "out"
    done = command(
        "--data", f"parts=mvtec:{tree}", "--backbone", MICRO, "--out", out, "--recipe", "anomalyclip", "--epochs", 2,
        "--image-size", 56, "--cache", tmp_path / "cache", "--licence", "CC0", "--seed", 5,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "1 images could not be used" in said and "001.png" in said
    assert "11 images, 11 through the backbone" in said and "zsad detect IMAGES" in said
    assert load_detector(MICRO, Words(prompt=str(out / "prompt.safetensors"))).card.provenance.licence == "CC0"
    assert len([json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]) == 4
    more = command("--data", f"parts=mvtec:{tree}", "--backbone", MICRO, "--out", out, "--recipe", "anomalyclip",
                   "--epochs", 3, "--image-size", 56, "--cache", tmp_path / "cache", "--licence", "CC0", "--seed", 5,
                   "--resume")  # fmt: skip
    assert more.exit_code == 0 and "11 images, 0 through the backbone" in " ".join(more.stderr.split())


def test_command_passes_errors_on(command, tree, tmp_path):
    done = command("--data", f"mvtec:{tree}", "--backbone", MICRO, "--out", tmp_path, "--recipe", "best")
    assert isinstance(done.exception, UsageError) and "recipe 'best' is unknown" in str(done.exception)


def test_several_data_options(command, tree, tmp_path):
    done = command(
        "--data", f"normals:{tree / 'part/test/good'}", "--data", f"x=mvtec:{tree}", "--backbone", MICRO, "--head",
        "weights", "--out", tmp_path / "out", "--epochs", 1, "--image-size", 56, "--cache-gb", 0,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
