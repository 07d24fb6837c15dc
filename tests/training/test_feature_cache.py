from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from zsad.data.examples import FileExample
from zsad.errors import OutputError, UsageError
from zsad.training import features, train
from zsad.training.config import make_config
from zsad.training.features import Entry, FeatureStore, entry_bytes, feature_space
from zsad.training.processes import Processes
from zsad.training.sources import parse_requests, read_sources
from zsad.training.supply import Supply

from .drawn_parts import MICRO, write_tree


def entry(seed: int = 0, size: int = 56) -> Entry:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(size, size, generator=generator) > 0.5
    return Entry.of(torch.randn(32, generator=generator), torch.randn(2, 16, 32, generator=generator), mask)


def supply(tree: Path, tower, folder: Path | None, limit: float = 1.0) -> Supply:
    examples = read_sources(parse_requests([f"mvtec:{tree}"]), make_config("anomalyclip"), 56).examples
    return Supply([examples], tower, FeatureStore(folder, limit) if folder else None)


def test_entry_comes_back_within_half_precision(tmp_path):
    store, written = FeatureStore(tmp_path, 1), entry()
    store.write("ab" * 20, written)
    back = store.read("ab" * 20)
    assert back is not None and back.patches.dtype == torch.float16
    assert torch.equal(back.cls, written.cls)
    assert torch.equal(back.unpacked_mask(56), written.unpacked_mask(56))
    error = (back.patches.float() - written.patches).abs()
    assert (error <= written.patches.abs() * 2.0**-11 + 2.0**-25).all()
    assert torch.allclose(written.patches.norm(dim=-1), torch.ones(2, 16))


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage", "other"])
def test_damaged_entry_is_absent_and_written_again(tmp_path, damage):
    store, key = FeatureStore(tmp_path, 1), "ab" * 20
    store.write(key, entry())
    path = store.path(key)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "garbage":
        path.write_bytes(b"\xff" * 5000)
    else:  # an entry of another key under this name, as after a careless copy
        store.write("cd" * 20, entry(1))
        path.write_bytes(store.path("cd" * 20).read_bytes())
    assert store.read(key) is None
    store.write(key, entry())
    assert store.read(key) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 70},
        {"layers": (3, 4)},
        {"vv_blocks": 1},
        {"pos_interp": "bicubic"},
        {"class_norm": True},
        {"mean": (0.0, 0.0, 0.0)},
        {"details": {"backbone_fingerprint": "another"}},
    ],
)
def test_key_depends_on_how_features_are_read(tower, change):
    card = tower.card()
    assert feature_space(card.changed(**change), "float32") != feature_space(card, "float32")


def test_key_depends_on_arithmetic_and_code_but_not_on_judgement(tower, monkeypatch):
    card = tower.card()
    space = feature_space(card, "float32")
    assert feature_space(card, "bfloat16") != space
    assert feature_space(card.changed(sigma=1.0, score_rule="map_top1", prompt="x"), "float32") == space
    monkeypatch.setattr(features, "_code_version", lambda: "newer")
    assert feature_space(card, "float32") != space


def test_identity_follows_content_not_path(tree):
    first, second = (tree / "part/test/good" / name for name in ("000.png", "001.png"))
    example = read_sources(parse_requests([f"mvtec:{tree}"]), make_config("anomalyclip"), 56).examples[0]
    assert isinstance(example, FileExample)
    before = example.identity()
    moved = tree / "moved.png"
    moved.write_bytes(first.read_bytes())
    assert replace(example, sample=replace(example.sample, image=moved)).identity() == before
    time.sleep(0.01)
    first.write_bytes(second.read_bytes())
    assert example.identity() != before


def test_filled_once_then_shared(tree, tower, tmp_path):
    first = supply(tree, tower, tmp_path / "cache")
    assert first.reserve() == 0
    first.fill(Processes())
    assert first.computed == 12
    second = supply(tree, tower, tmp_path / "cache")
    assert second.reserve() == 12
    second.fill(Processes())
    assert second.computed == 0
    a, b = first.batch(0, [3, 1]), second.batch(0, [3, 1])
    assert torch.equal(a.patches, b.patches) and torch.equal(a.targets.mask, b.targets.mask)


def test_lost_entries_are_computed_again_in_the_middle(tree, tower, tmp_path):
    cached = supply(tree, tower, tmp_path / "cache")
    cached.fill(Processes())
    before = cached.batch(0, [0, 1, 2])
    cached.store.path(cached.keys[0][1]).unlink()
    after = cached.batch(0, [0, 1, 2])
    assert cached.computed == 13 and after.index == [0, 1, 2]
    assert torch.allclose(before.patches, after.patches, atol=1e-3)


