"""``zsad.fit``: bundles that go where a model goes, options settled on good images alone, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zsad
from tests.fitting.pictures import folder, part
from zsad.detector.bundle import is_bundle, read_bundle
from zsad.errors import InputError, ModelError, UsageError
from zsad.fitting import add_to, fit, outliers
from zsad.fitting.outliers import Samples, unlike
from zsad.fitting.reading import Collector
from zsad.fitting.settle import best_of
from zsad.scoring.foreground import Foreground

QUICK = {"rotations": "none", "foreground": "off"}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return folder(tmp_path_factory.mktemp("parts") / "good", 5)


@pytest.fixture(scope="module")
def fitted(good, tmp_path_factory):
    return fit(good, out=tmp_path_factory.mktemp("out") / "bundle", shots=3, **QUICK)


def test_a_bundle_goes_where_a_model_goes(fitted, tmp_path):
    detector = zsad.load(fitted.bundle.place)
    assert (detector.card.scoring.head, detector.card.scoring.score_rule) == ("memory", "map_top1")
    assert detector.card == fitted.detector.card
    for seed in (50, 51):
        sound, spoilt = detector(part(seed)), detector(part(seed, spot=True))
        assert spoilt.score > sound.score
        y, x = np.unravel_index(spoilt.map.argmax(), spoilt.map.shape)
        assert abs(y - 52) < 12 and abs(x - 40) < 14
        assert abs(spoilt.score - fitted.detector(part(seed, spot=True)).score) < 1e-6
    card = json.loads((fitted.bundle.place / "card.json").read_text(encoding="utf-8"))
    assert [len(one["sha256"]) for one in card["images"]] == [64] * 3 and card["shots"] == "3"
    assert card["base"]["name"] == "tiny" and len(card["base"]["fingerprint"]) == 64
    assert fitted.bundle.place.joinpath("memory.safetensors").stat().st_size < 1_000_000


def test_the_score_of_a_good_image_among_the_others_is_about_a_half(good):
    whole = fit(good, **QUICK)
    far = [one.distance for one in whole.bundle.card.images]
    assert max(far) == pytest.approx(whole.bundle.card.scale)
    rest = fit(sorted(good.iterdir())[1:], **QUICK)
    assert 0.2 < rest.detector(sorted(good.iterdir())[0]).score < 0.65


def test_shots_are_drawn_by_seed_and_the_same_again(good):
    names = [[one.name for one in fit(good, shots=2, seed=s, **QUICK).bundle.card.images] for s in (0, 0, 1)]
    assert names[0] == names[1] and len({tuple(n) for n in names}) > 1
    one, two = (fit(good, seed=4, patches=300, **QUICK).bundle for _ in range(2))
    assert (one.memory.layers[0] == two.memory.layers[0]).all() and one.card == two.card
    assert len(one.memory.layers[0]) == 300 and 0 < one.card.radius[0] < 0.5


@pytest.mark.parametrize(
    ("found", "masked", "taken"),
    [
        ([0.50, 0.505], [False, False], 0),  # eight views must be plainly better
        ([0.50, 0.52], [False, False], 1),
        ([0.50, 0.59], [False, True], 0),  # what lies off the part is then missed: it takes more than that
        ([0.50, 0.61], [False, True], 1),
        ([0.50, 0.61, 0.55, 0.64], [False, True, False, True], 2),
        ([0.50, 0.61, 0.50, 0.64], [False, True, False, True], 3),
        ([0.50, 0.52], [True, True], 1),  # asked for: the background is off either way
        ([float("nan")] * 4, [False, True, False, True], 0),
        ([0.5], [True], 0),
    ],
)
def test_of_a_trial_the_simplest_choice_is_taken_that_is_not_plainly_worse(found, masked, taken):
    assert best_of(found, masked) == taken


def test_options_are_settled_by_a_trial_that_is_told(good):
    found = fit(good, shots=3)
    card = found.bundle.card
    assert "1 views, foreground off: 0." in card.chosen and "8 views" in card.chosen and "drawn defects" in card.chosen
    assert card.rotations in (1, 8) and card.fusion is not None and 0 <= card.fusion.weight <= 1
    by_memory, fused = found.detector, zsad.load().with_scorer(found.bundle.scorer(fused=True))
    assert fused.card.scoring.head == "fused" and fused(part(60, spot=True)).score > fused(part(60)).score
    assert by_memory.card.scoring.prompt in fused.card.scoring.prompt


def test_one_image_is_enough_and_says_what_it_lacks(good):
    found = fit(sorted(good.iterdir())[0], rotations="auto", foreground="off")
    assert "one good image" in found.notes[0] and found.bundle.card.rotations == 1
    assert found.detector(part(60, spot=True)).score > found.detector(part(60)).score


def test_arrays_and_pictures_are_taken_too():
    found = fit([np.asarray(part(0)), part(1), part(2)], **QUICK)
    assert [one.name for one in found.bundle.card.images] == ["000000", "000001", "000002"]


def test_more_images_are_added_and_known_ones_are_not(good, tmp_path):
    first = fit(sorted(good.iterdir())[:2], out=tmp_path / "b", **QUICK)
    larger = add_to(tmp_path / "b", good)
    again = read_bundle(tmp_path / "b")
    assert len(first.bundle.card.images) == 2 and len(again.card.images) == 5
    assert len(again.memory.layers[0]) == 5 * len(first.bundle.memory.layers[0]) // 2
    assert sum("same picture" in note for note in larger.notes) == 2
    spoilt = part(61, spot=True)
    assert zsad.load(tmp_path / "b")(spoilt).score == pytest.approx(larger.detector(spoilt).score, abs=1e-6)
    with pytest.raises(InputError, match="no new image"):
        add_to(tmp_path / "b", good)


def test_a_model_file_is_found_again(good, small_model, tmp_path):
    place = tmp_path / "models" / "m.onnx"
    place.parent.mkdir()
    shutil.copy(small_model, place)
    fit(good, place, out=tmp_path / "b", foreground="off", rotations="none")
    assert zsad.load(tmp_path / "b")(part(1)).score >= 0
    place.rename(tmp_path / "b" / "m.onnx")
    assert zsad.load(tmp_path / "b")(part(1)).score >= 0
    (tmp_path / "b" / "m.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"fitted to the backbone m.onnx with fingerprint"):
        zsad.load(tmp_path / "b")
    (tmp_path / "b" / "m.onnx").unlink()
    with pytest.raises(ModelError, match=r"no longer at .*put the file into"):
        zsad.load(tmp_path / "b")


def test_another_backbone_is_refused(fitted):
    other = zsad.load(bits=16)
    other._card = other.card  # the same weights are the same
    fitted.bundle.on(other)
    changed = read_bundle(fitted.bundle.place)
    object.__setattr__(changed.card.base, "fingerprint", "0" * 64)
    with pytest.raises(ModelError, match="with fingerprint 000000000000, not to tiny with"):
        changed.on(other)


def test_what_is_no_good_part_is_named(tmp_path):
    place = folder(tmp_path / "good", 3)
    Image.new("RGB", (80, 72), (90, 90, 90)).save(place / "flat.png")
    (place / "torn.png").write_bytes(b"no image")
    part(2).save(place / "same.png")
    found = fit(place, **QUICK)
    assert len(found.failed) == 2 and "flat.png: one colour all over" in found.failed[0]
    assert "torn.png" in found.failed[1] and len(found.bundle.card.images) == 3
    assert any("same.png is the same picture as" in note for note in found.notes)
    truth = np.zeros((72, 80), np.uint8)
    truth[20:30, 20:30] = 255
    Image.fromarray(truth).save(place / "truth.png")
    assert any("truth.png: black and white alone" in line for line in fit(place, **QUICK).failed)
    Image.fromarray(truth).save(place / "part001_mask.png")
    said = []
    assert len(fit(place, say=said.append, **QUICK).bundle.card.images) == 3
    assert len(said) == 1 and "part001_mask.png" in said[0]
    with pytest.raises(InputError, match=r"part001_mask.png: a mask, no part"):
        fit([place / "part001.png", place / "part001_mask.png"], **QUICK)
    only_flat = tmp_path / "flat"
    only_flat.mkdir()
    Image.new("RGB", (80, 72)).save(only_flat / "a.png")
    with pytest.raises(InputError, match=r"no good image could be used; .*a.png: one colour"):
        fit(only_flat)


def test_a_defect_among_good_images_is_named(tmp_path):
    place = folder(tmp_path / "good", 6)
    folder(place, 1, first=90, spot=True, name="odd")
    notes = fit(place, **QUICK).notes
    assert len(notes) == 1 and "unlike the other good images" in notes[0] and "odd090.png" in notes[0]
    assert "part00" not in notes[0]
    assert unlike(dict.fromkeys(range(8), 0.1)) == set() and unlike({0: 0.1, 1: 0.9, 2: 0.1}) == set()


def test_a_defect_among_many_good_images_is_named_too(tmp_path, monkeypatch):
    """More images are compared than set the scale, whether their features are still there or are read again."""
    place = folder(tmp_path / "good", 3)
    folder(place, 1, first=90, spot=True, name="odd")
    monkeypatch.setattr(outliers, "MEASURED", 2)
    steps: list[int] = []
    found = []
    for room in (outliers.ROOM, 0):
        monkeypatch.setattr(outliers, "ROOM", room)
        found.append(fit(place, seed=1, step=lambda: steps.append(1), **QUICK).bundle.card)
    assert found[0] == found[1] and len(steps) == 2 * (4 + 2)
    assert [name for name in ("odd090", "part") if name in found[0].notes[0]] == ["odd090"]
    far = [one.distance for one in found[0].images]
    assert far[0] is None and sum(x is not None for x in far) == 2  # odd090 is the first
    assert found[0].scale == max(x for x in far if x is not None)
    monkeypatch.setattr(outliers, "COMPARED", 4)
    assert Samples(4, 0).told() == [] and "4 of 6 good images" in Samples(6, 0).told()[0]


def test_what_lies_off_the_part_is_left_out_and_that_is_said(good):
    found = fit(good, shots=2, rotations="none", foreground="on")
    assert any("what lies off the part is left out of account" in note for note in found.notes)


def test_mixed_shapes_are_said(tmp_path):
    place = folder(tmp_path / "good", 3)
    part(7, size=(72, 160)).save(place / "wide.png")
    assert any("mixed shapes, from 80 x 72 to 160 x 72 px" in note for note in fit(place, **QUICK).notes)


def test_wrong_usage(good, tmp_path, fitted):
    for options, why in (
        ({"shots": 9}, "only 5 good images"),
        ({"shots": 0}, "at least 1"),
        ({"rotations": 4}, "give 8, none or auto"),
        ({"foreground": "maybe"}, "give on, off or auto"),
        ({"patches": 0}, "at least 1"),
        ({"out": good}, "has other files in it"),
        ({"model": fitted.bundle.place}, "is a bundle already"),
    ):
        with pytest.raises(UsageError, match=why):
            fit(good, **(QUICK | options))
    assert sorted(path.name for path in good.iterdir())[0] == "part000.png"
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="give images of good parts"):
            fit(place)
    with pytest.raises(UsageError, match="--fused is for bundles"):
        zsad.load(fused=True)
    with pytest.raises(UsageError, match="scores by its good images"):
        zsad.load(fitted.bundle.place, prompt="industrial")
    with pytest.raises(InputError, match="no part stands out"):
        fit([np.random.default_rng(i).integers(0, 255, (64, 64, 3), dtype=np.uint8) for i in range(2)],
            rotations="none", foreground="on")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda card: card.update(kind="other"), "is no bundle's"),
        (lambda card: card.update(format=2), "another format"),
        (lambda card: card.update(extra=1), "unknown key 'extra'"),
        (lambda card: card.update(scale=-1), "scale is -1"),
        (lambda card: card.update(foreground=True), "other tensors"),
        (lambda card: card["model"]["reading"].update(embed_dim=64), "do not belong together"),
        (lambda card: card["model"]["input"].update(image_size="big"), "image_size"),
    ],
)
def test_damaged_cards_are_one_clear_line(fitted, tmp_path, change, why):
    place = tmp_path / "b"
    shutil.copytree(fitted.bundle.place, place)
    card = json.loads((place / "card.json").read_text(encoding="utf-8"))
    change(card)
    (place / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(zsad.errors.ZsadError, match=why) as caught:
        zsad.load(place)
    assert "\n" not in str(caught.value)


def test_a_bundle_that_is_being_replaced_is_the_earlier_or_the_new_one(fitted, good, tmp_path, monkeypatch):
    place = tmp_path / "b"
    earlier = read_bundle(shutil.copytree(fitted.bundle.place, place))
    new = replace(earlier, memory=replace(earlier.memory, layers=(earlier.memory.layers[0][:50],), owners=()))
    steps, move = [], Path.replace

    def killed(self, target):
        steps.append(Path(target).name)
        if len(steps) == last:
            raise KeyboardInterrupt
        return move(self, target)

    for last in (1, 2, 3):
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            with pytest.raises(KeyboardInterrupt):
                new.save(place)
        found = read_bundle(place)
        assert len(found.memory.layers[0]) == (50 if last == 3 else len(earlier.memory.layers[0])), steps
        assert is_bundle(place)
    assert steps == ["memory.next.safetensors", "card.json", "memory.safetensors"]
    earlier.save(place)  # over what the kill has left
    assert sorted(path.name for path in place.iterdir()) == ["card.json", "memory.safetensors"]
    assert read_bundle(place).memory.layers[0].shape == earlier.memory.layers[0].shape


def test_a_memory_of_another_fit_is_refused(fitted, good, tmp_path):
    place = tmp_path / "b"
    shutil.copytree(fitted.bundle.place, place)
    other = replace(fitted.bundle, memory=replace(fitted.bundle.memory, scale=0.3, owners=()))
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "memory.safetensors", place)
    with pytest.raises(ModelError, match=r"memory.safetensors and card.json are not of one fit"):
        zsad.load(place)
    card = json.loads((place / "card.json").read_text(encoding="utf-8"))
    del card["memory_sha256"]  # as in bundles of before
    for one in card["images"]:
        del one["pixels"]
    (place / "card.json").write_text(json.dumps(card), encoding="utf-8")
    assert len(read_bundle(place).memory.numbers) == 3


def test_a_foreground_of_another_width_is_refused(fitted, tmp_path):
    memory = replace(fitted.bundle.memory, foreground=Foreground(np.ones(7, np.float32), 0.1))
    wide = replace(fitted.bundle, memory=memory, card=replace(fitted.bundle.card, foreground=True))
    with pytest.raises(ModelError, match="do not belong together"):
        read_bundle(wide.save(tmp_path / "b"))


def test_damaged_memories_are_one_clear_line(fitted, tmp_path):
    place = tmp_path / "b"
    shutil.copytree(fitted.bundle.place, place)
    for data in (b"", b"junk" * 99, (place / "memory.safetensors").read_bytes()[:-50]):
        (place / "memory.safetensors").write_bytes(data)
        with pytest.raises(ModelError, match=r"memory.safetensors: damaged"):
            zsad.load(place)


def test_many_images_keep_a_bounded_seeded_part():
    collector = Collector(images=1000, views=1, seed=3, most=5000)
    units = np.random.default_rng(0).standard_normal((1, 2, 36, 4)).astype(np.float16)
    for owner in range(1000):
        collector.add(owner, units)
    layers, owners = collector.layers(), collector.owners()
    assert [layer.shape for layer in layers] == [(5000, 4)] * 2 and np.bincount(owners).tolist() == [5] * 1000
    first = [int(np.flatnonzero((units[0, 0].astype(np.float32) == row).all(1))[0]) for row in layers[0][:50]]
    second = [int(np.flatnonzero((units[0, 1].astype(np.float32) == row).all(1))[0]) for row in layers[1][:50]]
    assert first == second and len(set(first)) > 15
