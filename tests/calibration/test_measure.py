"""What is measured of good parts, and what is no part: masks, copies, constant images, files that can't be read."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from tests.fakes import BrightDetector
from zsad.calibration.measure import measure
from zsad.errors import InputError
from zsad.stream.good import find_parts
from zsad.types import Result


def part(path, seed=0, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, level, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_each_part_has_its_score_level_and_hash(tmp_path):
    pixels = {name: part(tmp_path / name, seed) for seed, name in enumerate(("b.png", "a.png"))}
    steps = []
    found = measure(BrightDetector(), find_parts(tmp_path), 0.01, lambda: steps.append(1))
    assert [part.name for part in found.parts] == [str(tmp_path / "a.png"), str(tmp_path / "b.png")] and len(steps) == 2
    for one in found.parts:
        red = pixels[one.name[-5:]][..., 0].astype(np.float32) / 255
        assert one.score == float(red.max()) == found.scores[found.parts.index(one)]
        assert 0 < one.level < one.score  # six pixels that touch are less bright than the brightest
        assert one.sha256 == hashlib.sha256((tmp_path / one.name[-5:]).read_bytes()).hexdigest()


def test_what_is_no_part_is_named_and_the_others_count(tmp_path):
    part(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    Image.new("RGB", (20, 30), (9, 9, 9)).save(tmp_path / "c.png")
    (tmp_path / "d.png").write_bytes(b"no image")
    Image.fromarray(np.eye(20, dtype=np.uint8) * 255).save(tmp_path / "e.png")
    found = measure(BrightDetector(), find_parts(tmp_path), 0.0)
    assert len(found) == 1
    assert len(found.twins) == 1 and "b.png is the same picture as" in found.twins[0]
    assert [line.split("/")[-1][:5] for line in found.failed] == ["c.png", "d.png", "e.png"]
    assert "one colour all over" in found.failed[0] and "as a mask is" in found.failed[2]


@pytest.mark.parametrize("mask", ["a_mask.png", "ground_truth/x.png"])
def test_masks_among_parts_are_refused_by_name(tmp_path, mask):
    part(tmp_path / "a.png")
    part(tmp_path / mask)
    with pytest.raises(InputError, match=f"{mask.split('/')[-1]}: a mask, no part; give a folder of good parts alone"):
        find_parts(tmp_path, recursive=True)


def test_places_without_a_part(tmp_path):
    with pytest.raises(InputError, match=r"folder without an image.*give images of good parts"):
        find_parts(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such file or folder"):
        find_parts([tmp_path / "nowhere"])


def test_images_of_a_program_are_told_apart_by_their_pixels():
    pixels = np.random.default_rng(0).integers(0, 200, (20, 30, 3), dtype=np.uint8)
    found = measure(BrightDetector(), find_parts([pixels, pixels.copy(), pixels // 2]), 0.0)
    assert len(found) == 2 and len(found.twins) == 1


class Broken(BrightDetector):
    def batch(self, images, **_):
        return [Result(float("nan"), np.zeros((20, 30), np.float32)) for _ in images]


def test_a_score_that_is_no_number_is_refused(tmp_path):
    part(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png: the model gave values outside of 0 to 1"):
        measure(Broken(), find_parts(tmp_path), 0.0)
