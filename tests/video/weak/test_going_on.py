"""A training is never lost: what is there is not written over, and only the same run goes on."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.video.weak import drawn
from tests.video.weak.drawn import begun
from zsad.cli import app
from zsad.errors import ModelError, OccupiedError, UsageError
from zsad.video.weak import train as module
from zsad.video.weak.folder import load_weak
from zsad.video.weak.train import train

pytestmark = pytest.mark.usefixtures("one_thread")
FILES = {"model.safetensors", "card.json", "log.jsonl"}


def interrupted(folder, out, epochs=2, **more):
    def stop(row):
        raise KeyboardInterrupt

    task, model = begun(folder, "urdmu", epochs, **more)
    with pytest.raises(KeyboardInterrupt):
        train(task, model, out, on_epoch=stop)


def test_what_was_interrupted_is_not_begun_anew(tmp_path, small_presets):
    interrupted(tmp_path / "f", tmp_path / "m")
    before = (tmp_path / "m" / "training.safetensors").read_bytes()
    task, model = begun(tmp_path / "f", "urdmu", 2)
    with pytest.raises(UsageError, match="interrupted training; add --resume to go on with it, or choose another"):
        train(task, model, tmp_path / "m")
    assert (tmp_path / "m" / "training.safetensors").read_bytes() == before
    train(task, model, tmp_path / "m", resume=True)
    assert {path.name for path in (tmp_path / "m").iterdir()} == FILES


def test_a_finished_run_is_not_learned_again(tmp_path, small_presets):
    task, model = begun(tmp_path / "f", "urdmu", 1)
    with pytest.raises(UsageError, match="no training to go on with; leave --resume out"):
        train(task, model, tmp_path / "m", resume=True)
    train(task, model, tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    task, model = begun(tmp_path / "f", "urdmu", 1)
    train(task, model, tmp_path / "m", resume=True, on_epoch=lambda row: pytest.fail("learned again"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    task, model = begun(tmp_path / "f", "urdmu", 1, seed=1)
    with pytest.raises(UsageError, match="a model of another run; leave --resume out"):
        train(task, model, tmp_path / "m", resume=True)


@pytest.mark.parametrize("other", ["labels", "features", "held", "clicks", "pastes"])
def test_another_run_does_not_go_on(tmp_path, small_presets, other):
    (tmp_path / "p").mkdir()
    np.save(tmp_path / "p" / "a.npy", np.ones((3, drawn.WIDTH), np.float32))
    (tmp_path / "c.csv").write_text("v1,64\n")
    given = {"paste": tmp_path / "p", "clicks": tmp_path / "c.csv"}
    interrupted(tmp_path / "f", tmp_path / "m", **given)
    if other == "pastes":
        np.save(tmp_path / "p" / "a.npy", np.zeros((3, drawn.WIDTH), np.float32))
    if other == "clicks":
        (tmp_path / "c.csv").write_text("v1,80\n")
    task, model = begun(tmp_path / "f", "urdmu", 2, **given)
    listed = tmp_path / "f" / "list.csv"
    options = drawn.Options("urdmu", f"csv:{listed}", tmp_path / "f", backbone="drawn", epochs=2, batch=4, lr=3e-3,
                            val_split=0.25, classes=("fire",), **given)  # fmt: skip
    if other == "labels":
        listed.write_text(listed.read_text().replace("v4,normal", "v4,fire"))
    if other == "features":
        path = task.train[0].path
        np.save(path, np.load(path) + 1)
    if other == "held":
        (tmp_path / "v.csv").write_text("v0,normal\nv1,fire\n")
        options = drawn.Options(**{**vars(options), "val": str(tmp_path / "v.csv")})
    task, model = drawn.start(options)
    with pytest.raises(ModelError, match="of another run; give the same options"):
        train(task, model, tmp_path / "m", resume=True)


def test_other_phrases_are_another_run(tmp_path, small_presets):
    told = []
    for word in ("walks", "runs"):
        (tmp_path / "p.yaml").write_text(f"normal: [somebody {word}]\nabnormal: [a fire]\n")
        task, _ = begun(tmp_path / "f", "ovvad", 1, phrases=tmp_path / "p.yaml")
        told.append(module.told_of(task))
    assert told[0]["phrases"] == ["somebody walks", "a fire"]
    assert {key for key in told[0] if told[0][key] != told[1][key]} == {"phrases"}


def test_the_best_model_is_kept_when_a_loss_is_not_finite(tmp_path, small_presets, monkeypatch):
    def failing(model, batch, clicks):
        seen.append(batch)
        return {"loss": torch.tensor(float("nan"))} if len(seen) > 3 else real(model, batch, clicks)

    real, seen = module.gradients, []
    monkeypatch.setattr(module, "gradients", failing)
    task, model = begun(tmp_path / "f", "urdmu", 5, batch=2)
    says = "the loss of epoch 2 is not finite; .* has the best model of the epochs before; train with a smaller step"
    rows = []
    with pytest.raises(ModelError, match=says):
        train(task, model, tmp_path / "m", on_epoch=rows.append)
    assert len(rows) == 1 and {path.name for path in (tmp_path / "m").iterdir()} == FILES
    assert load_weak(tmp_path / "m").card.made_by["stopped"] == "the loss of epoch 2 is not finite"
    assert [json.loads(line) for line in (tmp_path / "m" / "log.jsonl").read_text().splitlines()] == rows
    with pytest.raises(ModelError, match=says):
        train(task, model, tmp_path / "m", resume=True)
    with pytest.raises(ModelError, match="the loss of epoch 1 is not finite; train with a smaller step"):
        train(task, model, tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_weights_that_are_not_finite_are_not_kept(tmp_path, small_presets, monkeypatch):
    def overflowing(model, batch, clicks):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, float("nan"))
        return {"loss": torch.tensor(1.0)}

    monkeypatch.setattr(module, "gradients", overflowing)
    task, model = begun(tmp_path / "f", "urdmu", 2)
    with pytest.raises(ModelError, match="weights are not finite after epoch 1; train with a smaller step"):
        train(task, model, tmp_path / "m")


@pytest.mark.parametrize("name", ["training.safetensors", "model.safetensors", "card.json", "log.jsonl"])
def test_what_zsad_did_not_write_is_told_before_anything_is_learned(tmp_path, small_presets, name):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / name).write_text("mine")
    task, model = begun(tmp_path / "f", "urdmu", 1)
    with pytest.raises(OccupiedError, match="was not written by zsad and is not replaced; choose another --out"):
        train(task, model, tmp_path / "m", on_epoch=lambda row: pytest.fail("learned"))
    assert (tmp_path / "m" / name).read_text() == "mine"


def test_what_is_kept_is_on_the_disk_before_the_checkpoint_goes(tmp_path, small_presets, monkeypatch):
    real, synced = os.fsync, []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(number) or real(number))
    task, model = begun(tmp_path / "f", "urdmu", 1)
    train(task, model, tmp_path / "m")
    assert len(synced) == 4  # the checkpoint, the weights, the card, the log


def test_the_command_says_that_nothing_is_left_to_do(tmp_path, small_presets):
    listed = drawn.videos(tmp_path / "f", count=2)
    command = ["video", "train", "urdmu", "--train", f"csv:{listed}", "--features", str(tmp_path / "f"),
               "--out", str(tmp_path / "m"), "--epochs", "1"]  # fmt: skip
    first, again = (CliRunner().invoke(app, [*command, *more]) for more in ((), ("--resume",)))
    assert (first.exit_code, again.exit_code) == (0, 0), again.output
    assert "epoch 1" in first.output and "done before" not in first.output
    assert "all epochs were done before" in again.output and "epoch 1" not in again.output
