"""From lists and options to a training: names meet, labels are counted, and what can't be is told before."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.video.weak import drawn, small
from zsad.cli import app
from zsad.errors import DatasetError, InputError, ModelError, UsageError
from zsad.video.extraction import KIND
from zsad.video.learned.lists import Listed, class_of
from zsad.video.learned.stored import features_of
from zsad.video.weak.data import split
from zsad.video.weak.folder import load_weak, with_classes
from zsad.video.weak.starting import Options, start

XD = "v=x__#1_label_A"


def put(folder, name, card=None, rows=5, form=(drawn.WIDTH,)):
    """Write a video's features, called as ``extract`` calls them, and what stands beside."""
    folder.mkdir(exist_ok=True)
    safe = name.replace("#", "_")
    np.save(folder / f"{safe}__0.npy", np.ones((rows, *form), np.float32))
    told = {"kind": KIND, "backbone": "tiny", "weights_hash": "a", "stride": 8, "tokens": None, "preprocess": {}}
    (folder / f"{safe}.json").write_text(json.dumps(told | (card or {})))


@pytest.fixture(autouse=True)
def small_ones(small_presets):
    """Every training here is of a small preset."""


def started(folder, rows, preset="urdmu", form="csv", **more):
    listed = folder / "list"
    listed.write_text("\n".join(rows))
    text = None if preset in ("urdmu", "vador") else drawn.tower()
    return start(Options(preset, f"{form}:{listed}", folder, **{"val_split": 0.0} | more), text)[0]


@pytest.mark.parametrize("preset", ["urdmu", "vador"])
@pytest.mark.parametrize(("form", "rows"), [("csv", (f"{XD},fire", "b,normal")),
                                            ("csv", (f"{XD}.mp4,fire", "b.mp4,normal")),
                                            ("vadclip", (f"x/{XD}__0.npy,G", "x/b__0.npy,A")),
                                            ("umil", (f"x/{XD}.mp4 0 80 1", "x/b.mp4 0 80 0"))])  # fmt: skip
def test_a_listed_name_meets_what_extract_wrote(tmp_path, form, rows, preset):
    for name in (XD, "b"):
        put(tmp_path, name, form=(3, drawn.WIDTH) if preset == "vador" else (drawn.WIDTH,))
    (tmp_path / "clicks").write_text(f"{XD},17\n")
    task = started(tmp_path, rows, preset, form, clicks=tmp_path / "clicks")
    assert [sample.name for sample in task.train] == ["v=x___1_label_A", "b"]
    assert (task.card.backbone, task.card.every) == ("tiny", 8)
    assert task.clicks == {"v=x___1_label_A": [2]}


def test_how_the_backbone_reads_stands_in_the_card(tmp_path):
    for name in "ab":
        put(tmp_path, name, {"reading": {"class_norm": True}})
    assert started(tmp_path, ["a,fire", "b,normal"]).card.made_by == {
        "trained_on": "list", "reading": {"class_norm": True}}  # fmt: skip


def test_names_with_two_underscores_keep_them(tmp_path):
    listed = [Listed(f"film__#{i}", ("fire",) if i % 2 else ()) for i in range(8)]
    kept, held = split(listed, 0.25, 0)
    assert len(kept) == 6 and len(held) == 2
    put(tmp_path, "a__b")
    assert features_of("a__b", tmp_path) == features_of("a__b__0", tmp_path) == [tmp_path / "a__b__0.npy"]
    with pytest.raises(DatasetError, match=r"a__c: listed, but .* has no a__c__0\.npy"):
        features_of("a__c", tmp_path)


def test_motion_of_a_name_with_two_underscores(tmp_path):
    for name in ("a__b", "c"):
        put(tmp_path, name)
        np.save(tmp_path / f"{name}__motion.npy", np.ones((5, drawn.WIDTH), np.float32))
    assert started(tmp_path, ["a__b,fire", "c,normal"], motion=True).card.config.motion == drawn.WIDTH


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [("backbone", "ViT-B-16/openai", "'tiny' and 'ViT-B-16/openai'"), ("weights_hash", "b", "'a' and 'b'"),
     ("stride", 16, "8 and 16"), ("tokens", 4, "None and 4"), ("preprocess", {"image_size": 224}, "'{}' and "),
     ("reading", {"class_norm": True}, "None and ")],
)  # fmt: skip
def test_videos_that_were_extracted_otherwise_are_named(tmp_path, key, value, says):
    put(tmp_path, "a")
    put(tmp_path, "b", {key: value})
    with pytest.raises(DatasetError, match=rf"a and b differ in {key}, {says}.*extract all videos alike"):
        started(tmp_path, ["a,fire", "b,normal"])
    put(tmp_path, "b")
    put(tmp_path, "c", {key: value})
    (tmp_path / "held").write_text("c,normal\n")
    with pytest.raises(DatasetError, match=f"a and c differ in {key}"):
        started(tmp_path, ["a,fire", "b,normal"], val=str(tmp_path / "held"))


