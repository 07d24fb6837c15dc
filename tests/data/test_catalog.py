import importlib.util
import json
import shutil
import sys

import numpy as np
import pytest

from tests.data.original_forms import WRITERS, H, W, image, mask, write_dagm, write_mvtec_form, write_visa
from zsad.data.catalog import CATALOG, _dataset
from zsad.data.check import check_dataset, check_files
from zsad.data.files import Report
from zsad.data.layouts import LAYOUTS
from zsad.data.masks import read_mask
from zsad.data.spec import load_samples, parse_data_spec
from zsad.errors import ConfigError, DatasetError, UsageError


def read(name, root):
    report = Report()
    return CATALOG[name].read(root, report), report


@pytest.fixture(params=sorted(WRITERS))
def written(request, tmp_path):
    name = request.param
    root = tmp_path / "data root"
    root.mkdir()
    return name, root, WRITERS[name](root)


def test_every_dataset_is_written_by_the_tests():
    assert set(WRITERS) == set(CATALOG)
    assert sum(row.suite for row in CATALOG.values()) == 17
    assert not set(CATALOG) & set(LAYOUTS)


def test_original_form_is_read_back_exactly(written):
    name, root, expected = written
    samples, report = read(name, root)
    assert report.problems == []
    got = {s.key: (s.label, s.mask, s.class_name, s.defect) for s in samples}
    assert got == expected.rows
    assert len(got) == len(samples)
    assert all(sample.image == root / sample.key and sample.image.is_file() for sample in samples)
    assert {s.class_name for s in samples} == set(CATALOG[name].classes)
    has_masks = "pixel" in CATALOG[name].metrics
    assert all(sample.has_masks is has_masks for sample in samples)
    assert all(sample.dataset == name for sample in samples)


def test_masks_are_binary_and_where_they_were_drawn(written):
    name, root, _ = written
    for sample in read(name, root)[0]:
        if not sample.has_masks:
            continue
        got = read_mask(sample)
        assert got.dtype == np.uint8 and got.shape[1] == W and got.shape[0] >= H
        expected = np.zeros_like(got)
        if sample.label and name == "mvtec-loco":
            expected[0:2, 0:2] = expected[4:6, 4:6] = 1
        elif sample.label:
            expected[2:6, 3:9] = 1
        assert np.array_equal(got, expected), sample.key


def test_check_finds_nothing_wrong(written):
    name, root, expected = written
    check = check_dataset(name, root, decode=True)
    counts = CATALOG[name].counts
    drawn_fewer = counts is not None and counts.verified and counts.normal + counts.anomalous != len(expected.rows)
    assert [line for line in check.report.problems if not (drawn_fewer and "as stated" in line)] == []
    assert check.complete != drawn_fewer
    assert sum(c.normal + c.anomalous for c in check.classes) == len(expected.rows)
    # The stated counts are not verified, so a difference is a note and no failure.
    if CATALOG[name].counts and not CATALOG[name].counts.verified:
        assert any("unverified" in note for note in check.report.notes)


def test_a_missing_mask_is_named(written):
    name, root, _ = written
    before = read(name, root)[0]
    masked = [sample for sample in before if sample.mask is not None]
    if not masked or name == "dagm":  # DAGM: a mask's absence means normal, see below
        pytest.skip("no masks in this dataset, or none needed")
    victim = masked[0]
    shutil.rmtree(victim.mask) if victim.mask.is_dir() else victim.mask.unlink()
    samples, report = read(name, root)
    assert [sample.image for sample in samples] == [sample.image for sample in before]  # nothing vanishes
    assert any(victim.image.name in line or victim.mask.name in line for line in report.problems)


def test_extra_folders_are_left_out_and_named(tmp_path):
    WRITERS["br35h"](tmp_path)
    samples, report = read("br35h", tmp_path)
    assert len(samples) == 4
    assert any("pred" in line for line in report.left_out)
    assert any("Br35H-Mask-RCNN" in line for line in report.left_out)


def test_covid_of_a_later_release(tmp_path):
    for folder in ("COVID/images", "COVID/masks", "Normal/images", "Normal/masks", "Lung_Opacity/images"):
        image(tmp_path / folder / "1.png")
    samples, report = read("covid-19", tmp_path)
    assert [(s.key, s.label) for s in samples] == [("Normal/images/1.png", 0), ("COVID/images/1.png", 1)]
    assert sum("masks" in line for line in report.left_out) == 2


def test_dagm_listed_but_absent_mask(tmp_path):
    write_dagm(tmp_path)
    (tmp_path / "Class3" / "Test" / "Label" / "0002_label.PNG").unlink()
    _, report = read("dagm", tmp_path)
    assert any("0002_label" in line and "Class3" in line for line in report.problems)


