from __future__ import annotations

import copy
import re
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.contrast import CARD, Contrast
from zsad.detector.base import Detector
from zsad.errors import InputError, ModelError, UsageError
from zsad.thresholds import card_thresholds
from zsad.types import Thresholds


def image(height=60, width=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_it_is_a_detector():
    assert isinstance(Contrast(), Detector)


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.sampled_from([None, 32, 48]), st.integers(0, 99))
def test_map_has_the_size_of_the_image(height, width, tile, seed):
    result = Contrast(tile=tile)(image(height, width, seed)) if max(height, width) <= 8 * min(height, width) else None
    if result is not None:
        assert result.map.shape == (height, width) and result.map.dtype == np.float32
        assert result.map.min() >= 0 and result.map.max() <= 1 and 0 <= result.score <= 1


def test_batch_is_the_same_as_one_by_one():
    images = [image(20 + 3 * i, 30 + 5 * i, i) for i in range(11)]
    detector = Contrast(tile=48)
    for a, b in zip(detector.batch(images), map(detector, images), strict=True):
        assert a.score == b.score and np.array_equal(a.map, b.map)


@pytest.mark.parametrize(("size", "batches"), [(None, [8, 8, 8, 8, 8]), (32, [32, 8]), (1, [1] * 40), (256, [40])])
def test_batch_size_is_what_goes_through_the_network_together(monkeypatch, size, batches):
    sizes, forward = [], Contrast._network
    monkeypatch.setattr(Contrast, "_network", lambda self, x: (sizes.append(len(x)), forward(self, x))[1])
    options = {} if size is None else {"batch_size": size}
    results = Contrast().batch((image(20, 30, i) for i in range(40)), **options)
    assert sizes == batches
    assert [r.score for r in results] == [Contrast()(image(20, 30, i)).score for i in range(40)]


def test_a_generator_is_read_batch_by_batch():
    read, seen = [], []

    class Watching(Contrast):
        def _network(self, x):
            seen.append(len(read))
            return super()._network(x)

    Watching().batch((read.append(i) or image(20, 30, i) for i in range(9)), batch_size=3)
    assert seen == [3, 6, 9]


def test_one_image_or_a_folder_in_the_place_of_a_list(tmp_path):
    for wrong in ("parts/", tmp_path, Image.new("L", (20, 20)), Contrast().decode(image())):
        with pytest.raises(UsageError, match="give a list of images"):
            Contrast().batch(wrong)
    with pytest.raises(UsageError, match="a batch size of 0 makes no sense"):
        Contrast().batch([image()], batch_size=0)


def test_the_network_alone():
    detector = Contrast()
    x = np.random.default_rng(0).random((3, 3, 64, 64), dtype=np.float32)
    maps, scores = detector.forward(x)
    expected = detector._network(x)
    assert np.array_equal(maps, expected[0]) and np.array_equal(scores, expected[1])
    assert maps.shape == (3, 64, 64) and scores.shape == (3,)


def test_errors_in_a_batch():
    mixed = [image(), np.full((20, 20), np.nan), image(seed=1), "no such file.png"]
    with pytest.raises(InputError, match="NaN"):
        Contrast().batch(mixed)
    results = Contrast().batch(mixed, errors="return")
    assert [isinstance(r, InputError) for r in results] == [False, True, False, True]
    assert results[2].score == Contrast()(mixed[2]).score
    assert Contrast().batch([]) == []


def test_long_images_need_tiles():
    long = image(20, 400)
    with pytest.raises(InputError, match=r"400 x 20 px is longer than 8:1; use tiles"):
        Contrast()(long)
    assert Contrast(tile=64)(long).map.shape == (20, 400)


def test_a_small_defect_in_a_large_image_is_found_with_tiles_and_missed_without():
    pixels = np.full((4096, 4096), 128, np.uint8)
    pixels[1000:1012, 3000:3012] = 255
    judged = Thresholds(0.5, 0.5)
    whole = Contrast(thresholds=judged)(pixels)
    tiled = Contrast(thresholds=judged, tile=512)(pixels)
    assert whole.verdict == "normal" and whole.map.max() < 0.1
    assert tiled.verdict == "anomalous"
    (region,) = tiled.regions
    x, y = region.centroid
    assert abs(x - 3006) < 8 and abs(y - 1006) < 8
    assert tiled.score > whole.score


def test_memory_of_tiles_is_bounded(monkeypatch):
    sizes = []
    forward = Contrast._network
    monkeypatch.setattr(Contrast, "_network", lambda self, x: (sizes.append(len(x)), forward(self, x))[1])
    Contrast(tile=64)(np.zeros((1000, 1000), np.uint8))
    assert max(sizes) <= 8 and sum(sizes) > 300


def test_tiles_and_whole_agree_on_a_small_image():
    pixels = image(60, 60)
    a, b = Contrast()(pixels), Contrast(tile=64)(pixels)
    assert a.score == b.score and np.array_equal(a.map, b.map)


def test_options():
    detector = Contrast(thresholds=Thresholds(0.9, 0.8))
    other = detector.with_options(tile=64, bits=12)
    assert (other.tile, other.bits, other.orient, other.thresholds) == (64, 12, True, Thresholds(0.9, 0.8))
    assert detector.tile is None and detector.bits == 16
    for options in ({"tile": 31}, {"bits": 7}, {"bits": 17}):
        with pytest.raises(UsageError):
            detector.with_options(**options)


