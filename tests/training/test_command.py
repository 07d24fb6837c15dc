from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from zsad.cli.train import train
from zsad.detector.torch_detector import load_detector
from zsad.errors import InUseError, OccupiedError, UsageError
from zsad.prompt.words import Words
from zsad.stream.sinks.files import sole_writer
from zsad.training import train as train_prompt
from zsad.training.experiment import check_place

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


@pytest.mark.parametrize("name", ["prompt.safetensors", "checkpoint.state", "log.jsonl", "train.yaml"])
def test_foreign_files_of_these_names_are_refused_before_the_work(tmp_path, name):
    check_place(tmp_path / "out")
    (tmp_path / "notes.txt").write_text("mine")
    check_place(tmp_path)  # names of its own are all that it writes
    (tmp_path / name).write_text("mine")
    with pytest.raises(OccupiedError, match=f"{name}: was not written by zsad and is not replaced; choose another"):
        train_prompt("synthetic", MICRO, tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(OccupiedError, match="in the way"):
        check_place(tmp_path / name)


def test_two_runs_into_one_folder(tmp_path):
    with sole_writer(tmp_path, tmp_path / ".zsad-train.lock"), pytest.raises(InUseError, match="another run"):
        train_prompt("synthetic", MICRO, tmp_path)


def test_command_passes_errors_on(command, tree, tmp_path):
    done = command("--data", f"mvtec:{tree}", "--backbone", MICRO, "--out", tmp_path, "--recipe", "best")
    assert isinstance(done.exception, UsageError) and "recipe 'best' is unknown" in str(done.exception)


def test_several_data_options(command, tree, tmp_path):
    done = command(
        "--data", f"normals:{tree / 'part/test/good'}", "--data", f"x=mvtec:{tree}", "--backbone", MICRO, "--head",
        "weights", "--out", tmp_path / "out", "--epochs", 1, "--image-size", 56, "--cache-gb", 0,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
