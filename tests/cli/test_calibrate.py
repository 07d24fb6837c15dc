"""``zsad calibrate`` as a person runs it: drawn parts, the bundled model, the file used, and drift looked for."""

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from zsad.cli import app
from zsad.synthetic import scene_at
from zsad.thresholds import ThresholdsFile, write_thresholds
from zsad.types import Thresholds

SMALL = Path(__file__).parents[1] / "detector" / "small.onnx"
LOOSE = ["--false-reject", "0.1", "--confidence", "0.9"]  # 22 parts suffice


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "300"})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn parts")
    for kind, count in (("good", 24), ("bad", 6)):
        (root / kind).mkdir()
        for index in range(count):
            scene = scene_at(index, 64, seed=3, anomalous=kind == "bad")
            Image.fromarray(scene.image).save(root / kind / f"{index:03d}.png")
    return root


def test_good_parts_to_verdicts_to_drift(drawn, tmp_path):
    file, rows = tmp_path / "t.json", tmp_path / "rows.jsonl"
    made = run("calibrate", "--normals", drawn / "good", "--defects", drawn / "bad", *LOOSE, "--out", file)
    assert made.exit_code == 0, made.output
    said = " ".join(made.output.split())
    assert "At most 10 % of good parts rejected, at 90 % confidence: n = 24 good parts" in said
    assert "of 6 defective parts are missed" in said and "Furthest out: " in said
    hint = next(line for line in made.output.splitlines() if line.startswith("  zsad detect "))
    judged = run(*shlex.split(hint)[1:], "--json", rows)  # the hint is a command that runs
    assert judged.exit_code == 0, judged.output
    assert "0 of 24 images anomalous" in judged.output
    checked = run("calibrate", "--check", rows, "--thresholds", file)
    assert checked.exit_code == 0 and "No drift in 24 parts" in checked.output
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    rows.write_text("".join(json.dumps({**line, "score": 0.99}) + "\n" for line in lines))
    drifted = run("calibrate", "--check", rows, "--thresholds", file)
    assert drifted.exit_code == 3 and "Drift: the parts are" in drifted.output and "since part 1," in drifted.output


@pytest.mark.parametrize(("tile", "said"), [("48", "tiles of 48 px"), ("auto", "tiles chosen by the network's side")])
def test_tiles_are_judged_by_thresholds_that_were_measured_with_them(drawn, tmp_path, tile, said):
    file = tmp_path / "t.json"
    options = [SMALL, "--tile", tile, *LOOSE]
    made = run("calibrate", "--normals", drawn / "good", *options, "--out", file)
    assert made.exit_code == 0, made.output
    assert said in json.loads(file.read_text())["source"]
    hint = next(line for line in made.output.splitlines() if line.startswith("  zsad detect "))
    judged = run(*shlex.split(hint)[1:])
    assert f"--tile {tile}" in hint and judged.exit_code == 0 and "0 of 24 images anomalous" in judged.output
    refused = run("calibrate", "--normals", drawn / "good", "--tile", "many", "--out", file)
    assert refused.exit_code == 2 and "tile is auto or a side in pixels" in refused.output


def test_too_few_parts_write_nothing_unless_accepted(drawn, tmp_path):
    file = tmp_path / "t.json"
    few = run("calibrate", "--normals", drawn / "good", "--out", file)
    assert few.exit_code == 1 and "n = 24 supports 11.7 %" in few.output and "--accept-rate" in few.output
    assert not file.exists()
    taken = run("calibrate", "--normals", drawn / "good", "--out", file, "--accept-rate")
    assert taken.exit_code == 0 and "At most 11.7 % of good parts rejected" in taken.output
    assert json.loads(file.read_text())["rate"] == pytest.approx(0.1173, abs=1e-4)


def test_footage_is_another_commands(drawn, tmp_path):
    (tmp_path / "hall.mp4").write_bytes(b"frames")
    done = run(
        "calibrate", "--normals", drawn / "good", "--normals", tmp_path / "hall.mp4", "--out", tmp_path / "t.json"
    )
    assert done.exit_code == 2 and not (tmp_path / "t.json").exists()
    assert "hall.mp4: footage, no part; set its threshold with `zsad video calibrate`" in str(done.stderr)


def test_what_fails_is_named_and_the_rest_counts(drawn, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    for path in (drawn / "good").iterdir():
        (good / path.name).write_bytes(path.read_bytes())
    (good / "[bold]x.png").write_bytes(b"no image")
    Image.new("L", (20, 20), 7).save(good / "black.png")
    found = run("calibrate", "--normals", good, *LOOSE, "--out", tmp_path / "t.json")
    assert found.exit_code == 1 and (tmp_path / "t.json").is_file()
    assert "[bold]x.png" in found.output and "black.png: one colour all over" in found.output


def test_nothing_but_earlier_thresholds_is_written_over(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "photo.png"
    photo.write_bytes((drawn / "good" / "000.png").read_bytes())
    for place in (photo, tmp_path / "notes.json"):
        before = place.read_bytes() if place == photo else b'{"mine": 1}'
        place.write_bytes(before)
        found = run("calibrate", "--normals", drawn / "good", "--out", place.name, "--accept-rate")
        assert (found.exit_code, place.read_bytes()) == (2, before), found.output
        assert f"{place.name}: was not written by zsad" in found.output and len(found.output.splitlines()) == 1
    file = ThresholdsFile(Thresholds(image=0.5))
    write_thresholds("t.json", file)
    write_thresholds("t.json", file)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--normals", "GOOD"], 2, "calibrate needs --out FILE"),
        (["--out", "t.json"], 2, "no good parts are given: add --normals DIR"),
        (["--normals", "GOOD", "--out", "t.json", "--false-reject", "nan"], 2, "false reject of nan"),
        (["--normals", "GOOD", "--out", "t.json", "--rule", "[red]"], 2, "rule must be either, score or region"),
        (["--normals", "GOOD", "--out", "t.json", "--thresholds", "t.json"], 2, "--thresholds FILE goes with --check"),
        (["--check", "rows.jsonl"], 2, "--check ROWS goes with --thresholds FILE"),
        (["--check", "rows.jsonl", "--thresholds", "t.json", "--normals", "GOOD"], 2, "--check ROWS goes with"),
        (["--check", "rows.jsonl", "--thresholds", "absent.json"], 2, "absent.json: no such file"),
        (["--normals", "EMPTY", "--out", "t.json"], 1, "folder without an image"),
        (["nothing.onnx", "--normals", "GOOD", "--out", "t.json"], 1, "nothing.onnx"),
    ],
)
def test_what_makes_no_sense_is_one_line(drawn, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    found = run("calibrate", *(drawn / "good" if word == "GOOD" else word for word in words))
    assert (found.exit_code, said in found.output) == (code, True), found.output
    assert len(found.output.strip().splitlines()) == 1 and not (tmp_path / "t.json").exists()