def test_dagm_without_labels(tmp_path):
    write_dagm(tmp_path)
    shutil.rmtree(tmp_path / "Class3" / "Test" / "Label")
    _, report = read("dagm", tmp_path)
    assert any("no Label folder" in line for line in report.problems)
    assert any("'Class3' is absent" in line for line in report.problems)


def test_kolektor_as_downloaded(tmp_path):
    for i, drawn in enumerate((0, 255)):
        image(tmp_path / f"kos0{i + 1}" / "Part0.jpg")
        mask(tmp_path / f"kos0{i + 1}" / "Part0_label.bmp", value=drawn)
    samples, report = read("ksdd", tmp_path)
    assert [(s.key, s.label, s.mask is not None) for s in samples] == [
        ("kos01/Part0.jpg", 0, False),
        ("kos02/Part0.jpg", 1, True),
    ]
    assert "as downloaded" in report.notes[0]


def test_isic_as_downloaded(tmp_path):
    image(tmp_path / "ISBI2016_ISIC_Part1_Test_Data" / "ISIC_1.jpg")
    mask(tmp_path / "ISBI2016_ISIC_Part1_Test_GroundTruth" / "ISIC_1_Segmentation.png")
    samples, report = read("isic", tmp_path)
    assert not report.problems and samples[0].mask.name == "ISIC_1_Segmentation.png"


@pytest.mark.parametrize(
    "name, gone, word",
    [
        ("visa", "split_csv/1cls.csv", "no such file"),
        ("kvasir", "masks", "no masks folder"),
        ("endo", "masks", "no masks folder"),
        ("tn3k", "test-mask", "no test-mask folder"),
        ("isic", "skin/ISBI2016_ISIC_Part1_Test_GroundTruth", "no ISBI2016"),
        ("br35h", "yes", "no yes folder"),
        ("headct", "brain/test/good", "no good folder"),
        ("ksdd", "electrical commutators", "neither"),
        ("mvtec-ad", "", "no such folder"),
    ],
)
def test_absent_parts_are_named(tmp_path, name, gone, word):
    root = tmp_path / "x"
    root.mkdir()
    WRITERS[name](root)
    target = root / gone
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(DatasetError, match=word):
        read(name, root)


def test_half_downloaded(tmp_path):
    write_visa(tmp_path)
    shutil.rmtree(tmp_path / "pcb4")
    (tmp_path / "candle/Data/Images/Normal/0001.JPG").write_bytes(b"")
    (tmp_path / "fryum/Data/Masks/Anomaly/000.png").write_bytes(b"\x89PNG not really")
    image(tmp_path / "cashew/Data/Images/Anomaly/000.JPG", size=(H, W + 1))
    check = check_dataset("visa", tmp_path)
    text = "\n".join(check.report.problems)
    for words in (
        ("pcb4/Data/Images/Normal/0001.JPG", "no such file"),
        ("candle/Data/Images/Normal/0001.JPG", "empty file"),
        ("fryum/Data/Masks/Anomaly/000.png", "not an image"),
        ("cashew", "16 x 12", "17 x 12"),
    ):
        assert any(all(word in line for word in words) for line in check.report.problems), text
    assert not check.complete


def test_truncated_image_is_found_when_decoding(tmp_path):
    write_mvtec_form(tmp_path, CATALOG["mpdd"].classes)
    victim = tmp_path / "tubes" / "test" / "good" / "000.png"
    victim.write_bytes(victim.read_bytes()[:-60])
    assert check_dataset("mpdd", tmp_path).complete
    problems = check_dataset("mpdd", tmp_path, decode=True).report.problems
    assert len(problems) == 1 and "000.png: damaged or truncated image" in problems[0]


def test_empty_mask_is_found_when_decoding(tmp_path):
    write_mvtec_form(tmp_path, CATALOG["mpdd"].classes)
    mask(tmp_path / "tubes" / "ground_truth" / "scratch" / "9_mask.png", value=0)
    assert any("no defect pixel" in line for line in check_dataset("mpdd", tmp_path, decode=True).report.problems)


def meta_of(samples, root, key="test"):
    records = {}
    for s in samples:
        records.setdefault(s.class_name, []).append(
            {
                "img_path": s.key,
                "mask_path": s.mask.relative_to(root).as_posix() if s.mask else "",
                "cls_name": s.class_name,
                "specie_name": s.defect,
                "anomaly": s.label,
            }
        )
    return {"train": {}, key: records}


@pytest.mark.parametrize("key", ["test", "Test"])
def test_meta_json_gives_the_same(written, key):
    name, root, _ = written
    samples, _ = read(name, root)
    if name == "mvtec-loco":
        pytest.skip("the reference takes a folder of masks for none")
    (root / "meta.json").write_text(json.dumps(meta_of(samples, root, key)))
    report = Report()
    listed = LAYOUTS["meta"](root, report)
    assert report.problems == []

    def rows(found):
        return {(s.image, s.label, s.mask, s.class_name, s.defect, s.has_masks) for s in found}

    assert rows(listed) == rows(samples)
    check = check_dataset(name, root)
    assert not any("meta.json" in line for line in check.report.notes + check.report.problems)


