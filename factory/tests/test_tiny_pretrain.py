"""Pretraining: errors, resuming, damaged files, and that it learns at all."""

import errno
import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from factory import checkpoint as ckpt  # noqa: E402
from factory import pool as pool_module  # noqa: E402
from factory import pretrain, scenes  # noqa: E402
from factory.config import RunConfig  # noqa: E402
from factory.grow import grown  # noqa: E402
from factory.model import DualEncoder  # noqa: E402
from factory.pool import ScenePool  # noqa: E402
from factory.scenes import Batches  # noqa: E402
from factory.texts import Words  # noqa: E402
from factory.trainer import Trainer  # noqa: E402
from factory.validate import load_encoder  # noqa: E402
from zsad.config import from_yaml  # noqa: E402
from zsad.errors import ConfigError, ModelError, OutputError  # noqa: E402

ALONE = ["--workers", "0", "--threads", "1"]


def train(config, out, *more):
    return pretrain.main(["--config", str(config), "--out", str(out), *ALONE, *more])


def tensors(out, name=ckpt.LAST):
    return ckpt.load(out / name).tensors


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.equal(value, b[name]), name


@pytest.fixture
def killed_after(monkeypatch):
    """Make the process die in the middle of a step, as a kill does: nothing more is written."""

    class Killed(BaseException):
        pass

    def arrange(step):
        original = Trainer.train_step

        def train_step(self, batch):
            if self.step == step:
                raise Killed
            return original(self, batch)

        monkeypatch.setattr(Trainer, "train_step", train_step)
        return Killed, lambda: monkeypatch.setattr(Trainer, "train_step", original)

    return arrange


