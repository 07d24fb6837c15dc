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


def test_an_exported_file_still_knows_its_good_images(bundle, tmp_path):
    onnx = pytest.importorskip("onnx")
    from zsad.onnx_export.bake import bake

    detector = zsad.load(bundle / "bundle")
    file = bake(read_bundle(bundle / "bundle"), detector, detector.source, tmp_path / "b.onnx").path
    assert zsad.load(file).learned == detector.learned and len(detector.learned) == 8  # files and pixels
    with pytest.raises(InputError, match=r"the memory was learned from these; .* an exported file can't leave one"):
        zsad.calibrate(file, bundle / "good", **LOOSER)
    arrays = [zsad.load().decode(item.id).image for item in find_images([bundle / "good"])]
    for leave in (False, True):
        with pytest.raises(InputError, match="the memory was learned from these"):
            zsad.calibrate(file, arrays, leave_one_out=leave, **LOOSER)
    found = zsad.calibrate(file, bundle / "fresh", **LOOSE)
    assert found.guarantee and found.file.guarantee
    model = onnx.load(file)
    kept = [entry for entry in model.metadata_props if entry.key != "zsad_good_images"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, file)  # as older ones are
    found = zsad.calibrate(file, bundle / "good", **LOOSER)
    assert not found.guarantee and not found.file.guarantee and "no guarantee" in found.file.thresholds.source
    assert any("does not say which good images it was fitted to" in note for note in found.notes)
    model.metadata_props.add(key="zsad_good_images", value='["one"]')
    onnx.save(model, file)
    with pytest.raises(ModelError, match=r"b.onnx: its list of good images is damaged"):
        zsad.load(file)


def test_arrays_and_their_files_are_the_same_parts(bundle):
    files = [item.id for item in find_images([bundle / "good"])][:2]
    arrays = [np.asarray(zsad.load().decode(file).image) for file in files]
    made = zsad.fit(arrays, rotations="none", foreground="off").detector
    for detector, good in ((made, files), (zsad.load(bundle / "bundle"), arrays)):
        with pytest.raises(InputError, match="the memory was learned from these"):
            zsad.calibrate(detector, good, **LOOSER)
    alone = zsad.calibrate(made, files, leave_one_out=True, **LOOSER)
    assert not alone.guarantee and alone.furthest[0].score > made(alone.furthest[0].name).score


def test_a_memory_without_its_images_gives_no_guarantee(bundle):
    detector = zsad.load(bundle / "bundle")
    bare = Memory(detector.scorer.memory.layers, detector.scorer.memory.scale)
    assert (
        zsad.load().learned == frozenset() and detector.with_scorer(MemoryScorer(bare, detector.card)).learned is None
    )


def test_a_memory_that_cannot_leave_one_out_says_so():
    layer = np.eye(3, dtype=np.float32)
    with pytest.raises(ModelError, match="does not say which patch is of which image"):
        Memory((layer,)).without(0)
    with pytest.raises(ModelError, match="fit it to more"):
        Memory((layer,), images=("a",), owners=(np.zeros(3, np.int32),)).without(0)
