"""``zsad.check_drift``: rows that fit the good parts, rows that drift, and rows that can't be compared."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import zsad
from tests.calibration.parts import BrightDetector, write_parts
from zsad.errors import InputError, UsageError
from zsad.stream import Options, detect, find_images, read_rows
from zsad.thresholds import ThresholdsFile, read_thresholds, write_thresholds
from zsad.types import Thresholds

LOOSE = {"false_reject": 0.05, "confidence": 0.9}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    root = tmp_path_factory.mktemp("drift")
    found = zsad.calibrate(BrightDetector(), write_parts(root / "good", 60), min_area=0.02, **LOOSE)
    return root, found.save(root / "t.json")


def rows_of(place, thresholds, name, **options):
    detector = BrightDetector(thresholds=read_thresholds(thresholds), **options)
    detect(detector, find_images([place]), Options(rows=place.parent / name))
    return place.parent / name


def test_rows_have_the_very_numbers_of_the_calibration(calibrated):
    root, file = calibrated
    rows = rows_of(root / "good", file, "same.jsonl")
    good = zsad.calibrate(BrightDetector(), root / "good", min_area=0.02, **LOOSE).file.good
    numbers = sorted(zip(good.scores, good.peaks, strict=True))
    assert numbers == sorted((row.score, row.peak) for row in read_rows(rows))


def test_parts_that_stay_and_parts_that_drift(calibrated):
    root, file = calibrated
    same = zsad.check_drift(rows_of(write_parts(root / "later", 60, seed=7), file, "later.jsonl"), file)
    assert not same.found and same.parts == 60 and same.told().startswith("No drift in 60 parts: evidence at most ")
    later = root / "later"
    for index in range(30, 60):
        pixels = np.asarray(Image.open(later / f"{index:03d}.png"))
        Image.fromarray(np.minimum(255, pixels.astype(int) * 5 // 3).astype(np.uint8)).save(later / f"{index:03d}.png")
    moved = zsad.check_drift(rows_of(later, file, "moved.jsonl"), file)
    assert moved.found and "higher" in moved.toward
    assert abs(moved.began[0] - 31) <= 6 and moved.began[1].endswith(f"{moved.began[0] - 1:03d}.png")
    assert moved.began[0] <= moved.alarm_at[0] <= 60
    assert f"most likely since part {moved.began[0]}, " in moved.told() and "calibrate anew" in moved.told()


def test_rows_that_failed_are_left_out_and_said(calibrated):
    root, file = calibrated
    place = write_parts(root / "holes", 8, seed=3)
    (place / "003.png").write_bytes(b"nothing")
    found = zsad.check_drift(rows_of(place, file, "holes.jsonl"), file)
    assert found.parts == 7 and found.notes == ("1 rows without a result are left out",)


def test_what_cannot_be_compared_is_refused(calibrated, tmp_path):
    root, file = calibrated
    rows = list(read_rows(rows_of(root / "good", file, "same.jsonl")))
    with pytest.raises(UsageError, match=r"is a row of model tiny, but .*t.json was measured on bright"):
        zsad.check_drift([replace(rows[0], model="tiny")], file)
    with pytest.raises(UsageError, match="was judged by other thresholds; give rows of `zsad detect --thresholds"):
        zsad.check_drift([replace(rows[0], thresholds=replace(rows[0].thresholds, min_area=0.5))], file)
    for other in ("0" * 16, next(read_rows(rows_of(root / "good", file, "bits.jsonl", bits=12))).fingerprint):
        with pytest.raises(UsageError, match=r"was scored by another bright than .*t.json was measured on: weights"):
            zsad.check_drift([replace(rows[0], fingerprint=other)], file)
    assert rows[0].fingerprint and not zsad.check_drift([replace(rows[0], fingerprint="")], file).found  # older rows
    with pytest.raises(UsageError, match=r"000.png: is a mutual score, which says nothing about this part alone"):
        zsad.check_drift([replace(rows[0], mutual=True)], file)
    with pytest.raises(UsageError, match="alarm of 2: give a chance"):
        zsad.check_drift(rows, file, alarm=2)
    with pytest.raises(InputError, match=r"absent.jsonl: no such file"):
        zsad.check_drift(tmp_path / "absent.jsonl", file)
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(InputError, match="has no row with a result"):
        zsad.check_drift(tmp_path / "empty.jsonl", file)
    write_thresholds(tmp_path / "bare.json", ThresholdsFile(Thresholds(image=0.5)))
    with pytest.raises(UsageError, match="says nothing of the good parts"):
        zsad.check_drift(rows, tmp_path / "bare.json")


@pytest.mark.parametrize("rule", ["score", "region"])
def test_one_rule_watches_one_number(calibrated, rule, tmp_path):
    root, _ = calibrated
    found = zsad.calibrate(BrightDetector(), root / "good", rule=rule, min_area=0.02, **LOOSE)
    rows = list(read_rows(rows_of(root / "good", found.save(tmp_path / "t.json"), f"{rule}.jsonl")))
    other = {"score": {"peak": 1.0}, "region": {"score": 1.0}}[rule]
    same = zsad.check_drift(rows, found.file)
    assert zsad.check_drift([replace(row, **other) for row in rows], found.file) == same
    watched = {"score": {"score": 1.0}, "region": {"peak": 1.0}}[rule]
    assert zsad.check_drift([replace(row, **watched) for row in rows], found.file).found
