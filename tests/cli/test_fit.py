"""``zsad fit`` and what takes its bundles, as a person types them."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from tests.cli.test_commands import invoke
from tests.fitting.pictures import folder
from tests.quick_trial import quick_trial


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick_trial(monkeypatch)


def test_fit_detect_add(tmp_path):
    good, parts, bundle = folder(tmp_path / "good", 3), folder(tmp_path / "parts", 2, first=50), tmp_path / "bundle"
    folder(parts, 1, first=60, spot=True, name="spoilt")
    done = invoke("fit", str(good), "--rotations", "none", "--foreground", "off", "--out", str(bundle))
    assert done.exit_code == 0 and done.stdout.startswith("3 good images, 972 patches")
    hint = done.stdout.splitlines()[-1]
    assert hint == f"wrote {bundle}; use it: zsad detect PARTS --model {bundle}"
    done = invoke("detect", str(parts), "--model", str(bundle), "--json", "-")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert max(rows, key=lambda row: row["score"])["file"].endswith("spoilt060.png")
    fused = invoke("detect", str(parts), "--model", str(bundle), "--fused", "--json", "-")
    assert fused.exit_code == 0 and json.loads(fused.stdout.splitlines()[0])["run"] != rows[0]["run"]
    options = ["--fused", "--bits", "12", "--min-area", "0.01"]
    told = invoke("detect", str(parts / "spoilt060.png"), "--model", str(bundle), *options).stdout
    assert f"zsad calibrate {bundle} --fused --min-area 0.01 --bits 12 --normals good/ --out thresholds.json" in told
    done = invoke("fit", str(good), "--add", "--out", str(bundle), "--shots", "2", "--seed", "4", "--device", "cpu")
    assert done.exit_code == 2 and "--shots, --seed: --add takes what the bundle was fitted with" in done.stderr
    done = invoke("fit", str(folder(tmp_path / "more", 1, first=9)), "--add", "--out", str(bundle))
    assert done.exit_code == 0 and "4 good images" in done.stdout
    again = invoke("detect", str(parts), "--model", str(bundle), "--json", "-")
    assert json.loads(again.stdout.splitlines()[0])["run"] != rows[0]["run"]


def test_what_could_not_be_used_is_named_and_the_rest_is_kept(tmp_path):
    good = folder(tmp_path / "good", 3)
    Image.new("RGB", (80, 72)).save(good / "flat.png")
    done = invoke("fit", str(good), "--shots", "all", "--rotations", "none", "--out", str(tmp_path / "b"))
    assert done.exit_code == 1 and "flat.png: one colour all over" in done.stderr
    assert (tmp_path / "b" / "card.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--shots", "few"], 2, "--shots few: give a whole number, or all"),
        (["--shots", "9"], 2, "there are only 2 good images"),
        (["--rotations", "4"], 2, "--rotations 4: give 8, none or auto"),
        (["--foreground", "yes"], 2, "--foreground yes: give on, off or auto"),
        (["--model", "nothing.onnx"], 1, "nothing.onnx"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, arguments, code, line):
    done = invoke("fit", str(folder(tmp_path / "good", 2)), "--out", str(tmp_path / "b"), *arguments)
    assert done.exit_code == code and line in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "b").exists()


def test_a_place_with_other_files_is_left_alone(tmp_path):
    good = folder(tmp_path / "good", 2)
    before = sorted(good.iterdir())
    done = invoke("fit", str(good), "--out", str(good))
    assert done.exit_code == 2 and "has other files in it" in done.stderr and sorted(good.iterdir()) == before
    done = invoke("fit", str(good), "--add", "--out", str(tmp_path / "none"))
    assert done.exit_code == 2 and "no bundle there to add to" in done.stderr
