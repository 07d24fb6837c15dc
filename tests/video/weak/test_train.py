"""Training: it learns, goes on bitwise after an interruption, and names what it can't use."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.video.weak import drawn
from tests.video.weak.drawn import begun
from zsad.cli import app
from zsad.cli.video.methods import named
from zsad.errors import DatasetError, InputError, PromptError, UsageError
from zsad.video.learned.card import VideoCard
from zsad.video.learned.lists import class_of, read_list
from zsad.video.learned.scoring import score_features
from zsad.video.sampling import bin_means
from zsad.video.towers import feature_detector
from zsad.video.weak import presets, stepping
from zsad.video.weak.clicks import brought, click_mask
from zsad.video.weak.data import batch_of, split
from zsad.video.weak.folder import load_weak, with_classes
from zsad.video.weak.losses import total
from zsad.video.weak.objective import terms_of
from zsad.video.weak.pseudo import read_pastes
from zsad.video.weak.starting import Options, start
from zsad.video.weak.stepping import gradients
from zsad.video.weak.train import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_every_preset_learns(tmp_path, small_presets, preset):
    epochs = {"urdmu": 6, "vador": 12}.get(preset, 8)
    task, model = begun(tmp_path / "f", preset, epochs)
    rows = []
    train(task, model, tmp_path / "m", on_epoch=rows.append)
    assert rows[-1]["loss"] < rows[0]["loss"] and max(row["held_auc"] for row in rows) >= 0.75
    assert {file.name for file in (tmp_path / "m").iterdir()} == {"model.safetensors", "card.json", "log.jsonl"}
    log = [json.loads(line) for line in (tmp_path / "m" / "log.jsonl").read_text().splitlines()]
    assert log == rows and [row["epoch"] for row in log] == list(range(1, epochs + 1))
    network = load_weak(tmp_path / "m")
    anomalous = np.load(tmp_path / "f" / "v1__0.npy")
    assert len(score_features(network, anomalous).values) > 0
    if preset == "ovvad":
        more = with_classes(network, ("fire", "fall"), drawn.tower())
        assert more.card.anomalous == ("fire", "fall") and score_features(more, anomalous).classes.shape[1] == 2


@pytest.mark.parametrize("preset", ["vadclip-ucf", "urdmu"])
def test_an_interrupted_run_goes_on_bitwise(tmp_path, small_presets, preset):
    def stop(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    task, model = begun(tmp_path / "f", preset, 4)
    train(task, model, tmp_path / "whole")
    task, model = begun(tmp_path / "f", preset, 4)
    with pytest.raises(KeyboardInterrupt):
        train(task, model, tmp_path / "cut", on_epoch=stop)
    task, model = begun(tmp_path / "f", preset, 4)
    train(task, model, tmp_path / "cut", resume=True)
    for name in ("model.safetensors", "card.json", "log.jsonl"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_clicks_add_a_term(tmp_path, small_presets):
    (tmp_path / "clicks.csv").write_text("video,frame\nv1,64\nv3,200\n")
    task, model = begun(tmp_path / "f", "vadclip-ucf", 1, clicks=tmp_path / "clicks.csv", val_split=0.0)
    assert task.clicks == {"v1": [4], "v3": [12]} and not task.held
    rows = []
    train(task, model, tmp_path / "m", on_epoch=rows.append)
    assert rows[0]["clicks"] > 0 and rows[0]["held_auc"] is None


@pytest.mark.parametrize(("rows", "clicked"), [(50, 40), (200, 40), (300, 1), (900, 899)])
def test_a_click_is_where_its_row_is_among_the_segments(rows, clicked):
    seen = np.arange(rows, dtype=np.float32)[:, None]
    (place,) = brought([clicked], rows, 200)
    begin, end = place * rows // 200, max((place + 1) * rows // 200, place * rows // 200 + 1)
    assert begin <= clicked < end and bin_means(seen, 200)[place, 0] == pytest.approx(seen[begin:end].mean())
    assert brought([clicked], rows, rows) == [clicked]  # a video that is only padded keeps its rows


def test_urdmu_is_told_of_a_click_where_the_frame_is(tmp_path, small_presets, monkeypatch):
    told = []
    monkeypatch.setattr("zsad.video.weak.objective.click_mask",
                        lambda scores, at: told.append((len(scores), at)) or np.zeros(len(scores)))  # fmt: skip
    (tmp_path / "clicks.csv").write_text("video,frame\nv1,300\nv3,16\n")
    task, model = begun(tmp_path / "f", "urdmu", 1, clicks=tmp_path / "clicks.csv", val_split=0.0)
    for name, rows in (("v1", 20), ("v3", 45)):  # shorter and longer than the 32 segments
        np.save(tmp_path / "f" / f"{name}__0.npy", np.zeros((rows, drawn.WIDTH), np.float32))
    terms_of(model, batch_of([task.train[0], task.train[2], task.train[1], task.train[3]], task.card), task.clicks)
    assert told == [(32, [30]), (32, [1])]


def test_motion_is_read_beside_and_adds_a_term(tmp_path, small_presets):
    drawn.videos(tmp_path / "f")
    for path in sorted((tmp_path / "f").glob("*__0.npy")):
        np.save(path.with_name(path.name.replace("__0", "__motion")), np.load(path) * 0.5)
    task, model = begun(tmp_path / "f", "vadclip-ucf", 1, motion=True)
    assert task.card.config.motion == drawn.WIDTH
    rows = []
    train(task, model, tmp_path / "m", on_epoch=rows.append)
    assert 0 <= rows[0]["consistency"] <= 0.2
    network = load_weak(tmp_path / "m")
    both = np.concatenate([np.load(tmp_path / "f" / f"v1__{part}.npy") for part in ("0", "motion")], axis=-1)
    assert len(score_features(network, both).values) == len(both)
    with pytest.raises(InputError, match="16 wide, the model reads 32"):
        score_features(network, both[:, :16])
    (tmp_path / "f" / "v3__motion.npy").unlink()
    with pytest.raises(DatasetError, match="no motion features"):
        start(Options("vadclip-ucf", f"csv:{tmp_path / 'f' / 'list.csv'}", tmp_path / "f", classes=("fire",),
                      motion=True), drawn.tower())  # fmt: skip


@pytest.mark.parametrize("preset", ["urdmu", "vador"])
def test_motion_holds_together_what_memories_and_banks_read(tmp_path, small_presets, preset):
    drawn.videos(tmp_path / "f", tokens=2 if preset == "vador" else 0)
    for path in sorted((tmp_path / "f").glob("*__0.npy")):
        np.save(path.with_name(path.name.replace("__0", "__motion")), np.load(path)[..., ::-1] * 0.5)
    task, model = begun(tmp_path / "f", preset, 2, motion=True)
    rows = []
    train(task, model, tmp_path / "m", on_epoch=rows.append)
    assert 0 < rows[-1]["consistency"] < rows[0]["consistency"] <= 0.2
    network = load_weak(tmp_path / "m")
    one, motion = (np.load(tmp_path / "f" / f"v1__{part}.npy") for part in ("0", "motion"))
    seen, unseen = (np.concatenate([one, part], axis=-1) for part in (motion, motion * 0))
    assert not np.allclose(score_features(network, seen).values, score_features(network, unseen).values, atol=1e-6)


def test_gradients_in_parts_are_those_of_the_batch(tmp_path, small_presets, monkeypatch):
    monkeypatch.setattr(stepping, "ROWS", 40)  # parts of one or two videos
    (tmp_path / "clicks.csv").write_text("video,frame\nv1,64\nv3,200\n")
    for preset in ("vadclip-ucf", "vador"):
        clicks = tmp_path / "clicks.csv" if preset == "vadclip-ucf" else None
        task, model = begun(tmp_path / preset, preset, 1, val_split=0.0, clicks=clicks)
        batch = batch_of([*task.train[::2][:3], *task.train[1::2][:3]], task.card)
        found = []
        for arm in (terms_of, gradients):
            model.zero_grad()
            terms = arm(model, batch, task.clicks)
            if arm is terms_of:
                total(terms).backward()
            grads = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            found.append(({name: float(value.detach()) for name, value in terms.items()}, grads))
        (want, wanted), (have, grads) = found
        assert have == pytest.approx(want, rel=1e-4) and grads.keys() == wanted.keys()
        assert ("clicks" in have) == (preset == "vadclip-ucf")
        for name, value in wanted.items():
            assert torch.allclose(grads[name], value, atol=1e-5 * max(1.0, float(value.abs().max()))), name


def test_anomalies_are_pasted_into_normal_videos(tmp_path, small_presets):
    paste = tmp_path / "paste"
    paste.mkdir()
    np.save(paste / "a__0.npy", np.full((5, drawn.WIDTH), 3, np.float32))
    for preset in ("ovvad", "vador"):
        given = {} if preset == "ovvad" else {"paste": tmp_path / "tokens"}
        (tmp_path / "tokens").mkdir(exist_ok=True)
        np.save(tmp_path / "tokens" / "a.npy", np.full((5, 2, drawn.WIDTH), 3, np.float32))
        task, model = begun(tmp_path / preset, preset, 2, **{"paste": paste, "paste_share": 0.5} | given)
        rows = []
        train(task, model, tmp_path / f"m-{preset}", on_epoch=rows.append)
        assert rows[0]["pasted"] > rows[1]["pasted"] > 0
    with pytest.raises(DatasetError, match=r"no \.npy of features, picture or video to paste"):
        begun(tmp_path / "o", "ovvad", 1, paste=tmp_path / "absent")
    np.save(paste / "b.npy", np.zeros((2, 8), np.float32))
    with pytest.raises(InputError, match="8 wide, the model reads 16"):
        begun(tmp_path / "f", "ovvad", 1, paste=paste)


def test_pictures_are_pasted_as_the_backbone_sees_them(tmp_path):
    from PIL import Image

    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    card = VideoCard(replace(presets.PRESETS["ovvad"], width=128), ("fire",), "tiny")
    clip, *none = read_pastes(tmp_path, card, 0.5).clips
    want = feature_detector("tiny").features([Image.open(tmp_path / "red.png")]).cls
    assert not none and np.allclose(clip, want, atol=1e-6)


def test_a_click_grows_to_what_scores_alike():
    scores = np.array([0.1, 0.1, 0.9, 1.0, 0.95, 0.2, 0.1, 0.1])
    mask = click_mask(scores, [3])
    assert (mask[2:5] > 0.4).sum() >= 2 and mask[3] == mask.max() and mask[0] < 0.01
    flat = click_mask(np.ones(10), [2, 7])
    assert (flat > 0.5).all()  # each side of the middle belongs to its own click


def test_the_command_with_the_bundled_backbone(tmp_path):
    listed = drawn.videos(tmp_path / "f", count=2, width=128)
    command = ["video", "train", "vadclip-xd", "--train", f"csv:{listed}", "--features", str(tmp_path / "f"),
               "--out", str(tmp_path / "m"), "--epochs", "1", "--backbone", "tiny", "--classes", "fire"]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "epoch 1: loss" in result.output and load_weak(tmp_path / "m").card.classes == ("normal", "fire")
    network = named(load_weak(tmp_path / "m"), ("flood", "fall"))
    assert network.card.classes == ("normal", "flood", "fall")
    assert score_features(network, np.load(tmp_path / "f" / "v1__0.npy")).classes.shape[1] == 2
    with pytest.raises(PromptError, match="twice"):
        named(load_weak(tmp_path / "m"), ("flood", "Flood"))
    result = CliRunner().invoke(app, [*command, "--paste-share", "0.3"])
    assert result.exit_code == 2 and "needs --paste DIR" in result.output


def test_lists(tmp_path):
    (tmp_path / "v.csv").write_text("path,label\n/data/Abuse001_x264__0.npy,Abuse\n/data/Normal__3.npy,Normal\n")
    (tmp_path / "x.csv").write_text("a__0.npy,B1-B2-0\nb__0.npy,A\nc__0.npy,G-0-0\n")
    (tmp_path / "u.txt").write_text("x/Abuse001.mp4 0 2729 1\nx/Normal2.mp4 0 100 0\n")
    (tmp_path / "t.txt").write_text("x/Abuse001.mp4 2729 1 65 90 -1 -1\n")
    assert [(one.name, one.labels) for one in read_list(f"vadclip:{tmp_path / 'v.csv'}")] == [
        ("Abuse001_x264__0", ("Abuse",)), ("Normal__3", ())]  # fmt: skip
    assert [one.labels for one in read_list(f"{tmp_path / 'x.csv'}")] == [("fighting", "shooting"), (), ("explosion",)]
    assert [(one.name, one.labels) for one in read_list(f"umil:{tmp_path / 'u.txt'}")] == [
        ("Abuse001", ("1",)), ("Normal2", ())]  # fmt: skip
    assert read_list(f"{tmp_path / 't.txt'}")[0].labels == ("1",)
    assert class_of("Road Accidents", presets.UCF, "x") == 8 and class_of("3", presets.UCF, "x") == 3
    with pytest.raises(DatasetError, match=r"'flood' is none of the classes"):
        class_of("flood", presets.UCF, "x")


def test_crops_of_a_video_are_held_out_together(tmp_path):
    rows = [f"v{i}__{crop},{'fire' if i % 2 else 'normal'}" for i in range(8) for crop in range(3)]
    (tmp_path / "l.csv").write_text("\n".join(rows))
    kept, held = split(read_list(str(tmp_path / "l.csv")), 0.25, 0)
    names = [{one.name.rpartition("__")[0] for one in part} for part in (kept, held)]
    assert not names[0] & names[1] and len(names[1]) == 2
    assert {bool(one.labels) for one in held} == {True, False}


def test_what_cannot_be_trained_on(tmp_path, small_presets):
    listed = drawn.videos(tmp_path / "f")
    text = drawn.tower()

    def tried(preset="vadclip-ucf", rows=None, **more):
        if rows is not None:
            listed.write_text("\n".join(rows))
        return start(Options(preset, f"csv:{listed}", tmp_path / "f", backbone="drawn", **more), text)

    with pytest.raises(UsageError, match="there is none"):
        tried("vadclip")
    with pytest.raises(PromptError, match="twice"):
        tried(classes=("fire", "Fire"))
    with pytest.raises(UsageError, match="put normal first"):
        tried(classes=("fire", "normal"))
    with pytest.raises(DatasetError, match="none of the classes"):
        tried(classes=("fall",))
    with pytest.raises(DatasetError, match="every video is normal"):
        tried(rows=["v0,normal", "v2,normal"])
    with pytest.raises(DatasetError, match=r"absent: listed, but .* has no absent__0\.npy"):
        tried(rows=["v0,normal", "absent,fire"], classes=("fire",))
    with pytest.raises(DatasetError, match="lists no video"):
        tried(rows=[])
    np.save(tmp_path / "f" / "w__0.npy", np.zeros((0, drawn.WIDTH), np.float32))
    np.save(tmp_path / "f" / "n__0.npy", np.full((3, drawn.WIDTH), np.nan, np.float32))
    np.save(tmp_path / "f" / "d__0.npy", np.zeros((3, 8), np.float32))
    for name, says in (("w", "no features"), ("n", "row 0 holds"), ("d", "8 wide, the model reads 16, of drawn")):
        with pytest.raises(InputError, match=says):
            tried(rows=["v0,normal", f"{name},fire"], classes=("fire",))
    task, model = tried(rows=["v1,fire", "v3,fire"], classes=("fire",))
    with pytest.raises(DatasetError, match="a normal"):
        train(task, model, tmp_path / "m")