def test_tokens_of_another_count(tmp_path):
    for name, tokens in (("a", 3), ("b", 2)):
        np.save(tmp_path / f"{name}.npy", np.ones((5, tokens, drawn.WIDTH), np.float32))
    with pytest.raises(InputError, match="2 tokens a row, the model reads 3; extract them with as many"):
        started(tmp_path, ["a,fire", "b,normal"], "vador")


def test_a_backbone_that_contradicts_the_features(tmp_path):
    for name in "ab":
        put(tmp_path, name)
    rows = ["a,fire", "b,normal"]
    with pytest.raises(UsageError, match=r"--backbone timm:x: the features .* are of tiny; leave --backbone out"):
        started(tmp_path, rows, backbone="timm:x")
    assert started(tmp_path, rows, backbone="tiny").card.backbone == "tiny"
    assert started(tmp_path, rows, backbone="local-dir:moved").card.backbone == "local-dir:moved"


@pytest.mark.parametrize("preset", ["vadclip-xd", "ovvad"])
def test_numbers_of_classes_count_the_names_from_one(tmp_path, preset):
    for name in "abc":
        put(tmp_path, name)
    rows = ["x/a.mp4 0 80 1", "x/b.mp4 0 80 2", "x/c.mp4 0 80 0"]
    task = started(tmp_path, rows, preset, "umil", classes=("fire", "fall"))
    assert [task.card.classes[at] for sample in task.train for at in sample.classes] == ["fire", "fall"]


def test_numbers_are_no_texts(tmp_path):
    for name in "ab":
        put(tmp_path, name)
    with pytest.raises(UsageError, match="numbers, and ovvad compares with texts; name the classes from 1 on"):
        started(tmp_path, ["x/a.mp4 0 80 1", "x/b.mp4 0 80 0"], "ovvad", "umil")
    for number in ("3", "0"):
        with pytest.raises(DatasetError, match=f"label '{number}' is none of the classes"):
            class_of(number, ("fire", "fall"), "x")


def test_clicks_that_can_not_be(tmp_path):
    for name in "ab":
        put(tmp_path, name)
    for row, says in (("b,3", "'b' is clicked, but listed as normal"), ("c,3", "'c' is none of the training videos"),
                      ("a,40", "frame 40 of 'a', which has 5 rows of 8 frames; click on a frame inside")):  # fmt: skip
        (tmp_path / "clicks").write_text(f"{row}\n")
        with pytest.raises(DatasetError, match=says):
            started(tmp_path, ["a,fire", "b,normal"], clicks=tmp_path / "clicks")


@pytest.mark.parametrize(
    ("more", "says"),
    [({"lr": 0.0}, "--lr is 0.0, it must be at least 1e-09"), ({"lr": -1.0}, "--lr is -1.0"),
     ({"lr": 20.0}, "--lr is 20.0, it must be at most 10"), ({"lr": float("nan")}, "--lr is NaN"),
     ({"batch": 5000}, "--batch is 5000, it must be at most 4096"), ({"epochs": 0}, "--epochs is 0")],
)  # fmt: skip
def test_numbers_that_no_card_takes(tmp_path, more, says):
    for name in "ab":
        put(tmp_path, name)
    with pytest.raises(UsageError, match=f"^{says}"):
        started(tmp_path, ["a,fire", "b,normal"], **more)


def test_features_that_no_card_takes(tmp_path):
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones((2, 9000), np.float32))
    with pytest.raises(UsageError, match="width is 9000, it must be at most 8192"):
        started(tmp_path, ["a,fire", "b,normal"])
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DatasetError, match="no array of features; extract it again"):
        started(tmp_path, ["a,fire", "b,normal"])
    np.save(tmp_path / "a.npy", np.float32(1))
    with pytest.raises(DatasetError, match="no array of numbers"):
        started(tmp_path, ["a,fire", "b,normal"])


def test_a_text_tower_of_another_width(tmp_path):
    import torch

    network = load_weak(small.folder(tmp_path / "m", "vadclip-ucf"))
    network.table = torch.zeros(77, 32)
    with pytest.raises(ModelError, match="texts 16 wide, that text tower's are 24; name the backbone"):
        with_classes(network, ("fire",), drawn.tower(24))


@pytest.mark.parametrize(
    ("preset", "more", "says"),
    [("urdmu", ("--classes", "fire"), "urdmu tells no classes apart; leave --classes out"),
     ("vador", ("--classes", "fire"), "vador tells no classes apart; leave --classes out"),
     ("vadclip-ucf", ("--phrases", "p.yaml"), "vadclip-ucf compares with no phrases; leave --phrases out"),
     ("urdmu", ("--val", "v.csv", "--val-split", "0.3"), "--val names the videos to choose by; leave --val-split out")],
)  # fmt: skip
def test_options_that_would_do_nothing(tmp_path, preset, more, says):
    command = ["video", "train", preset, "--train", "l.csv", "--features", "f", "--out", str(tmp_path / "m"), *more]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2 and says in " ".join(result.output.split())