def test_shipped_configs_are_valid():
    from pathlib import Path

    paths = list((Path(pretrain.__file__).parent / "configs").glob("*.yaml"))
    assert paths
    for path in paths:
        from_yaml(RunConfig, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: {}", "unknown key 'modle'"),
        ("model: {widht: 3}", "unknown key 'widht'"),
        ("train: {steps: -1}", "at least 1"),
        ("train: {steps: 10, warmup: 8, decay: 8}", "longer than steps"),
        ("model: {image_size: 100}", "not a multiple"),
        ("data: {early_size: 100}", "not a multiple"),
        ("data: {batch: many}", "whole number"),
    ],
)
def test_config_errors(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        from_yaml(RunConfig, path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("optimiser", "step", "saved"),
    [
        ("muon", 7, 6),
        pytest.param("muon", 3, 2, marks=pytest.mark.factory),
        pytest.param("adamw", 3, 2, marks=pytest.mark.factory),
        pytest.param("adamw", 7, 6, marks=pytest.mark.factory),
    ],
)
def test_killed_run_ends_as_the_uninterrupted_one(tmp_path, config_file, killed_after, capsys, step, saved, optimiser):
    config = config_file(optimiser=optimiser, loss={"probe": 1.0})
    assert train(config, tmp_path / "whole") == 0
    killed, revive = killed_after(step)
    with pytest.raises(killed):
        train(config, tmp_path / "parts")
    assert ckpt.load(tmp_path / "parts" / ckpt.LAST).step == saved
    revive()
    assert train(config, tmp_path / "parts", "--resume") == 0
    assert_same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    logs = [(tmp_path / run / pretrain.LOG).read_text() for run in ("whole", "parts")]
    assert logs[0] == logs[1]
    assert [json.loads(line)["step"] for line in logs[0].splitlines()] == list(range(1, 9))


@pytest.mark.factory
@pytest.mark.system
@pytest.mark.skipif(not pretrain.has_compiler(), reason="needs a C++ compiler (apt-get install g++)")
def test_compiled_tower_takes_the_same_steps(tmp_path, config_file, capsys):
    config = config_file(early=0)  # one size of images, one compilation
    assert train(config, tmp_path / "plain") == 0
    assert train(config, tmp_path / "compiled", "--compile") == 0
    lines = [(tmp_path / run / pretrain.LOG).read_text().splitlines() for run in ("plain", "compiled")]
    plain, compiled = ([json.loads(line)["loss"] for line in each] for each in lines)
    assert compiled == pytest.approx(plain, rel=1e-3)


def test_compile_without_a_compiler(tmp_path, config_file, monkeypatch, capsys):
    monkeypatch.setattr(pretrain, "has_compiler", lambda: False)
    assert train(config_file(), tmp_path / "out", "--compile") == 1
    assert "--compile needs a C++ compiler" in capsys.readouterr().err


@pytest.mark.factory
def test_cache_and_worker_change_nothing(tmp_path, config_file, capsys):
    config = config_file()
    assert train(config, tmp_path / "plain") == 0
    for _ in range(2):  # the second time everything is read from the cache
        out = tmp_path / f"cached{_}"
        assert train(config, out, "--cache", str(tmp_path / "cache"), "--workers", "1") == 0
        assert_same(tensors(tmp_path / "plain"), tensors(out))


@pytest.mark.factory
def test_begin_from_trunk_with_another_schedule(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "one") == 0
    trunk = tmp_path / "one" / ckpt.TRUNK
    assert ckpt.load(trunk).step == 5
    assert train(config_file(steps=10), tmp_path / "two", "--from", str(trunk)) == 0
    saved = ckpt.load(tmp_path / "two" / ckpt.LAST)
    assert (saved.step, len(saved.history)) == (10, 2)


def test_begin_at_another_image_size(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "one") == 0
    last = ckpt.load(tmp_path / "one" / ckpt.LAST)
    wider, origin = config_file(model={"image_size": 80}, steps=10), ["--from", str(tmp_path / "one" / ckpt.LAST)]
    assert train(wider, tmp_path / "two", *origin) == 0
    shape = from_yaml(RunConfig, wider).model
    kept, moved = DualEncoder(replace(shape, image_size=64)), DualEncoder(shape)
    kept.load_state_dict(last.group("average"))
    moved.load_state_dict(grown(last, shape).group("average"))
    pixels = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    for a, b in zip(kept.encode_images(pixels), moved.encode_images(pixels), strict=True):
        torch.testing.assert_close(a, b)  # the encoder itself stretches its positions in the same way
    assert train(config_file(model={"image_size": 80, "depth": 1}), tmp_path / "three", *origin) == 1
    assert "depth was" in capsys.readouterr().err


@pytest.mark.factory
def test_begin_with_more_blocks_and_another_path(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "one") == 0
    last = ckpt.load(tmp_path / "one" / ckpt.LAST)
    deeper = config_file(model={"depth": 4, "vv_blocks": 1}, steps=10)
    shape = from_yaml(RunConfig, deeper).model
    before, after = DualEncoder(replace(shape, depth=2)), DualEncoder(shape)
    before.load_state_dict(last.group("average"))
    wanted = grown(last, shape)
    after.load_state_dict(wanted.group("average"))
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(before.encode_images(pixels)[0], after.encode_images(pixels)[0])
    squares = {n for n in wanted.tensors if n.startswith("exp_avg_sq/") and ".resblocks.2.ln_1" in n}
    assert squares  # the second moments are those of the block that was copied
    for name in squares:
        assert torch.equal(wanted.tensors[name], last.tensors[name.replace(".2.", ".0.")])
        assert not wanted.tensors[name.replace("exp_avg_sq", "exp_avg")].any()
    assert train(deeper, tmp_path / "two", "--from", str(tmp_path / "one" / ckpt.LAST)) == 0
    trained = ckpt.load(tmp_path / "two" / ckpt.LAST)
    assert trained.group("weights")["clip.visual.transformer.resblocks.1.mlp.c_proj.weight"].any()


def test_scenes_without_incidents(config):
    words, wanted = Words.of_world(), replace(config.data, pool=20, incidents=False)
    batches = Batches(replace(config, data=wanted), words, tokenize=lambda texts: torch.zeros(len(texts), 1))
    seen = [batches._scene(i, 0.0) for i in range(20)]
    assert not any(scene.incidents for scene in seen)
    assert any(batches.pool[i].incidents for i in range(20))


def test_probes_may_begin_later_and_are_not_shipped(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "one") == 0
    trunk = tmp_path / "one" / ckpt.TRUNK
    assert not any("probe" in name for name in tensors(tmp_path / "one"))
    assert train(config_file(loss={"probe": 1.0}, optimiser="muon"), tmp_path / "two", "--from", str(trunk)) == 0
    names = tensors(tmp_path / "two")
    assert "average/probe.patch.weight" in names and "momentum_buffer/clip.visual.proj" in names
    encoder, _, _ = load_encoder(tmp_path / "two")
    assert not any("probe" in name for name in encoder.state_dict())


def test_resume_with_another_config_is_refused(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "run") == 0
    assert train(config_file(rate=0.5), tmp_path / "run", "--resume") == 1
    assert "rate was 0.001 in the checkpoint, the config says 0.5" in one_line(capsys)


def test_existing_run_is_not_overwritten(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "run") == 0
    assert train(config_file(), tmp_path / "run") == 1
    assert "already holds a run" in one_line(capsys)


def test_resume_of_nothing(tmp_path, config_file, capsys):
    assert train(config_file(), tmp_path / "run", "--resume") == 1
    assert "no such checkpoint" in one_line(capsys)


@pytest.mark.parametrize(
    "damage", ["flip", *(pytest.param(name, marks=pytest.mark.factory) for name in ("cut", "empty"))]
)
def test_corrupt_checkpoint(tmp_path, config_file, damage, capsys):
    assert train(config_file(), tmp_path / "run") == 0
    path = tmp_path / "run" / ckpt.LAST
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": bytes(content), "cut": bytes(content[:1000]), "empty": b""}[damage])
    assert train(config_file(), tmp_path / "run", "--resume") == 1
    message = one_line(capsys)
    assert "damaged" in message and str(path) in message and ckpt.PREVIOUS in message
    path.unlink()  # what the message says
    (tmp_path / "run" / ckpt.PREVIOUS).rename(path)
    assert train(config_file(), tmp_path / "run", "--resume") == 0


class FullDisk:
    """A file that takes some bytes and then has no space left."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= len(data)
        return self.file.write(data)


@pytest.mark.factory
def test_full_disk_keeps_the_last_checkpoint(tmp_path, config_file, monkeypatch, capsys):
    from pathlib import Path

    assert train(config_file(steps=6, decay=0), tmp_path / "run") == 0
    before = (tmp_path / "run" / ckpt.LAST).read_bytes()
    saved = ckpt.load(tmp_path / "run" / ckpt.LAST)
    original = Path.open

    def opened(self, mode="r", *args, **kwargs):
        file = original(self, mode, *args, **kwargs)
        return FullDisk(file, 1000) if self.suffix == ".part" else file

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OutputError, match="No space left on device"):
        ckpt.save(tmp_path / "run" / ckpt.LAST, saved)
    assert (tmp_path / "run" / ckpt.LAST).read_bytes() == before
    assert not list((tmp_path / "run").glob("*.part"))
    assert train(config_file(), tmp_path / "other") == 1
    assert "free space" in one_line(capsys)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_full_disk_under_the_cache(tmp_path, config_file, monkeypatch, workers, capsys):
    def pwrite(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pool_module.os, "pwrite", pwrite)
    status = train(config_file(), tmp_path / "run", "--cache", str(tmp_path / "cache"), "--workers", workers)
    assert status == 1
    assert "run without --cache" in one_line(capsys)


def test_half_written_cache_records_are_drawn_again(tmp_path):
    pool = ScenePool(64, 0, "train", tmp_path)
    first = [pool[i] for i in range(3)]
    content = bytearray(pool.path.read_bytes())
    size = len(content) // 3
    content[size + 5000] ^= 1  # a bit of the second record
    pool.path.write_bytes(bytes(content[:-10]))  # and the end of the third
    again = ScenePool(64, 0, "train", tmp_path)
    for i, scene in enumerate(first):
        np.testing.assert_array_equal(again[i].image, scene.image)
        np.testing.assert_array_equal(again[i].mask, scene.mask)
        assert again[i].caption == scene.caption and again[i].defects == scene.defects


def test_a_scene_that_cannot_be_drawn_is_replaced_and_named(monkeypatch, capsys):
    original = pool_module.scene_at

    def scene_at(index, *args, **kwargs):
        if index < 100:
            raise ValueError("x1 must be greater")
        return original(index, *args, **kwargs)

    monkeypatch.setattr(pool_module, "scene_at", scene_at)
    scene = ScenePool(64, 0)[7]
    np.testing.assert_array_equal(scene.image, original(7 + pool_module._FAR, 64).image)
    assert "scene 7 can't be drawn" in capsys.readouterr().err


@pytest.mark.factory
def test_loss_falls_and_average_follows(tmp_path, config_file, capsys):
    few = {"pool": 4, "crop_chance": 0.0, "light": 0.0}
    config = config_file(data=few, steps=60, early=0, decay=10, save_every=60)
    assert train(config, tmp_path / "run", "--cache", str(tmp_path / "cache")) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / pretrain.LOG).read_text().splitlines()]
    assert np.mean([x["loss"] for x in lines[-10:]]) < 0.9 * np.mean([x["loss"] for x in lines[:5]])
    saved = ckpt.load(tmp_path / "run" / ckpt.LAST)
    weights, average = saved.group("weights"), saved.group("average")
    assert weights.keys() == average.keys()
    assert not torch.equal(weights["clip.visual.proj"], average["clip.visual.proj"])
    torch.testing.assert_close(weights["clip.visual.proj"], average["clip.visual.proj"], atol=0.05, rtol=0)


def test_early_steps_see_small_images(config):
    from factory.model import DualEncoder

    encoder = DualEncoder(config.model)
    batches = scenes.Batches(config, Words.of_world(), encoder.text.tokenize)
    assert batches[0].pixels.shape == (4, 3, 32, 32) and batches[0].mask.shape == (4, 32, 32)
    assert batches[3].pixels.shape == (4, 3, 64, 64)
    cls, patches = encoder.encode_images(batches[0].pixels)
    assert cls.shape == (4, 16) and patches.shape == (4, 4, 16)


def ids(texts):
    return torch.tensor([[hash(text)] for text in texts])


def test_couples_are_faulty_scenes_and_their_good_twins(config):
    plain = replace(config.data, twins=0.5, batch=8, early_paste=0.0, paste=0.0, light=0.0)
    batches = scenes.Batches(replace(config, data=plain), Words.of_world(), ids)
    for step in (0, 5):
        batch = batches[step]
        assert batch.pixels.shape[0] == 8
        faulty, twins = batch.pixels[:2].float(), batch.pixels[6:].float()
        assert batch.label[:2].tolist() == [1, 1] and batch.label[6:].tolist() == [0, 0]
        assert batch.mask[:2].any() and not batch.mask[6:].any()
        sound = torch.nn.functional.max_pool2d(batch.mask[:2].float()[:, None], 9, 1, 4)[:, 0] == 0  # (2, S, S)
        change = (faulty - twins).abs().mean(1)
        other = (faulty - twins.flip(0)).abs().mean(1)
        assert change[sound].mean() < 12 < other[sound].mean()  # the same crop, turn and flip
    alone = scenes.Batches(replace(config, data=replace(plain, twins=0.0)), Words.of_world(), ids)
    assert torch.equal(alone[0].pixels[2:6], batches[0].pixels[2:6])


def test_cached_couples_are_those_that_are_drawn(tmp_path):
    drawn, cached = ScenePool(64, 0), ScenePool(64, 0, "train", tmp_path)
    cached[1]  # its twin is not cached yet
    for again in (cached, cached, ScenePool(64, 0, "train", tmp_path)):
        for index in range(3):
            for one, other in zip(drawn.couple(index), again.couple(index), strict=True):
                np.testing.assert_array_equal(one.image, other.image)
                np.testing.assert_array_equal(one.mask, other.mask)
                assert (one.caption, one.defects, one.label) == (other.caption, other.defects, other.label)
            np.testing.assert_array_equal(again.twins[index].image, drawn.couple(index)[1].image)
            np.testing.assert_array_equal(again[index].image, drawn[index].image)
    assert {path.suffix for path in tmp_path.iterdir()} == {".scenes", ".twins"}


def test_every_epoch_passes_once_through_the_pool():
    seen = [i for step in range(6) for i in scenes.indices(step, 4, 24, seed=3)]
    assert sorted(seen) == list(range(24))
    later = [i for step in range(6, 12) for i in scenes.indices(step, 4, 24, seed=3)]
    assert sorted(later) == list(range(24)) and later != seen


def test_a_pool_behind_another_holds_none_of_its_scenes(config):
    behind = replace(config, data=replace(config.data, first=100, twins=0.5))
    batches, read = scenes.Batches(behind, Words.of_world(), ids), []

    class Noting(ScenePool):
        def _read(self, index):
            read.append(index)
            return super()._read(index)

    batches.pool = Noting(64, 0)
    for step in range(6):
        batches[step]
    assert 100 <= min(read) <= max(read) < 124


def test_crop_never_loses_the_defect(config):
    config = replace(config, data=replace(config.data, crop_chance=1.0, crop_least=0.3))
    pool = ScenePool(64, 0)
    for i in range(40):
        scene = pool[i]
        varied = scenes.augment(scene, np.random.default_rng(i), config, 64)
        assert varied.image.shape == (64, 64, 3) and varied.image.dtype == np.uint8
        assert varied.mask.shape == (64, 64)
        assert bool(varied.mask.any()) == bool(scene.mask.any())


def test_unreadable_checkpoint_is_named(tmp_path):
    with pytest.raises(ModelError, match="no such checkpoint"):
        ckpt.load(tmp_path / "absent.ckpt")


def one_line(capsys):
    err = capsys.readouterr().err.strip()
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and err.endswith(errors[0]), err
    return errors[0]
