"""Result as a person meets it: its picture, its files, its text, its values for other programs."""

from __future__ import annotations

import dataclasses
import json
import sys
from io import BytesIO
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from skimage.measure import label

from tests.contrast import Contrast
from tests.part_images import part
from zsad.errors import InputError, OccupiedError, OutputError, UsageError
from zsad.pictures import detections as module
from zsad.pictures.detections import detections
from zsad.pictures.figure import NARROWEST, TALLEST, WIDEST
from zsad.pictures.heat import heat_table
from zsad.stream import Options, detect, find_images
from zsad.types import Result, Thresholds

JUDGED = Thresholds(0.5, 0.5)


@pytest.fixture
def spot(tmp_path):
    """A grey picture of 400 x 300 px with a brighter square, and what was found in it."""
    return Contrast(thresholds=JUDGED)(part(tmp_path / "p.png", size=(400, 300)))


def made(values: np.ndarray, **options) -> Result:
    """Return a result without an image."""
    return Result(0.75, values.astype(np.float32), Thresholds(0.5, 0.5, **options), name="made.png")


# ---- pictures


def test_overlay_is_rgb_of_the_images_size(spot):
    picture = spot.overlay()
    assert picture.shape == (300, 400, 3) and picture.dtype == np.uint8
    bare, unlabelled = spot.overlay(labels=False, legend=False), spot.overlay(labels=False)
    assert (picture != unlabelled).any() and (unlabelled != bare).any()
    assert (bare != np.asarray(Image.open(spot.name).convert("RGB"))).any()


def test_labels_of_ones_own(spot):
    assert (spot.overlay(labels=["scratch"]) != spot.overlay(labels=["dent"])).any()
    assert np.array_equal(spot.overlay(labels=[]), spot.overlay(labels=False))
    with pytest.raises(UsageError, match="labels are a list of texts"):
        spot.overlay(labels="scratch")


def test_overlay_needs_the_image():
    with pytest.raises(InputError, match=r"made\.png holds no image to draw on; save its heatmap"):
        made(np.zeros((20, 20))).overlay()


def test_regions_below_the_smallest_area_are_not_outlined():
    values = np.zeros((100, 100), np.float32)
    values[10, 10] = values[50:60, 50:60] = 1.0
    image = Image.new("RGB", (100, 100), (128, 128, 128))
    few = dataclasses.replace(made(values, min_area=0.005), image=image).overlay(labels=False)
    both = dataclasses.replace(made(values), image=image).overlay(labels=False)
    where = np.argwhere((few != both).any(axis=2))
    assert len(where) and where.max() < 40  # only around the single pixel


@pytest.mark.parametrize("size", [(40, 30), (400, 300), (4000, 300), (300, 3000), (1921, 1081)])
def test_the_picture_of_a_notebook_fits_a_page(size):
    values = np.zeros(size[::-1], np.float32)
    values[size[1] // 2, size[0] // 2] = 1.0
    result = dataclasses.replace(made(values), image=Image.new("RGB", size, (128, 128, 128)), name="x" * 300)
    with Image.open(BytesIO(result._repr_png_())) as picture:
        assert picture.format == "PNG" and picture.mode == "RGB"
        assert NARROWEST <= picture.width <= WIDEST and picture.height <= TALLEST + 100
        pixels = np.asarray(picture)
    assert (pixels[:-60] == 255).all(axis=2).any() and (pixels == heat_table()[-1]).all(axis=2).any()  # outline, bar


def test_the_picture_of_a_notebook_says_score_and_verdict(spot):
    def strip(result: Result) -> np.ndarray:
        with Image.open(BytesIO(result._repr_png_())) as picture:
            return np.asarray(picture)[-90:]

    other = spot.with_thresholds(Thresholds("never", "never"))
    assert (strip(spot)[:, :200] != strip(other)[:, :200]).any()
    assert made(np.zeros((30, 40)))._repr_png_()  # without an image the map alone


# ---- files


def test_save_by_name(spot, tmp_path):
    assert spot.save(tmp_path / "deep" / "o.png") == tmp_path / "deep" / "o.png"
    with Image.open(tmp_path / "deep" / "o.png") as picture:
        assert np.array_equal(np.asarray(picture), spot.overlay())
    with Image.open(spot.save(tmp_path / "p_heatmap.png")) as picture:
        assert np.abs(np.asarray(picture) / 255 - spot.map).max() < 0.51 / 255
    assert np.array_equal(np.load(spot.save(tmp_path / "p.npy")), spot.map)
    with Image.open(spot.save(str(tmp_path / "map.png"), "map")) as picture:
        assert np.abs(np.asarray(picture) / 65535 - spot.map).max() < 0.51 / 65535
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.jpg", "overlay"), ("x.JPEG", "heatmap"), ("x.png", "heatmap"), ("x.png", "map"), ("x.npy", "map")],
)
def test_what_was_saved_is_replaced_and_a_foreign_file_is_not(spot, tmp_path, name, kind):
    path = tmp_path / name
    first = spot.save(path, kind).read_bytes()
    assert spot.save(path, kind).read_bytes() == first
    if path.suffix != ".npy":
        with Image.open(path) as picture:
            assert picture.size == (400, 300)
    others = {".npy": lambda: np.save(path, np.arange(6.0)), ".png": lambda: Image.new("L", (9, 9)).save(path)}
    others.get(path.suffix, lambda: Image.new("L", (9, 9)).save(path))()
    foreign = path.read_bytes()
    with pytest.raises(OccupiedError, match=r"was not written by zsad and is not replaced; save under another name"):
        spot.save(path, kind)
    assert path.read_bytes() == foreign


