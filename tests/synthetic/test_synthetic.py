"""The procedural world: determinism, honest masks, the held-out discipline, captions, defects on any image."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from zsad.synthetic import (
    DEFECTS,
    GENERATOR_VERSION,
    HELD_OUT,
    OBJECTS,
    TEXTURES,
    add_defect,
    captions,
    contact_sheet,
    pair_at,
    scene_at,
    vocabulary,
)
from zsad.synthetic.__main__ import main
from zsad.synthetic.camera import draw_camera, tone
from zsad.synthetic.drawing import draw_light, place, render
from zsad.synthetic.families import EDGE_DEFECTS, PART_DEFECTS, SURFACE_DEFECTS, TYPICAL
from zsad.synthetic.incidents import INCIDENTS
from zsad.synthetic.noise import enlarge
from zsad.synthetic.palette import MATERIALS
from zsad.synthetic.scans import SCANS
from zsad.synthetic.scene import scene
from zsad.synthetic.sites import choose
from zsad.synthetic.spoil import draw_family, spoil
from zsad.synthetic.stages import draw_stage
from zsad.synthetic.visible import THRESHOLD

PLACES = {"texture": TEXTURES, "object": OBJECTS, "defect": DEFECTS}


def digest(index, **options):
    item = scene_at(index, 64, **options)
    return hashlib.sha256(item.image.tobytes() + item.mask.tobytes() + item.caption.encode()).hexdigest()


@settings(deadline=None, max_examples=25)
@given(index=st.integers(0, 10**6), size=st.sampled_from([32, 48, 97, 128]), split=st.sampled_from(["train", "valid"]))
def test_a_scene_agrees_with_itself(index, size, split):
    item = scene_at(index, size, split=split)
    assert item.image.shape == (size, size, 3) and item.image.dtype == np.uint8
    assert item.mask.shape == (size, size) and item.mask.dtype == np.uint8
    assert set(np.unique(item.mask)) <= {0, 1}
    assert item.label == int(item.mask.any()) == int(bool(item.defects))
    assert not (item.hard_normal and item.label)
    assert item.caption.strip() == item.caption and item.material
    assert item.object == "surface" or item.object in OBJECTS
    assert item.texture == "" or item.texture in TEXTURES


@pytest.mark.parametrize("size", [224, 256])
def test_usual_sizes(size):
    item = scene_at(3, size)
    assert item.image.shape == (size, size, 3)
    assert item.image.std() > 1


def test_a_number_names_one_scene_in_any_order_and_process():
    first = [digest(k) for k in range(6)]
    assert [digest(k) for k in reversed(range(6))] == first[::-1]
    assert len(set(first)) == 6
    assert digest(0, seed=1) != first[0] and digest(0, split="valid") != first[0]
    code = (
        "import hashlib; from zsad.synthetic import scene_at\n"
        "for s in (scene_at(k, 64) for k in range(6)):\n"
        "    print(hashlib.sha256(s.image.tobytes() + s.mask.tobytes() + s.caption.encode()).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.split() == first


@given(
    st.tuples(*[st.integers(1, 40)] * 2), st.tuples(*[st.integers(1, 12)] * 2), st.booleans(), st.integers(0, 2**32 - 1)
)
@settings(max_examples=60, deadline=None)
def test_enlarging_is_pillows_interpolation(shape, extra, linear, seed):
    field = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    h, w = (few * times + times // 2 for few, times in zip(shape, extra, strict=True))
    way = Image.Resampling.BILINEAR if linear else Image.Resampling.BICUBIC
    np.testing.assert_allclose(
        enlarge(field, h, w, linear=linear), np.asarray(Image.fromarray(field).resize((w, h), way)), atol=2e-6
    )


@pytest.mark.parametrize("look", ["colour", "grey", "infrared"])
def test_the_tone_curve_rises_and_stays_in_range(look):
    ramp = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32), (3, 64, 64))
    bends = []
    for seed in range(40):
        camera = replace(draw_camera(np.random.default_rng(seed), 64, 64, look), gain=np.ones((64, 64), np.float32))
        out = tone(camera, ramp.copy())
        bends.append(camera.bend)
        assert out.min() >= 0 and out.max() <= 1
        assert (np.diff(out, axis=-1) >= -1e-6).all()
        assert out[0, 0, -1] - out[0, 0, 0] > 0.15
    assert min(bends) < -0.4 and max(bends) > 0.4


@pytest.mark.parametrize(("bend", "wanted"), [(0.5, 0.375), (0.0, 0.25), (-0.6, 0.1375)])
def test_the_tone_curve_mixes_in_the_root_or_the_square(bend, wanted):
    camera = draw_camera(np.random.default_rng(0), 32, 32, "colour")
    even = np.ones((32, 32), np.float32)
    plain = replace(camera, gain=even, balance=np.ones((3, 1, 1), np.float32), contrast=1.0, lift=0.0, bend=bend)
    np.testing.assert_allclose(tone(plain, np.full((3, 32, 32), 0.25, np.float32)), wanted, atol=1e-6)


def test_only_the_given_generator_is_used():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    a = scene(np.random.default_rng(5), 64)
    b = scene(np.random.default_rng(5), 64)
    assert np.array_equal(a.image, b.image) and a.caption == b.caption
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_no_torch_and_no_opencv():
    code = "import sys, zsad.synthetic.__main__; print(sorted({'torch', 'cv2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("anomalous", [True, False])
def test_the_label_can_be_asked_for(anomalous):
    labels = [scene_at(k, 96, anomalous=anomalous).label for k in range(30)]
    assert sum(labels) >= 27 if anomalous else sum(labels) == 0


def test_labels_are_balanced_when_nothing_is_asked():
    assert 0.3 < np.mean([scene_at(k, 48).label for k in range(80)]) < 0.65


def test_a_twin_is_the_scene_without_its_defects():
    contrasts = []
    for k in range(40):
        item, twin = pair_at(k, 96)
        assert np.array_equal(item.image, scene_at(k, 96).image)
        assert (twin.label, twin.defects, int(twin.mask.sum())) == (0, (), 0)
        assert (twin.object, twin.material, twin.look) == (item.object, item.material, item.look)
        assert twin.hard_normal == bool(item.incidents)
        change = np.abs(item.image.astype(float) - twin.image).mean(2)
        if item.label:
            contrasts.append((change[item.mask > 0].mean(), change[item.mask == 0].mean()))
        else:
            assert change.mean() < 20  # another picture of the same thing
    inside, outside = np.array(contrasts).T
    assert len(contrasts) > 10
    assert (inside > outside).mean() > 0.9 and np.median(inside / (outside + 1)) > 3


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="split"):
        scene_at(0, 64, split="test")
    with pytest.raises(ValueError, match="size"):
        scene_at(0, 16)


# --- families


def test_registries_and_held_out_families():
    for kind, held in HELD_OUT.items():
        assert held < set(PLACES[kind]), kind
        assert len(held) >= 4
    assert set(vocabulary.OBJECT_WORDS) == set(vocabulary.OBJECT_MATERIALS) == set(OBJECTS)
    assert set(vocabulary.DEFECT_WORDS) == set(DEFECTS) == set(SURFACE_DEFECTS) | set(PART_DEFECTS)
    assert set(vocabulary.TEXTURE_MATERIALS) == set(TEXTURES)
    solid = {m for name, row in vocabulary.OBJECT_MATERIALS.items() if name not in SCANS for m in row}
    assert solid <= set(MATERIALS)
    assert GENERATOR_VERSION


def held_in(item):
    kinds = {"texture": {item.texture}, "object": {item.object}, "defect": set(item.defects)}
    return {kind for kind, names in kinds.items() if names & HELD_OUT[kind]}


def test_training_never_draws_a_held_out_family_and_validation_always_does():
    for k in range(120):
        assert not held_in(scene_at(k, 40, split="train"))
        assert held_in(scene_at(k, 40, split="valid"))


def test_validation_holds_out_every_kind():
    seen = set()
    for k in range(60):
        seen |= held_in(scene_at(k, 40, split="valid"))
    assert seen == {"texture", "object", "defect"}


def test_words_of_held_out_families_occur_in_training():
    for kind, rows, least in (
        ("defect", vocabulary.DEFECT_WORDS, 2),
        ("object", vocabulary.OBJECT_WORDS, 1),
        ("texture", vocabulary.TEXTURE_MATERIALS, 1),
    ):
        trained = {word for name, row in rows.items() if name not in HELD_OUT[kind] for word in row}
        for name in HELD_OUT[kind]:
            assert len(trained & set(rows[name])) >= least, name


@pytest.mark.parametrize("shape", [(64, 64), (40, 96)])
@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_every_texture(name, shape):
    h, w = shape
    field = TEXTURES[name](np.random.default_rng(1), h, w)
    assert field.shape == (3, h, w) and field.dtype == np.float32
    assert np.isfinite(field).all() and 0.0 < np.clip(field, 0, 1).mean() < 1.0


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_every_object(name):
    rng = np.random.default_rng(2)
    for _ in range(3):
        if name in SCANS:
            image, region = OBJECTS[name](rng, 96)
            assert image.shape == (3, 96, 96) and image.dtype == region.dtype == np.float32
        else:
            drawing = place(rng, OBJECTS[name](rng, MATERIALS["steel"]), 96)
            image, region = render(drawing, 96, 96, draw_light(rng, 96, 0.5))
            assert image.shape == (3, 96, 96) and image.dtype == region.dtype == np.float32
        assert region.max() <= 1.0 + 1e-5 and (region > 0.5).mean() > 0.004
        assert np.isfinite(image).all()


@pytest.mark.parametrize("name", sorted(PART_DEFECTS))
def test_every_part_defect_changes_some_drawing(name):
    rng = np.random.default_rng(3)
    changed = 0
    for k, family in enumerate(["bottle", "gear", "connector", "screw", "board", "tray"] * 2):
        drawing = place(np.random.default_rng(k), OBJECTS[family](rng, MATERIALS["plastic"]), 128)
        light = draw_light(np.random.default_rng(k), 128, 0.5)
        fault = PART_DEFECTS[name](rng, drawing, 128)
        if fault is not None:
            a, b = render(drawing, 128, 128, light), render(fault[0], 128, 128, light)
            changed += int(np.abs(a[0] - b[0]).max() > 0.03 or np.abs(a[1] - b[1]).max() > 0.3)
    assert changed >= 4


def test_every_family_turns_up():
    seen = {"texture": set(), "object": set(), "defect": set(), "look": set()}
    for k in range(500):
        item = scene_at(k, 32, split="valid" if k % 2 else "train", anomalous=k % 4 != 0)
        seen["texture"].add(item.texture)
        seen["object"].add(item.object)
        seen["defect"] |= set(item.defects)
        seen["look"].add(item.look)
    assert len(seen["texture"] & set(TEXTURES)) >= 0.95 * len(TEXTURES)
    assert len(seen["object"] & set(OBJECTS)) >= 0.95 * len(OBJECTS)
    assert len(seen["defect"]) >= 0.9 * len(DEFECTS)
    assert seen["look"] >= {"colour", "grey", "infrared", "xray"}


def band_energies(field):
    """Log shares of the power spectrum in 4 rings x 4 directions."""
    power = np.abs(np.fft.fftshift(np.fft.fft2(field - field.mean()))) ** 2
    y, x = np.mgrid[-32:32, -32:32]
    ring = np.digitize(np.hypot(x, y), [1, 4, 8, 16, 32])
    direction = np.minimum((np.arctan2(y, x) % np.pi) / np.pi * 4, 3).astype(int)
    energy = np.array([power[(ring == r) & (direction == d)].sum() for r in range(1, 5) for d in range(4)])
    return np.log(energy / energy.sum() + 1e-4)


def test_random_programs_differ_more_than_draws_of_a_named_family():
    spread = {}
    for name, texture in TEXTURES.items():
        fields = [texture(np.random.default_rng(k), 64, 64).clip(0, 1).mean(0) for k in range(30)]
        spread[name] = np.std([band_energies(field) for field in fields], axis=0).mean()
    assert spread["program"] > 1.2 * np.median(list(spread.values()))


def test_random_assemblies_are_different_objects():
    drawings = [OBJECTS["assembly"](np.random.default_rng(k), MATERIALS["steel"]) for k in range(40)]
    counts = [len(drawing.parts) for drawing in drawings]
    assert min(counts) >= 2 and len(set(counts)) > 8
    for drawing in drawings:
        named = [part for part in drawing.parts if part.noun]
        assert named and len({part.group for part in named}) == len(named)  # each can go missing by itself


def test_an_uneven_finish_is_wide_and_mostly_keeps_the_surface_in_place():
    widths, alike, borders = [], [], 0
    for k in range(30):
        rng = np.random.default_rng(k)
        image = TEXTURES["concrete"](rng, 96, 96)
        out, where = SURFACE_DEFECTS["uneven"](rng, image, choose(rng, 96, 96))
        assert np.abs(out - image)[:, where == 0].max() < 0.05  # the soft border ends in what cannot be seen
        widths.append(where.mean())
        inside = where > 0
        alike.append(np.corrcoef(out[0][inside], image[0][inside])[0, 1])
        borders += int(any(side.all() for side in (where[0], where[-1], where[:, 0], where[:, -1])))
    assert np.median(widths) > 0.04 and max(widths) > 0.2
    assert 2 <= borders <= 20  # some reach in from a whole border
    assert np.median(alike) > 0.5


def test_some_cracks_cross_the_view():
    spans = []
    for k in range(60):
        rng = np.random.default_rng(k)
        _, where = SURFACE_DEFECTS["crack"](rng, np.full((3, 96, 96), 0.5, np.float32), choose(rng, 96, 96))
        rows, columns = np.nonzero(where)
        spans.append(max(np.ptp(rows), np.ptp(columns)) / 96)
    assert np.mean(np.array(spans) > 0.6) > 0.1 and np.median(spans) < 0.6


def test_broken_objects_lose_a_piece_or_gape_between_two():
    light = draw_light(np.random.default_rng(0), 128, 0.1)
    halves = lost = 0
    for k in range(60):
        rng = np.random.default_rng(k)
        drawing = replace(OBJECTS["cookie"](rng, MATERIALS["dough"]), repeats=False)
        drawing = place(np.random.default_rng(1), drawing, 128)
        fault = PART_DEFECTS["broken"](rng, drawing, 128)
        before, after = (render(item, 128, 128, light)[1] for item in (drawing, fault[0]))
        pieces, _ = ndimage.label(after > 0.5)
        largest = np.sort(np.bincount(pieces.ravel())[1:])[::-1] / (before > 0.5).sum()
        halves += int(len(largest) > 1 and largest[1] > 0.1)
        lost += int(largest.sum() < 0.9)
    assert halves >= 3 and lost >= 15


def test_typical_defects_are_drawn_more_often_than_by_chance():
    assert set(TYPICAL) <= set(TEXTURES) - HELD_OUT["texture"]
    for names in TYPICAL.values():
        assert set(names) <= set(SURFACE_DEFECTS) - HELD_OUT["defect"]
    rng = np.random.default_rng(0)
    stage = replace(draw_stage(rng, 32), family="surface", drawing=None, texture="concrete")
    share = {}
    for texture in ("concrete", "foam"):
        stage.texture = texture
        names = [draw_family(rng, stage, held=False, first=True) for _ in range(400)]
        share[texture] = names.count("crack") / 400
        assert len(set(names)) > 15  # any other may occur
    assert share["concrete"] > 0.2 > 0.1 > share["foam"]


# --- masks


def test_a_mask_marks_what_changed_to_the_eye():
    checked = 0
    for k in range(60):
        rng = np.random.default_rng([9, k])
        stage = draw_stage(rng, 96)
        camera = draw_camera(rng, 96, 96)
        clean = stage.image.copy()
        faulty, names, nouns, mask = spoil(rng, stage, camera, "")
        assert np.array_equal(clean, stage.image)  # the faultless twin is left alone
        assert len(names) == len(nouns)
        if not names:
            assert not mask.any()
            continue
        change = np.abs(tone(camera, faulty) - tone(camera, clean)).max(0)
        assert change[mask == 1].mean() > THRESHOLD
        assert mask.mean() <= 0.45
        outside = change[(mask == 0)]
        assert outside.mean() < 0.02  # what is left out can hardly be seen
        checked += 1
    assert checked > 40


def test_sizes_run_from_tiny_to_large():
    areas = np.array([scene_at(k, 128, anomalous=True).mask.mean() for k in range(120)])
    areas = areas[areas > 0]
    assert areas.min() < 0.002 and areas.max() > 0.1
    assert 0.001 < np.median(areas) < 0.05


def test_what_grows_is_large():
    rng = np.random.default_rng(0)
    sizes = {grown: np.median([choose(rng, 256, 256, grown=grown).size for _ in range(300)]) for grown in (True, False)}
    assert sizes[True] > 0.08 * 256 and sizes[True] > 2 * sizes[False]


def test_dust_is_many_small_specks():
    for k in range(20):
        image = np.full((3, 128, 128), 0.5, np.float32)
        INCIDENTS["dust"](np.random.default_rng(k), image)
        specks, count = ndimage.label(np.abs(image - 0.5).max(0) > 0.002, np.ones((3, 3)))
        assert count >= 4
        assert np.bincount(specks.ravel())[1:].max() < 0.01 * 128 * 128
        assert np.isfinite(image).all() and image.min() >= 0


def test_an_annotation_covers_little():
    for i in range(12):
        image = np.full((3, 256, 256), 0.2, np.float32)
        INCIDENTS["annotation"](np.random.default_rng(i), image)
        changed = image[0] != np.float32(0.2)
        assert 0.0002 < changed.mean() < 0.1 and (image[:, changed] > 0.2).all()


# --- captions


def test_captions_name_what_is_there():
    named = {"material": 0, "thing": 0, "defect": 0, "state": 0}
    total = {"material": 0, "thing": 0, "defect": 0, "state": 0}
    good = vocabulary.NORMAL_STATES + vocabulary.NORMAL_TAILS
    for k in range(200):
        item = scene_at(k, 32)
        text = item.caption
        nouns = vocabulary.SURFACE_WORDS if item.object == "surface" else vocabulary.OBJECT_WORDS[item.object]
        total["material"] += 1
        total["thing"] += 1
        named["material"] += item.material in text
        named["thing"] += any(noun in text for noun in (*nouns, *vocabulary.GENERAL_WORDS, item.material))
        if item.label:
            total["defect"] += 1
            known = [w.split("part")[0].strip() for name in item.defects for w in vocabulary.DEFECT_WORDS[name]]
            named["defect"] += any(word in text for word in known)
            assert not any(tail in text for tail in vocabulary.NORMAL_TAILS)
        else:
            total["state"] += 1
            named["state"] += any(word in text for word in good)
    share = {key: named[key] / total[key] for key in named}
    assert share["material"] > 0.6 and share["thing"] > 0.99 and share["defect"] > 0.8 and share["state"] > 0.75, share


def test_captions_are_varied_and_read_well():
    texts = [scene_at(k, 32).caption for k in range(150)]
    assert len(set(texts)) > 140
    for text in texts:
        assert "  " not in text and " a a" not in text and " a an " not in text and "{" not in text


def test_articles():
    assert captions.article("unblemished tile") == "an unblemished tile"
    assert captions.article("x-ray image") == "an x-ray image"
    assert captions.article("steel nut") == "a steel nut"
    assert captions.article("uniform surface") == "a uniform surface"


# --- defects on a user's images


@settings(deadline=None, max_examples=30)
@given(h=st.integers(16, 130), w=st.integers(16, 130), seed=st.integers(0, 999), masked=st.booleans())
def test_add_defect_on_any_size(h, w, seed, masked):
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 130, (h, w, 3), dtype=np.uint8)
    original = image.copy()
    region = None
    if masked:
        region = np.zeros((h, w), np.uint8)
        region[h // 4 : h // 2 + 2, w // 4 : w // 2 + 2] = 1
    out, mask, name = add_defect(rng, image, region)
    assert out.shape == image.shape and out.dtype == np.uint8
    assert mask.shape == (h, w) and mask.dtype == np.uint8 and set(np.unique(mask)) <= {0, 1}
    assert name in SURFACE_DEFECTS
    assert np.array_equal(image, original)
    assert mask.any() == (out != image).any()
    if not masked:
        assert name not in EDGE_DEFECTS


@pytest.mark.parametrize("name", sorted(SURFACE_DEFECTS))
def test_every_surface_defect_shows_on_a_user_image(name):
    rng = np.random.default_rng(4)
    field = TEXTURES["woven"](rng, 90, 120)
    image = np.ascontiguousarray((np.clip(field, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
    region = np.zeros((90, 120), bool)
    region[15:75, 20:100] = True
    image[~region] = 235
    shown = 0
    for _ in range(4):
        out, mask, family = add_defect(rng, image, region, name)
        assert family == name
        if mask.any():
            change = np.abs(out.astype(int) - image).max(2)
            assert change[mask == 1].mean() > 5
            shown += 1
    assert shown >= 2


def test_add_defect_takes_a_seed():
    image = np.random.default_rng(1).integers(90, 130, (40, 50, 3), dtype=np.uint8)
    first, again = add_defect(5, image), add_defect(np.random.default_rng(5), image)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1]) and first[2] == again[2]
    assert first[1].any() and not np.array_equal(first[0], add_defect(6, image)[0])


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((8, 40, 3), np.uint8), {}, "H and W at least 16, not \\(8, 40, 3\\)"),
        (np.zeros((40, 40, 3)), {}, "must be uint8 with values from 0 to 255, not float64"),
        (np.zeros((40, 40, 3), np.uint8), {"family": "missing_part"}, "family must be one of"),
        (np.zeros((40, 40, 3), np.uint8), {"object_mask": np.ones((40, 41), bool)}, "object_mask must be \\(40, 40\\)"),
    ],
)
def test_add_defect_names_wrong_arguments(image, options, message):
    with pytest.raises(ValueError, match=message):
        add_defect(0, image, **options)


def test_contact_sheet_shows_picture_and_outline():
    item = scene_at(3, 64, anomalous=True)
    sheet = np.asarray(contact_sheet([item], side=64))
    assert sheet.shape == (64 + 26, 2 * 64 + 4, 3)
    assert np.array_equal(sheet[:64, :64], item.image)
    beside = sheet[:64, 66:130]
    marked = (beside == (255, 0, 255)).all(2)
    assert np.array_equal(beside[~marked], item.image[~marked])
    inside = ndimage.binary_erosion(np.pad(item.mask, 1), [[0, 1, 0], [1, 1, 1], [0, 1, 0]])[1:-1, 1:-1]
    assert np.array_equal(marked[1:-1, 1:-1], ((item.mask > 0) & ~inside)[1:-1, 1:-1]) and marked.any()


def test_contact_sheet_is_about_square_and_names_wrong_arguments():
    scenes = [scene_at(k, 32) for k in range(9)]
    w, h = contact_sheet(scenes, side=40, outline=False).size
    assert (w, h) == (4 * 44, 3 * 66)
    with pytest.raises(ValueError, match="at least one scene"):
        contact_sheet([])
    with pytest.raises(ValueError, match="side must be at least 16"):
        contact_sheet(scenes, side=3)


def test_contact_sheet_command(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert main(["--out", str(out), "--count", "4", "--size", "48", "--show", "60", "--split", "valid"]) == 0
    assert out.stat().st_size > 2000
    assert "4 scenes" in capsys.readouterr().out
    assert main(["--out", str(out), "--count", "0"]) == 1
    assert capsys.readouterr().err == "error: a contact sheet needs at least one scene\n"
    assert main(["--out", str(out / "x.png"), "--count", "1", "--size", "48"]) == 1
    assert "sheet.png/x.png" in capsys.readouterr().err
