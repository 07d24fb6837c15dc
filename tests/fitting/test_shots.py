"""Evaluations with shots, and mutual ones: which images are learned from, seeds with spread, and what is said."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import pytest
from PIL import Image

import zsad
from tests.cli.test_commands import invoke
from tests.fitting.pictures import folder
from zsad.data.spec import DataSpec, load_samples
from zsad.data.training_split import training_images
from zsad.errors import DatasetError
from zsad.evaluation import Options
from zsad.evaluation.each import evaluate_each
from zsad.fitting.shots import by_each_other, by_shots

QUICK = {"rotations": "none", "foreground": "off"}


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    """One class in the MVTec form, with a training split."""
    root = tmp_path_factory.mktemp("data") / "discs"
    folder(root / "train" / "good", 3)
    folder(root / "test" / "good", 4, first=20)
    folder(root / "test" / "spot", 3, first=40, spot=True)
    truth = root / "ground_truth" / "spot"
    truth.mkdir(parents=True)
    for path in (root / "test" / "spot").iterdir():
        bright = np.asarray(Image.open(path).convert("L")) > 210
        Image.fromarray(bright.astype(np.uint8) * 255).save(truth / f"{path.stem}_mask.png")
    return root


def test_the_training_split_is_learned_from_where_there_is_one(discs):
    spec = DataSpec("d", "mvtec", discs)
    assert {name: len(paths) for name, paths in training_images(spec).items()} == {"discs": 3}
    samples = load_samples(spec).samples
    made = by_shots(zsad.load(), [spec], 2, **QUICK)("d", "discs", samples, 0)
    assert len(made.samples) == 7 and "2 good images of its training split" in made.note
    table = evaluate_each(zsad.load(), samples, lambda *_: made, Options()).datasets["d"].classes["discs"]
    assert table.metrics["image_auroc"].value > 0.9 and table.metrics["pixel_auroc"].value > 0.8


def test_what_was_used_is_said_and_what_a_user_should_know(discs, tmp_path):
    root = tmp_path / "discs"
    shutil.copytree(discs, root, ignore=shutil.ignore_patterns("part001.png", "part002.png"))
    (root / "train" / "good" / "torn.png").write_bytes(b"no image")
    spec = DataSpec("d", "mvtec", root)
    note = by_shots(zsad.load(), [spec], "all", **QUICK)("d", "discs", load_samples(spec).samples, 0).note
    assert "fitted to 1 good images of its training split; 1 could not be used: " in note and "torn.png" in note
    assert note.endswith("scores as a defect; give more") and "\n" not in note


def test_without_one_normal_images_are_held_back(discs, tmp_path):
    root = tmp_path / "discs"
    shutil.copytree(discs, root, ignore=shutil.ignore_patterns("train"))
    spec = DataSpec("d", "mvtec", root)
    samples = load_samples(spec).samples
    prepare = by_shots(zsad.load(), [spec], 2, **QUICK)
    made = [prepare("d", "discs", samples, seed) for seed in (0, 0, 1)]
    names = [{sample.key for sample in one.samples} for one in made]
    assert names[0] == names[1] and all(len(one.samples) == 5 for one in made) and "held back" in made[0].note
    assert sum(sample.label for sample in made[0].samples) == 3
    with pytest.raises(DatasetError, match="leaves none to measure"):
        by_shots(zsad.load(), [spec], 4, **QUICK)("d", "discs", samples, 0)
    with pytest.raises(DatasetError, match="no good image to fit to"):
        prepare("d", "discs", [sample for sample in samples if sample.label], 0)


def test_seeds_have_a_spread_and_a_class_that_can_t_be_fitted_its_reason(discs):
    spec = DataSpec("d", "mvtec", discs)
    samples = load_samples(spec).samples
    calls = []

    def prepare(key, name, group, seed):
        calls.append(seed)
        if name == "other":
            raise DatasetError("d/other: nothing to fit to")
        detector = zsad.load()
        return type("Made", (), {"detector": detector, "samples": group[seed:], "note": f"drawn {seed}"})()

    from dataclasses import replace

    table = evaluate_each(
        zsad.load(), [*samples, replace(samples[0], class_name="other")], prepare, Options(), seeds=(0, 1, 2)
    )
    one, other = (table.datasets["d"].classes[name] for name in ("discs", "other"))
    low, high = one.intervals["image_auroc"]
    assert low <= one.metrics["image_auroc"].value <= high and calls == [0, 1, 2, 0]
    assert math.isnan(other.metrics["image_auroc"].value) and other.left_out == ("d/other: nothing to fit to",)
    assert table.run["seeds"] == [0, 1, 2] and table.run["notes"][1] == "seed 1: drawn 1"


def test_as_a_person_types_it(discs, tmp_path):
    out = tmp_path / "f.json"
    done = invoke("eval", "--data", f"mvtec:{discs}", "--shots", "2", "--rotations", "none", "--foreground", "off",
                  "--json", str(out))  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "2 good images" in done.stdout and "fitted to 2 good images of its training split" in done.stderr
    run = json.loads(out.read_text(encoding="utf-8"))["run"]
    assert run["shots"] == "2" and run["fused"] is False
    done = invoke("eval", "--data", f"mvtec:{discs}", "--mutual", "--json", "-")
    data = json.loads(done.stdout)
    assert data["run"]["mutual"] is True and "mutual, its images against each other" in done.stderr
    assert data["datasets"]["discs"]["classes"]["discs"]["image_auroc"] > 0.5
    for options in (["--shots", "2", "--threshold", "0.5"], ["--mutual", "--tile", "64"]):
        done = invoke("eval", "--data", f"mvtec:{discs}", *options)
        assert done.exit_code == 2 and "has scores of its own" in done.stderr
    done = invoke("eval", "--data", f"mvtec:{discs}", "--mutual", "--shots", "2")
    assert done.exit_code == 2 and "uses no good images" in done.stderr
    for options, line in (
        (["--rotations", "none", "--foreground", "off"], "--rotations, --foreground goes with --shots"),
        (["--mutual", "--foreground", "off"], "--foreground goes with --shots"),
        (["--seeds", "2"], "--seeds goes with --shots or --mutual"),
        (["--mutual", "--fused"], "leave --fused out"),
    ):
        done = invoke("eval", "--data", f"mvtec:{discs}", *options)
        assert done.exit_code == 2 and line in done.stderr


def test_mutual_prepares_the_class_s_own_images(discs):
    samples = load_samples(DataSpec("d", "mvtec", discs)).samples
    made = by_each_other(zsad.load())("d", "discs", samples, 0)
    assert made.detector.card.scoring.prompt == "7 other images" and made.samples == samples