def test_too_long_for_jpeg(tmp_path):
    long = dataclasses.replace(made(np.zeros((8, 66_000))), image=Image.new("L", (66_000, 8)))
    with pytest.raises(InputError, match=r"66000 x 8 px is too large for JPEG; give \.png"):
        long.save(tmp_path / "x.jpg")
    assert long.save(tmp_path / "x.png").is_file()


@pytest.mark.parametrize(
    ("name", "kind", "match"),
    [
        ("x.gif", None, r"x\.gif: the overlay can't be written as \.gif; give \.png or \.jpg"),
        ("x", None, "a file without a suffix"),
        ("x.jpg", "map", r"the map can't be written as \.jpg; give \.npy or \.png"),
        ("x.npy", "overlay", r"the overlay can't be written as \.npy"),
        ("x.png", "mask", "kind must be overlay, heatmap or map, not 'mask'"),
    ],
)
def test_names_that_say_nothing(spot, tmp_path, name, kind, match):
    with pytest.raises(UsageError, match=match):
        spot.save(tmp_path / name, kind)
    assert not (tmp_path / name).exists()


def test_the_inspected_image_is_never_replaced(spot, tmp_path):
    before = (tmp_path / "p.png").read_bytes()
    (tmp_path / "link.png").symlink_to(tmp_path / "p.png")
    for path in (tmp_path / "p.png", tmp_path / "link.png", tmp_path / "x" / ".." / "p.png"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(OccupiedError, match=r"is an input and is not written over; save under another name"):
            spot.save(path)
    assert (tmp_path / "p.png").read_bytes() == before


def test_a_place_that_cannot_be_written(spot, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="choose another path"):
        spot.save(tmp_path / "file" / "o.png")


# ---- text and values


def test_repr_says_verdict_score_and_regions(spot):
    text = repr(spot)
    assert text.startswith("<Result '") and "p.png' anomalous by region, score 0.089, " in text
    assert "400 x 300 px, regions: (" in text and "\n" not in text
    assert "uncalibrated" in repr(dataclasses.replace(spot, thresholds=Thresholds()))
    assert repr(made(np.zeros((20, 30)))).endswith("30 x 20 px, no region>")
    many = np.zeros((20, 40))
    many[::4, ::4] = 0.9
    assert repr(made(many)).endswith("0.90, 47 more>")
    assert "\\x1b" in repr(dataclasses.replace(made(np.zeros((20, 30))), name="\x1b[31m.png"))


@pytest.mark.parametrize("thresholds", [Thresholds(), JUDGED, Thresholds(image="never", min_area=0.01)])
def test_to_dict_is_the_row_of_the_command(tmp_path, thresholds):
    detector = Contrast(thresholds=thresholds)
    path = str(part(tmp_path / "p.png", size=(64, 48)))
    rows = tmp_path / "rows.jsonl"
    detect(detector, find_images([path]), Options(rows=rows))
    row, said = json.loads(rows.read_bytes()), detector(path).to_dict()
    assert set(row) - set(said) == {"run", "stamp", "ms", "files", "mutual", "fingerprint"}
    assert said == {key: row[key] for key in said}
    assert json.loads(json.dumps(said, allow_nan=False)) == said


# ---- supervision


def noisy(seed: int = 0) -> Result:
    values = np.random.default_rng(seed).random((40, 60)) * 0.62
    values[5:20, 10:30] = 0.9
    return made(values)


def stand_in(monkeypatch) -> None:
    """Put a package in the place of supervision that keeps what it is given."""
    package = ModuleType("supervision")
    package.Detections = type("Detections", (SimpleNamespace,), {"empty": classmethod(lambda cls: cls(xyxy=[]))})
    monkeypatch.setitem(sys.modules, "supervision", package)


def test_detections_are_the_regions(monkeypatch):
    stand_in(monkeypatch)
    result = noisy()
    found = result.to_supervision()
    assert len(result.regions) > 20
    assert found.xyxy.tolist() == [list(map(float, region.box)) for region in result.regions]
    assert found.confidence.tolist() == [region.score for region in result.regions]
    assert found.data["area"].tolist() == [region.area for region in result.regions] == found.mask.sum((1, 2)).tolist()
    labels = label(result.mask, connectivity=2)
    for mask in found.mask:
        (one,) = np.unique(labels[mask])
        assert np.array_equal(labels == one, mask)
    assert detections(result, masks=False).mask is None


def test_no_region_gives_no_detection(monkeypatch):
    stand_in(monkeypatch)
    assert made(np.zeros((20, 20))).to_supervision().xyxy == []


def test_without_supervision_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(UsageError, match=r"^to_supervision needs the package supervision: pip install supervision$"):
        noisy().to_supervision()


def test_the_real_package_takes_it():
    supervision = pytest.importorskip("supervision")
    found = noisy().to_supervision()
    assert isinstance(found, supervision.Detections) and len(found) == len(noisy().regions)
    assert len(made(np.zeros((20, 20))).to_supervision()) == 0
    assert module.detections is detections
