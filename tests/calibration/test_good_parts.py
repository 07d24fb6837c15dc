"""``zsad.calibrate``: folders in, thresholds and their statement out; defective parts, marks, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import zsad
from tests.calibration.parts import BrightDetector, write_parts
from zsad.calibration.order import binomial_interval
from zsad.errors import InputError, ModelError, OutputError, UsageError
from zsad.stream import Options, detect, find_images, read_rows
from zsad.thresholds import Good, read_file, read_thresholds, write_thresholds
from zsad.types import Thresholds

LOOSE = {"false_reject": 0.05, "confidence": 0.9}  # 45 parts suffice


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("parts")
    return write_parts(root / "good", 50), write_parts(root / "bad", 12, seed=1, spots=9)


@pytest.mark.parametrize("rule", ["score", "region", "either"])
def test_good_parts_pass_and_the_file_judges_as_the_calibration_did(folders, tmp_path, rule):
    good, bad = folders
    found = zsad.calibrate(BrightDetector(), good, defects=bad, rule=rule, min_area=0.02, **LOOSE)
    assert (found.n, found.rate, found.confidence, found.guarantee) == (50, 0.05, 0.9, True)
    assert "at most 5 % of good parts rejected, at 90 % confidence: n = 50" in found.told()
    path = found.save(tmp_path / "t.json")
    judged = BrightDetector(thresholds=read_thresholds(path))
    verdicts = [judged(item.id).verdict for item in find_images([good])]
    assert verdicts == ["normal"] * 50  # 50 parts support k = 1: none of them is rejected
    missed = [item.id for item in find_images([bad]) if judged(item.id).verdict == "normal"]
    assert list(found.misses.missed) == missed and found.misses.n == 12
    assert (found.misses.low, found.misses.high) == binomial_interval(len(missed), 12, 0.9)
    assert f"{len(missed)} of 12 defective parts are missed" in found.misses.told(0.9)


def test_the_file_has_what_the_statement_rests_on(folders, tmp_path):
    found = zsad.calibrate(BrightDetector(), folders[0], **LOOSE)
    data = json.loads(found.save(tmp_path / "t.json").read_text())
    assert set(data) == {
        "image",
        "pixel",
        "min_area",
        "rule",
        "source",
        "model",
        "tile",
        "bits",
        "n",
        "rate",
        "confidence",
        "guarantee",
        "good",
    }
    assert (data["rule"], data["n"], data["rate"], data["confidence"], data["guarantee"]) == (
        "either",
        50,
        0.05,
        0.9,
        True,
    )
    assert len(data["good"]["scores"]) == len(data["good"]["peaks"]) == 50 and len(data["good"]["tie"]) == 4
    again = read_file(tmp_path / "t.json")
    assert again.good == found.file.good and again.model == found.file.model
    with pytest.raises(UsageError, match="these thresholds were measured on model bright, not tiny"):
        zsad.load(thresholds=tmp_path / "t.json")


def test_a_smallest_area_of_nothing_stays_nothing(folders, tmp_path):
    """A model whose card has a smallest area is judged without it, as it was calibrated."""
    detector = BrightDetector(thresholds=Thresholds(min_area=0.05))
    found = zsad.calibrate(detector, folders[0], min_area=0, **LOOSE)
    assert read_thresholds(found.save(tmp_path / "t.json")).over(detector.thresholds).min_area == 0
    assert zsad.calibrate(detector, folders[0], **LOOSE).thresholds.min_area == 0.05


def test_thresholds_are_the_largest_of_the_good_parts_and_no_more(folders):
    found = zsad.calibrate(BrightDetector(), folders[0], rule="score", **LOOSE)
    scores = [BrightDetector()(item.id).score for item in find_images([folders[0]])]
    assert found.thresholds.image == np.nextafter(np.float32(max(scores)), np.float32(2))
    assert found.thresholds.pixel is None and found.furthest[0].score == max(scores)


def test_too_few_parts_are_told_before_the_work(folders):
    detector = BrightDetector()
    with pytest.raises(InputError, match=r"n = 50 supports 5.8 %: 1 % at 95 % confidence needs 299 good parts"):
        zsad.calibrate(detector, folders[0])
    assert detector.calls == []
    accepted = zsad.calibrate(BrightDetector(), folders[0], accept_rate=True)
    assert round(accepted.rate, 4) == 0.0582 and "at most 5.8 % of good parts" in accepted.told()


def test_files_that_fail_do_not_count(folders, tmp_path):
    parts = write_parts(tmp_path / "some", 46)
    (parts / "044.png").write_bytes(b"nothing")
    (parts / "045.png").write_bytes((parts / "000.png").read_bytes())
    why = r"n = 44 supports .*; 1 could not be used: .*044.png.*; 1 counted once with another: .*045.png is the same"
    with pytest.raises(InputError, match=why):
        zsad.calibrate(BrightDetector(), parts, **LOOSE)
    write_parts(parts / "more", 2, seed=9)
    found = zsad.calibrate(BrightDetector(), parts, recursive=True, **LOOSE)
    assert found.n == 46 and len(found.failed) == 1 and "044.png" in found.failed[0]
    assert any("045.png is the same picture as" in note for note in found.notes)


def test_a_model_that_can_score_nothing_says_so_itself(folders):
    class Blind(BrightDetector):
        def __call__(self, image):
            raise ModelError("blind: gives features only and no score")

    for accept in (False, True):
        with pytest.raises(ModelError, match="blind: gives features only"):
            zsad.calibrate(Blind(), folders[0], accept_rate=accept, **LOOSE)


def test_a_defect_among_good_parts_is_named(folders, tmp_path):
    parts = write_parts(tmp_path / "good", 60)
    for index in range(60):
        pixels = np.asarray(Image.open(parts / f"{index:03d}.png")) // 4
        Image.fromarray(pixels).save(parts / f"{index:03d}.png")
    bright = np.asarray(Image.open(parts / "007.png")).copy()
    bright[3:9, 3:9] = 250
    Image.fromarray(bright).save(parts / "007.png")
    found = zsad.calibrate(BrightDetector(), parts, **LOOSE)
    assert any("unlike the other good parts: " in note and "007.png" in note for note in found.notes)
    assert not any("unlike" in note for note in zsad.calibrate(BrightDetector(), folders[0], **LOOSE).notes)


def test_marks_move_parts_between_good_and_bad(folders, tmp_path, monkeypatch):
    good, bad = folders
    monkeypatch.chdir(tmp_path)
    marks = tmp_path / "marks.csv"
    marks.write_text(f"path,mark\n{good}/003.png,bad\n{bad}/010.png,good\n{bad}/000.png,bad\n{bad}/001.png,bad\n")
    found = zsad.calibrate(BrightDetector(), good, marks=marks, **LOOSE)
    assert found.n == 50 and found.misses.n == 3
    only = zsad.calibrate(BrightDetector(), defects=bad, marks=marks, accept_rate=True)
    assert only.n == 1 and only.misses.n == 11 + 1  # 011 of the folder and 003; 010 is marked good


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path\na.png\n", "no column 'mark'"), ("path,mark\n", "has no mark in it"),
        ("path,mark\na.png,ok\n", "marks.csv:2: mark 'ok' is neither good nor bad"),
        ("path,mark\nb.png,good\n", "marks.csv:2: b.png: no such file; run where `zsad detect` ran"),
        ("path,mark\na.png,good\na.png,bad\n", "marks.csv:3: a.png: is marked good and bad"),
        ("path,mark\na\x00.png,good\n", "marks.csv"),
    ],
)  # fmt: skip
def test_marks_of_another_form_are_refused(tmp_path, text, said):
    write_parts(tmp_path, 1)
    (tmp_path / "000.png").rename(tmp_path / "a.png")
    (tmp_path / "marks.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        zsad.calibrate(BrightDetector(), tmp_path / "a.png", marks=tmp_path / "marks.csv", accept_rate=True)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"rule": "both"}, UsageError, "rule must be either, score or region"),
        ({"min_area": 2}, UsageError, "min_area must be a number of 0 to 1"),
        ({"false_reject": 0}, UsageError, "false reject of 0"), ({"confidence": 2}, UsageError, "confidence of 2"),
        ({"normals": None}, UsageError, "no good parts are given"),
        ({"normals": "nowhere"}, InputError, "no such file"),
        ({"normals": []}, InputError, "n = 0: "), ({"marks": "absent.csv"}, InputError, "no such file"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(folders, options, error, said):
    with pytest.raises(error, match=said):
        zsad.calibrate(BrightDetector(), **{"normals": folders[0], **LOOSE, **options})


def test_a_part_is_not_good_and_defective(folders, tmp_path):
    (tmp_path / "copy.png").write_bytes((folders[0] / "004.png").read_bytes())
    with pytest.raises(InputError, match=r"copy.png: is the same picture as the good part .*004.png; take it out"):
        zsad.calibrate(BrightDetector(), folders[0], defects=tmp_path, **LOOSE)


def test_a_file_that_cannot_be_written(folders, tmp_path):
    found = zsad.calibrate(BrightDetector(), folders[0], **LOOSE)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        found.save(tmp_path / "file" / "t.json")


def test_a_file_of_very_many_good_parts_is_read(folders, tmp_path):
    many = np.linspace(0, 0.5, 30_000).round(6).tolist()
    file = zsad.calibrate(BrightDetector(), folders[0], **LOOSE).file
    write_thresholds(tmp_path / "t.json", replace(file, good=Good(tuple(many), tuple(many))))
    assert read_file(tmp_path / "t.json").good.peaks == tuple(many)


@pytest.mark.parametrize(
    "good",
    [3, [], {}, {"scores": [0.1]}, {"scores": [0.1], "peaks": []}, {"scores": [2], "peaks": [0]},
     {"scores": ["a"], "peaks": [0]}, {"scores": [0.1], "peaks": [0.1], "tie": [0, 0, 0, 1]},
     {"scores": [0.1], "peaks": [0.1], "tie": [0, 1]}, {"scores": [0.1], "peaks": [0.1], "more": 1}],
)  # fmt: skip
def test_good_parts_of_another_form_are_refused(tmp_path, good):
    (tmp_path / "t.json").write_text(json.dumps({"image": 0.5, "good": good}))
    with pytest.raises(UsageError, match=r"t.json: good"):
        read_file(tmp_path / "t.json")


def test_outside_of_the_regions_of_interest_the_map_does_not_count(tmp_path):
    good, bad = write_parts(tmp_path / "good", 46), write_parts(tmp_path / "bad", 2, seed=1, spots=2)
    for index in range(46):  # the same lamp in the right half of each part, brighter than any defect
        pixels = np.asarray(Image.open(good / f"{index:03d}.png")).copy()
        pixels[5:9, 14:18] = 252
        Image.fromarray(pixels).save(good / f"{index:03d}.png")
    (tmp_path / "roi.json").write_text(json.dumps({"size": [20, 16], "boxes": [[0, 0, 12, 16]]}))
    found = zsad.calibrate(BrightDetector(), good, defects=bad, roi=tmp_path / "roi.json", min_area=0.02, **LOOSE)
    assert found.thresholds.rule == "region" and found.thresholds.image is None
    assert "inside the regions of interest" in found.thresholds.told() and found.misses.missed == ()
    path = found.save(tmp_path / "t.json")
    judged = BrightDetector(thresholds=read_thresholds(path))
    lamp, spot = judged(good / "000.png"), judged(bad / "000.png")
    assert (lamp.verdict, spot.verdict) == ("normal", "anomalous")
    assert lamp.map.max() > 0.9 > lamp.counted.max() and not lamp.mask[:, 12:].any()
    assert lamp.to_dict()["roi"] == found.thresholds.roi.key and "roi" not in lamp.to_dict()["thresholds"]
    detect(judged, find_images([good]), Options(rows=tmp_path / "rows.jsonl"))
    rows = list(read_rows(tmp_path / "rows.jsonl"))
    assert not zsad.check_drift(rows, path).found
    with pytest.raises(UsageError, match="judged by other thresholds"):
        zsad.check_drift([replace(rows[0], roi="")], path)
    whole = zsad.calibrate(BrightDetector(), good, defects=bad, rule="region", min_area=0.02, accept_rate=True, **LOOSE)
    assert len(whole.misses.missed) == 2


def test_regions_of_interest_in_a_file_of_thresholds_are_checked(tmp_path):
    (tmp_path / "t.json").write_text(json.dumps({"pixel": 0.5, "roi": [[[0, 0], [2, 0], [1, 1]]]}))
    with pytest.raises(UsageError, match=r"t.json: roi: a region of interest has a corner outside of the image"):
        read_thresholds(tmp_path / "t.json")


def test_arrays_of_a_program_are_good_parts():
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 150, (16, 20, 3), dtype=np.uint8) for _ in range(45)]
    assert zsad.calibrate(BrightDetector(), iter(arrays), **LOOSE).n == 45