def test_cached_features_equal_those_of_the_tower(tree, tower, tmp_path):
    cached, direct = supply(tree, tower, tmp_path / "cache"), supply(tree, tower, None)
    cached.fill(Processes())
    a, b = cached.batch(0, list(range(12))), direct.batch(0, list(range(12)))
    assert torch.allclose(a.cls, b.cls, atol=1e-6)
    assert ((a.patches - b.patches).abs() <= b.patches.abs() * 2.0**-11 + 1e-6).all()


def test_training_on_the_cache_equals_training_without(tree, tmp_path):
    """Half rounding moves a unit component by at most 2^-11 of itself; losses and vectors move as little."""
    runs = [
        train(
            f"mvtec:{tree}", MICRO, tmp_path / name, recipe="anomalyclip", image_size=56, epochs=2,
            cache=tmp_path / "cache", cache_gb=limit,
        )
        for name, limit in (("cached", 1.0), ("direct", 0.0))
    ]  # fmt: skip
    assert [run.computed for run in runs] == [12, 24]
    assert np.allclose(runs[0].losses, runs[1].losses, rtol=2e-3)
    from zsad.prompt.store import load_prompt

    a, b = (load_prompt(run.prompt).vectors for run in runs)
    assert (a.image * b.image).sum(-1).min() > 0.9999


def test_too_small_a_limit_is_refused_before_any_work(tree, tower, tmp_path):
    small = supply(tree, tower, tmp_path / "cache", limit=1e-5)
    with pytest.raises(UsageError, match=r"12 images and views take .* --cache-gb allows 1e-05; give --cache-gb"):
        small.reserve()


def test_old_entries_of_other_runs_make_room(tree, tower, tmp_path):
    import os

    folder = tmp_path / "cache"
    need = 12 * entry_bytes(tower.card())
    old = FeatureStore(folder, 1)
    for number in range(12):
        old.write(f"{number:02}" * 20, entry(number))
        os.utime(old.path(f"{number:02}" * 20), (time.time() - 7200,) * 2)
    tight = supply(tree, tower, folder, limit=(need + 5000) / 1e9)
    tight.reserve()
    tight.fill(Processes())
    total = sum(file.stat().st_size for file in folder.glob("??/*"))
    assert total <= need + 5000 and len(list(folder.glob("??/*"))) >= 12


def test_entries_in_use_by_another_run_are_not_removed(tree, tower, tmp_path):
    folder = tmp_path / "cache"
    need = 12 * entry_bytes(tower.card())
    other = FeatureStore(folder, 1)
    for number in range(12):
        other.write(f"{number:02}" * 20, entry(number))
    with pytest.raises(UsageError, match="other runs hold"):
        supply(tree, tower, folder, limit=need / 1e9).reserve()
    assert len(list(folder.glob("??/*"))) == 12


def test_remains_of_a_kill_are_not_read(tree, tower, tmp_path):
    killed = supply(tree, tower, tmp_path / "cache")
    path = killed.store.path(killed.keys[0][0])
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.stem}.1-aa.part").write_bytes(b"half of it")
    assert killed.reserve() == 0
    killed.fill(Processes())
    assert killed.computed == 12 and not killed.problems


def test_two_processes_fill_one_folder(tree, tower, tmp_path):
    """Another process and this one; they begin together."""
    cache = tmp_path / "cache"
    code = (
        "import sys; from pathlib import Path; from zsad.backbone import load_backbone;"
        "from zsad.training.config import make_config; from zsad.training.features import FeatureStore;"
        "from zsad.training.processes import Processes; from zsad.training.sources import parse_requests, read_sources;"
        "from zsad.training.supply import Supply;"
        f"examples = read_sources(parse_requests(['mvtec:{tree}']), make_config('anomalyclip'), 56).examples;"
        f"s = Supply([examples], load_backbone({MICRO!r}), FeatureStore(Path({str(cache)!r}), 1));"
        "s.reserve(); print('ready', flush=True); s.fill(Processes());"
        "b = s.batch(0, list(range(12))); print(float(b.patches.double().sum()))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        ours = supply(tree, tower, cache)
        ours.reserve()
        ours.fill(Processes())
        answer = other.communicate(timeout=300)[0]
    assert other.returncode == 0
    assert float(answer) == float(ours.batch(0, list(range(12))).patches.double().sum())
    files = list(cache.glob("??/*"))
    assert len(files) == 12 and all(file.suffix == ".safetensors" for file in files)


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --cache"):
        FeatureStore(tmp_path / "file" / "cache", 1)


def test_write_tree_makes_what_the_tests_expect(tmp_path):
    assert len(list(write_tree(tmp_path / "x", 1, 2).rglob("*.png"))) == 1 + 2 + 2
