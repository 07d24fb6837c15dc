"""Lists as people have them: CSV and meta.json in every coat, read, or one line that says what to change."""

from __future__ import annotations

import json
import unicodedata

import pytest

from tests.data.original_forms import image, mask
from zsad.data.spec import load_samples, parse_data_spec
from zsad.data.text_files import read_csv
from zsad.errors import DatasetError

ROWS = [("pics/a.png", "0", ""), ("pics/b.png", "1", "pics/b_truth.png")]


@pytest.fixture
def root(tmp_path):
    image(tmp_path / "pics/a.png")
    image(tmp_path / "pics/b.png")
    mask(tmp_path / "pics/b_truth.png")
    return tmp_path


def read(root, content, name="list.csv"):
    (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_samples(parse_data_spec(f"csv:{root / name}")).samples


def table(separator=",", end="\n", header=("image", "label", "mask"), rows=ROWS):
    return end.join(separator.join(row) for row in (header, *rows)) + end


PLAIN = table()
COATS = {
    "plain": PLAIN,
    "CRLF": table(end="\r\n"),
    "BOM": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "UTF-16 big-endian": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "Excel's": ("sep=;\r\n" + table(";", "\r\n")).encode("utf-8-sig"),
    "semicolons": table(";"),
    "tabs": table("\t"),
    "bars": table("|"),
    "blanks": table(" , "),
    "blanks in the header": PLAIN.replace("image,label,mask", "image, label , mask "),
    "capitals": PLAIN.replace("image,label", "Image,LABEL"),
    "quotes": table(rows=[tuple(f'"{cell}"' for cell in row) for row in ROWS], header=('"image"', '"label"', '"mask"')),
    "index": "\n".join(f"{a},{b}" for a, b in zip(["", "0", "1"], PLAIN.split("\n"), strict=False)),
    "unnamed index": "\n".join(f"{a},{b}" for a, b in zip(["Unnamed: 0", "0", "1"], PLAIN.split("\n"), strict=False)),
    "nan": PLAIN.replace("0,\n", "0,nan\n"),
    "NULL": PLAIN.replace("0,\n", "0,NULL\n"),
    "None": PLAIN.replace("0,\n", "0,None\n"),
    "short row": PLAIN.replace("0,\n", "0\n"),
    "trailing separators": PLAIN.replace("0,\n", "0,,,,\n"),
    "blank lines": PLAIN.replace("\n", "\n\n"),
    "floats": PLAIN.replace(",0,", ",0.0,").replace(",1,", ",1.0,"),
    "truth values": PLAIN.replace(",0,", ",False,").replace(",1,", ",True,"),
    "words": PLAIN.replace(",0,", ",OK,").replace(",1,", ",NG,"),
    "backslashes": PLAIN.replace("pics/", "pics\\"),
    "dots": PLAIN.replace("pics/", "./pics/"),
}


@pytest.mark.parametrize("coat", COATS)
def test_a_table_in_every_coat(root, coat):
    samples = read(root, COATS[coat])
    assert [(s.image.resolve(), s.label, s.mask and s.mask.resolve()) for s in samples] == [
        (root / "pics/a.png", 0, None), (root / "pics/b.png", 1, root / "pics/b_truth.png")]  # fmt: skip


@pytest.mark.parametrize(
    "content, said",
    [
        (PLAIN.replace("pics/a", "pics/\xe4").encode("latin-1"), "not UTF-8 text; save it as UTF-8"),
        ("image_path,label\na.png,0\n", "no column 'image'; found image_path, label"),
        ("image,label,image\na.png,0,b.png\n", "two columns 'image'; keep one"),
        ("image,label\na,b.png,0\n", r"list\.csv:2: 3 cells, but the header has 2; quote what holds a separator"),
        ("image,label,mask\nC:\\data\\a.png,0,\n", r"a\.png: no such file"),
        ("image,label\npics/a.png,perhaps\n", r"list\.csv:2: label 'perhaps' is not one of 0, good"),
        ("image,label\n\n\n,0\n", r"list\.csv:4: no image named"),
        (f"image,label\npics/a.png,{'x' * 1000}\n", r"label .{1,100} is not one of"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(root, content, said):
    with pytest.raises(DatasetError, match=said) as error:
        read(root, content)
    assert "\n" not in str(error.value) and len(str(error.value)) < 800


def test_a_cell_over_several_lines_keeps_the_line_numbers(tmp_path):
    (tmp_path / "t.csv").write_text('image,label,class\na.png,0,"two\nlines"\nb.png,1,c\n')
    assert [line for line, _ in read_csv(tmp_path / "t.csv", ("image", "label"))] == [3, 4]


@pytest.mark.parametrize("written, stored", [("NFC", "NFD"), ("NFD", "NFC")])
def test_listed_names_in_another_unicode_form(tmp_path, written, stored):
    image(tmp_path / unicodedata.normalize(stored, "pi\u00e8ces") / unicodedata.normalize(stored, "\u00e9t\u00e9.png"))
    name = unicodedata.normalize(written, "pi\u00e8ces/\u00e9t\u00e9.png")
    assert read(tmp_path, f"image,label\n{name},0\n")[0].image.is_file()


# ---- meta.json


def meta(root, first=None, second=None, encoding="utf-8"):
    records = [
        {"img_path": "pics/a.png", "mask_path": "", "cls_name": "nut", "specie_name": "good", "anomaly": 0},
        {"img_path": "pics/b.png", "mask_path": "pics/b_truth.png", "cls_name": "nut", "anomaly": 1},
    ]
    records = [record | (change or {}) for record, change in zip(records, (first, second), strict=True)]
    (root / "meta.json").write_bytes(json.dumps({"test": {"nut": records}}).encode(encoding))
    return load_samples(parse_data_spec(f"meta:{root}")).samples


@pytest.mark.parametrize(
    "first, second, encoding",
    [
        (None, None, "utf-8"),
        (None, None, "utf-8-sig"),
        ({"mask_path": None}, None, "utf-8"),
        ({"mask_path": "nan"}, None, "utf-8"),
        ({"anomaly": "good"}, {"anomaly": "bad"}, "utf-8"),
        ({"anomaly": "0"}, {"anomaly": 1.0}, "utf-8"),
        ({"anomaly": False}, {"anomaly": True}, "utf-8"),
        ({"cls_name": None}, {"cls_name": None}, "utf-8"),
        (None, {"img_path": "pics\\b.png", "mask_path": "pics\\b_truth.png"}, "utf-8"),
    ],
)
def test_meta_in_every_coat(root, first, second, encoding):
    samples = meta(root, first, second, encoding)
    assert [(s.image.name, s.label, s.mask and s.mask.name, s.class_name) for s in samples] == [
        ("a.png", 0, None, "nut"), ("b.png", 1, "b_truth.png", "nut")]  # fmt: skip


@pytest.mark.parametrize(
    "second, said",
    [
        ({"anomaly": "perhaps"}, r"pics/b\.png: label 'perhaps' is not one of"),
        ({"anomaly": None}, "label (None|null) is not one of"),
        ({"img_path": ["a"] * 1000}, r"img_path is .{1,200}, it must be a text"),
        ({"img_path": None}, "class 'nut': img_path is missing"),
    ],
)
def test_meta_that_says_something_else(root, second, said):
    with pytest.raises(DatasetError, match=said):
        meta(root, None, second)


def test_a_class_without_any_mask_has_none(root):
    assert [s.has_masks for s in meta(root, None, {"mask_path": None})] == [False, False]


def test_records_of_another_kind_are_named(root):
    for content, said in (
        ({"nut": ["a.png"]}, "it must be a mapping"),
        ({"nut": {"a": 1}}, "is not a list of records"),
    ):
        (root / "meta.json").write_text(json.dumps({"test": content}))
        with pytest.raises(DatasetError, match=said):
            load_samples(parse_data_spec(f"meta:{root}"))


def test_a_label_that_its_mask_contradicts_is_left_out_by_name(root):
    from typer.testing import CliRunner

    from zsad.cli import app

    (root / "list.csv").write_text("image,label,mask\npics/a.png,0,\npics/b.png,good,pics/b_truth.png\n")
    result = CliRunner().invoke(app, ["eval", "--data", f"csv:{root / 'list.csv'}"])
    assert result.exit_code == 1
    assert "b_truth.png: a defect pixel in it, though its image is labelled normal" in result.stderr
