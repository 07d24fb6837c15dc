"""Views that are changed on their batch, all the way through a run."""

from __future__ import annotations

import json

import pytest
import safetensors
import torch
from safetensors.torch import save_file

from zsad.data.examples import FileExample
from zsad.errors import UsageError
from zsad.training import make_config, train
from zsad.training import supply as supply_module
from zsad.training.features import FeatureStore
from zsad.training.processes import Processes
from zsad.training.sources import all_views, parse_requests, read_sources
from zsad.training.supply import Supply

from .drawn_parts import MICRO


def run(data, tmp_path, name="out", **changes):
    settings = {"recipe": "anomalyclip", "image_size": 56, "epochs": 2, "cache": tmp_path / "cache", "cache_gb": 1.0}
    return train(data, MICRO, tmp_path / name, **(settings | changes))


CHANGED = {"views": 2, "mosaics": 0.3, "augment": {"by": "batch", "affine": 1.0, "blur": 0.5, "noise": 0.5}}


@pytest.mark.parametrize("workers", [0, 2])
def test_views_by_batch_are_the_same_for_any_batch_and_workers(tree, tower, tmp_path, workers, monkeypatch):
    config = make_config("default", changes=CHANGED)
    examples = all_views(read_sources(parse_requests([f"mvtec:{tree}"]), config, 56).examples, config)
    seen = []
    for size in (4, 5):
        monkeypatch.setattr(supply_module, "TOWER_BATCH", {"cpu": size})
        supply = Supply(examples, tower, None, workers=workers)
        seen.append(supply.batch(1, list(range(12)) if size == 4 else list(range(12))[::-1]))
    a, b = seen
    order = [b.index.index(i) for i in a.index]
    assert torch.equal(a.targets.mask, b.targets.mask[order])
    assert torch.allclose(a.patches, b.patches[:, order], atol=1e-5)  # the tower's own rounding
    plain = Supply(examples, tower, None).batch(0, list(range(12)))
    assert (a.patches - plain.patches).abs().amax((0, 2, 3)).min() > 1e-3  # every image was changed


def test_an_image_is_decoded_once_for_all_of_its_views(tree, tower, tmp_path, monkeypatch):
    config = make_config("default", changes=CHANGED | {"views": 3, "mosaics": 0.0})
    sources = read_sources(parse_requests([f"mvtec:{tree}"]), config, 56).examples
    views, loads = all_views(sources, config), []
    load = FileExample.load
    monkeypatch.setattr(FileExample, "load", lambda self: loads.append(self.name) or load(self))
    together = Supply(views, tower, FeatureStore(tmp_path / "together", 1.0))
    together.fill(Processes())
    assert sorted(loads) == sorted(e.name for e in sources) and together.computed == 36
    for view in range(3):  # the same as each view by itself
        alone = Supply(views, tower, None).batch(view, list(range(12)))
        stored = together.batch(view, list(range(12)))
        assert torch.equal(alone.targets.mask, stored.targets.mask)
        assert torch.allclose(alone.patches, stored.patches, atol=1e-3)
    lost = together.keys[0][4], together.keys[2][7]
    for key in lost:  # an unchanged and a changed example in one batch
        together.store.path(key).unlink()
    together.fill(Processes())
    assert together.computed == 38 and not together.problems


def test_a_bad_image_is_a_problem_of_all_of_its_views(tree, tower, tmp_path):
    (tree / "part/test/good/002.png").write_bytes(b"no image")
    config = make_config("default", changes=CHANGED | {"mosaics": 0.0})
    views = all_views(read_sources(parse_requests([f"mvtec:{tree}"]), config, 56).examples, config)
    supply = Supply(views, tower, FeatureStore(tmp_path / "cache", 1.0))
    supply.fill(Processes())
    (bad,) = (i for i, e in enumerate(views[0]) if e.name.endswith("good/002.png"))
    assert set(supply.problems) == {(0, bad), (1, bad)} and supply.computed == 22
    assert supply.batch(1, [bad]) is None and supply.batch(1, [bad, 0]).index == [0]


def test_views_by_batch_are_cached_under_their_settings(tree, tmp_path):
    def computed(name: str, **changes) -> int:
        return run(f"mvtec:{tree}", tmp_path, name, epochs=2, recipe="default", **(CHANGED | changes)).computed

    assert computed("first") == 24 and computed("same") == 0
    assert computed("stronger", augment=CHANGED["augment"] | {"degrees": 20.0}) == 12
    assert computed("by image", augment=CHANGED["augment"] | {"by": "image"}) == 12


def test_run_of_a_version_without_a_setting_is_resumed(tree, tmp_path, monkeypatch):
    run(f"mvtec:{tree}", tmp_path, "old", epochs=1)
    path = tmp_path / "old/checkpoint.state"
    with safetensors.safe_open(path, "pt") as file:
        tensors, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata()  # noqa: SIM118
    progress = json.loads(metadata["progress"])
    del progress["settings"]["augment"]["by"]
    save_file(tensors, path, {"progress": json.dumps(progress)})
    whole = run(f"mvtec:{tree}", tmp_path, "whole", epochs=2)
    assert run(f"mvtec:{tree}", tmp_path, "old", epochs=2, resume=True).losses == whole.losses
    with pytest.raises(UsageError, match="augment was"):
        run(f"mvtec:{tree}", tmp_path, "old", epochs=3, resume=True, augment={"by": "batch"})