def test_bits_reach_the_decoder():
    dark = np.full((20, 20), 4095, np.uint16)
    assert np.asarray(Contrast(bits=12).decode(dark).image).max() == 255
    assert np.asarray(Contrast().decode(dark).image).max() == 16


def test_a_damaged_model_never_passes_parts():
    class Damaged(Contrast):
        def _network(self, x):
            maps, scores = super()._network(x)
            maps[0, 0, 0] = np.nan
            return maps, scores

    for detector in (Damaged(), Damaged(tile=32)):
        with pytest.raises(ModelError, match="contrast: gave NaN or infinite values"):
            detector(image())


def test_name_and_notes_travel(tmp_path):
    Image.fromarray(image()).convert("CMYK").save(tmp_path / "x.tif")
    result = Contrast()(tmp_path / "x.tif")
    assert result.name == str(tmp_path / "x.tif") and result.notes == ("CMYK read as RGB",)


def test_thresholds_of_cards():
    assert card_thresholds(CARD) == Thresholds()  # not calibrated: nothing to judge by
    card = CARD.changed(calibrated=True, image_threshold=0.6, pixel_threshold=0.7, min_area=0.01)
    assert card_thresholds(card) == Thresholds(0.6, 0.7, 0.01, source="the model's card")
    assert card_thresholds(card.changed(calibrated=False)) == Thresholds(min_area=0.01)
    by_score = card_thresholds(card.changed(verdict_rule="score"))
    assert (by_score.image, by_score.pixel, by_score.rule) == (0.6, None, "score")
    assert card_thresholds(card.changed(image_threshold=1.1)).image == "never"  # as zsad 0.1 wrote it


def test_what_is_not_named_stays():
    detector = Contrast(thresholds=Thresholds(0.9, 0.8, 0.01, "region", "t.json"))
    other = detector.with_thresholds(Thresholds(image=0.3)).thresholds
    assert other == Thresholds(0.3, 0.8, 0.01, "region", "t.json; image 0.3")
    assert detector.with_options(thresholds=Thresholds(pixel="never")).thresholds.image == 0.9
    assert detector.with_thresholds(None).thresholds == card_thresholds(CARD)
    assert detector.thresholds.image == 0.9


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("threshold", "with_thresholds"),
        ("thresholds", "with_thresholds"),
        ("pixel_threshold", "with_thresholds"),
        ("min_area", "with_thresholds"),
        ("rule", "with_thresholds"),
        ("tile", "with_options(tile=...)"),
        ("orient", "with_options(orient=...)"),
        ("card", "with_scorer"),
        ("batchsize", "with_options"),
    ],
)
def test_a_detector_does_not_change(name, remedy):
    for detector in (Contrast(), copy.copy(Contrast()), Contrast().with_options(tile=64)):
        with pytest.raises(AttributeError, match=rf"Contrast\.{name} can't be set.*{re.escape(remedy)}"):
            setattr(detector, name, 0.5)


def test_a_subclass_keeps_what_it_counts():
    class Counting(Contrast):
        def __init__(self):
            super().__init__()
            self.seen = 0

        def _network(self, x):
            self.seen += len(x)
            return super()._network(x)

    detector = Counting()
    detector.batch([image()] * 3)
    assert detector.seen == 3


def test_without_thresholds_there_is_no_verdict_but_an_outline():
    result = Contrast(CARD.changed(pixel_threshold=0.4))(image())
    assert (result.verdict, result.fired, result.level) == (None, (), 0.4)
    assert np.array_equal(result.mask, result.map >= np.float32(0.4))


@pytest.mark.parametrize("channels", [3, 4])
def test_arrays_of_opencv(channels):
    pixels = np.random.default_rng(3).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    rgb = np.ascontiguousarray(pixels[..., :channels])
    bgr = np.ascontiguousarray(rgb[..., [2, 1, 0, 3][:channels]])
    detector = Red()
    plain, swapped = detector(rgb), detector(bgr, channels="bgr")
    assert np.array_equal(plain.map, swapped.map)
    assert np.abs(detector(bgr).map - plain.map).max() > 0.3  # it matters
    assert np.array_equal(detector.batch([bgr, bgr], channels="bgr")[1].map, plain.map)


def test_what_states_its_own_order_keeps_it():
    pixels = image(20, 30)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    detector = Red()
    for same in (buffer.getvalue(), Image.fromarray(pixels)):
        assert np.array_equal(detector(same, channels="bgr").map, detector(pixels).map)
    grey = pixels[..., 0]
    assert np.array_equal(detector(grey, channels="bgr").map, detector(grey).map)


@pytest.mark.parametrize("channels", ["BGR", "", "rgba", None])
def test_another_order_is_refused(channels):
    with pytest.raises(UsageError, match='channels are "rgb" or "bgr", not'):
        Contrast()(image(), channels=channels)


class Red(Contrast):
    """The map is the red channel."""

    def _network(self, x):
        return x[:, 0], x[:, 0].max(axis=(1, 2))
