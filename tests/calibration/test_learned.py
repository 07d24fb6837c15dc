"""Parts that a bundle was learned from: no guarantee rests on them, and each is scored without itself."""

import numpy as np
import pytest

import zsad
from tests.calibration.parts import write_parts
from tests.quick_trial import quick_trial
from zsad.detector.bundle import read_bundle
from zsad.errors import InputError, ModelError
from zsad.fitting import add_to
from zsad.scoring import Memory, MemoryScorer
from zsad.scoring.memory import unit
from zsad.stream import find_images

LOOSE = {"false_reject": 0.2, "confidence": 0.9}  # 11 parts suffice
LOOSER = {"false_reject": 0.4, "confidence": 0.5}  # 2 parts do


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick_trial(monkeypatch)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    root = tmp_path_factory.mktemp("learned")
    good = write_parts(root / "good", 4, size=(48, 48))
    with pytest.MonkeyPatch.context() as patch:
        quick_trial(patch)
        zsad.fit(good, out=root / "bundle", rotations="none", foreground="off")
    write_parts(root / "fresh", 11, seed=5, size=(48, 48))
    return root


def test_other_good_parts_have_a_guarantee(bundle):
    found = zsad.calibrate(bundle / "bundle", bundle / "fresh", **LOOSE)
    assert found.guarantee and found.file.guarantee and found.n == 11


def test_parts_that_were_learned_from_are_refused_before_the_work(bundle):
    steps = []
    with pytest.raises(InputError, match=r"000.png, .*: the memory was learned from these; .*--leave-one-out"):
        zsad.calibrate(bundle / "bundle", [bundle / "fresh", bundle / "good"], step=lambda: steps.append(1), **LOOSE)
    assert steps == []
    arrays = [zsad.load().decode(item.id).image for item in find_images([bundle / "fresh"])[:3]]
    assert zsad.calibrate(bundle / "bundle", arrays, **LOOSER).guarantee


def test_leave_one_out_scores_each_part_without_itself_and_gives_no_guarantee(bundle):
    found = zsad.calibrate(bundle / "bundle", bundle / "good", leave_one_out=True, accept_rate=True)
    assert not found.guarantee and not found.file.guarantee and found.told().startswith("no guarantee: ")
    assert "no guarantee" in found.thresholds.source
    memory = read_bundle(bundle / "bundle").memory
    detector = zsad.load(bundle / "bundle")
    for part in found.furthest:
        number = memory.images.index(part.sha256)
        rows = [owner != number for owner in memory.owners]
        others = Memory(tuple(layer[row] for layer, row in zip(memory.layers, rows, strict=True)), memory.scale)
        alone = detector.with_scorer(MemoryScorer(others, detector.card))
        assert part.score == pytest.approx(alone(part.name).score, abs=1e-6)
        assert part.score > detector(part.name).score  # its own patches are at no distance


def test_a_bundle_knows_whose_patches_are_whose_after_more_are_added(bundle, tmp_path):
    zsad.fit(bundle / "good", out=tmp_path / "b", rotations="none", foreground="off", patches=700)
    add_to(tmp_path / "b", [item.id for item in find_images([bundle / "fresh"])[:2]])
    memory = read_bundle(tmp_path / "b").memory
    assert len(memory.images) == 6 and [len(owner) for owner in memory.owners] == [700] * len(memory.layers)
    assert set(np.concatenate(memory.owners).tolist()) == set(range(6))
    detector = zsad.load(tmp_path / "b")
    places = [item.id for folder in ("good", "fresh") for item in find_images([bundle / folder])][:6]
    for number, place in enumerate(places):  # each patch that was kept is one of its image, rounded to float16
        own = unit(detector.features([place]).patches)[0]
        for layer, owner, patches in zip(memory.layers, memory.owners, own, strict=True):
            assert (layer[owner == number] @ patches.T).max(axis=1) == pytest.approx(1, abs=1e-3)


def test_a_memory_that_cannot_leave_one_out_says_so():
    layer = np.eye(3, dtype=np.float32)
    with pytest.raises(ModelError, match="does not say which patch is of which image"):
        Memory((layer,)).without(0)
    with pytest.raises(ModelError, match="fit it to more"):
        Memory((layer,), images=("a",), owners=(np.zeros(3, np.int32),)).without(0)