def test_meta_json_differences_are_named(tmp_path):
    write_mvtec_form(tmp_path, CATALOG["mpdd"].classes)
    samples, _ = read("mpdd", tmp_path)
    meta = meta_of(samples[1:], tmp_path)
    meta["test"]["tubes"][0]["anomaly"] = 1
    meta["test"]["tubes"].append(dict(meta["test"]["tubes"][0], img_path="gone.png"))
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    report = check_dataset("mpdd", tmp_path).report
    assert any(samples[0].image.name in line and "not in meta.json" in line for line in report.notes)
    assert any("gone.png" in line for line in report.notes)
    assert any("in meta.json" in line for line in report.problems)


def test_meta_json_alone_is_read(tmp_path):
    path = image(tmp_path / "pictures" / "a.png")
    record = {"img_path": "pictures/a.png", "mask_path": "", "cls_name": "brain", "specie_name": "", "anomaly": 0}
    (tmp_path / "meta.json").write_text(json.dumps({"test": {"brain": [record]}}))
    samples, report = read("headct", tmp_path)
    assert samples[0].image == path and "meta.json" in report.notes[0]


def test_unknown_name():
    with pytest.raises(UsageError, match="mvtec-ad"):
        check_dataset("mvtec", ".")


def test_check_files_names_each_line_once(tmp_path):
    write_mvtec_form(tmp_path, ("a",))
    samples = LAYOUTS["mvtec"](tmp_path, Report())
    report = Report()
    check_files(samples * 2, report)
    assert report.problems == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"form": "vsia"}, "form is 'vsia', it must be one of visa"),
        ({"form": "visa", "metrics": ["pixels"]}, "must be one of image, pixel"),
        ({"form": "visa", "clases": []}, "unknown key 'clases'"),
        ({"form": "visa", "classes": ["candle"]}, "is missing"),
    ],
)
def test_a_wrong_row_is_named(row, said):
    with pytest.raises(ConfigError, match=f"catalog.yaml: mine: .*{said}"):
        _dataset("mine", row)


def test_elpv_says_what_it_leaves_out_and_what_it_cannot_read(tmp_path):
    WRITERS["elpv"](tmp_path)
    _, report = read("elpv", tmp_path)
    assert [line[:27] for line in report.notes] == ["2 cells of probability 0.33", "2 cells of probability 0.67"]
    bad = ["images/../../etc/passwd.png 0.0 mono", "/etc/x.png 1.0 poly", "images/a.png nan mono",
           "images/a.png 1.5 mono", "images/a.png 0.0 thin", "images/a.png 0.0", "images/x.png 0.0 mono"]  # fmt: skip
    with (tmp_path / "labels.csv").open("a") as file:
        file.write("\n".join(bad))
    samples, report = read("elpv", tmp_path)
    assert len(report.problems) == len(bad) and "x.png: no such file" in report.problems[-1]
    assert all(sample.image.parent == tmp_path / "images" for sample in samples)


def test_a_label_counts_from_the_stated_probability_on(tmp_path):
    WRITERS["elpv"](tmp_path)
    row = {"classes": ["mono", "poly"], "title": "t", "split": "s", "licence": "l", "where": "w"}
    likely = _dataset("likely", {"form": "elpv_form", "form_with": {"defective": 0.6}, **row})
    assert [sample.label for sample in likely.read(tmp_path, Report())] == [1, 0, 1, 1, 0, 1]


def test_elpv_is_found_where_its_package_is_installed(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"--data elpv: is not installed: pip install elpv-dataset.*elpv:PATH"):
        monkeypatch.setitem(sys.modules, "elpv_dataset", None)
        parse_data_spec("elpv")
    WRITERS["elpv"](tmp_path / "elpv_dataset" / "data")
    (tmp_path / "elpv_dataset" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    place = tmp_path / "elpv_dataset" / "__init__.py"
    found = importlib.util.spec_from_file_location("elpv_dataset", place)
    monkeypatch.setattr(importlib.util, "find_spec", {"elpv_dataset": found}.get)
    spec = parse_data_spec("elpv")
    assert (spec.key, spec.layout, spec.path) == ("elpv", "elpv", tmp_path / "elpv_dataset" / "data")
    assert parse_data_spec("cells=elpv").key == "cells"
    assert {sample.class_name for sample in load_samples(spec).samples} == {"mono", "poly"}
    with pytest.raises(UsageError, match=r"--data visa: give \[KEY=\]LAYOUT:PATH"):
        parse_data_spec("visa")
