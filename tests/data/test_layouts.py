import numpy as np
import pytest
from PIL import Image

from tests.data.original_forms import H, W, image, mask, text, write_mvtec_form
from zsad.data.files import Report
from zsad.data.layouts import LAYOUTS
from zsad.data.masks import read_mask
from zsad.data.spec import load_samples, parse_data_spec, parse_data_specs
from zsad.errors import DatasetError, UsageError
from zsad.types import Sample


def read(layout, root):
    report = Report()
    return LAYOUTS[layout](root, report), report


def test_mvtec_tree_and_one_class(tmp_path):
    expected = write_mvtec_form(tmp_path, ("nut", "bolt"), kinds=("bent", "scratch"))
    (tmp_path / "notes").mkdir()
    samples, report = read("mvtec", tmp_path)
    assert report.problems == [] and any("notes" in line for line in report.left_out)
    assert {s.key: (s.label, s.mask, s.class_name, s.defect) for s in samples} == expected.rows
    one, _ = read("mvtec", tmp_path / "nut")
    assert {s.image for s in one} == {s.image for s in samples if s.class_name == "nut"}


def test_mvtec_without_ground_truth_has_no_masks(tmp_path):
    image(tmp_path / "nut" / "test" / "good" / "0.png")
    image(tmp_path / "nut" / "test" / "bad" / "0.png")
    samples, report = read("mvtec", tmp_path)
    assert not report.problems and not any(s.has_masks for s in samples)


def test_mvtec_problems_are_named(tmp_path):
    write_mvtec_form(tmp_path, ("nut",))
    (tmp_path / "nut" / "ground_truth" / "scratch" / "9_mask.png").rename(
        tmp_path / "nut" / "ground_truth" / "scratch" / "11_mask.png"
    )
    mask(tmp_path / "nut" / "ground_truth" / "bent" / "0.png")
    (tmp_path / "nut" / "test" / "dent").mkdir()
    text(tmp_path / "nut" / "test" / "good" / "notes.db")
    image(tmp_path / "nut" / "test" / "good" / "000.jpg")
    mask(tmp_path / "nut" / "ground_truth" / "scratch" / "10.png")
    _, report = read("mvtec", tmp_path)
    found = "\n".join(report.problems)
    for word in ("9.png: no mask", "11_mask.png: a mask without", "bent: masks of a kind", "dent: an empty folder",
                 "000.png: duplicate name", "two masks fit"):  # fmt: skip
        assert word in found, found
    assert any("notes.db" in line for line in report.left_out)
    with pytest.raises(DatasetError, match=r"nut .*no mask"):
        load_samples(parse_data_spec(f"nut=mvtec:{tmp_path}"))
    assert len(load_samples(parse_data_spec(f"mvtec:{tmp_path}"), partial=True).samples) == 5


def test_pairs(tmp_path):
    for name, value in (("9", 255), ("10", 0), ("sub/a", 1)):
        image(tmp_path / "images" / f"{name}.jpg")
        mask(tmp_path / "masks" / f"{name}.png", value=value)
    samples, report = read("pairs", tmp_path)
    assert not report.problems
    assert {s.key: (s.label, s.defect, s.mask.relative_to(tmp_path).as_posix()) for s in samples} == {
        "images/9.jpg": (1, "", "masks/9.png"),
        "images/10.jpg": (0, "good", "masks/10.png"),
        "images/sub/a.jpg": (1, "sub", "masks/sub/a.png"),
    }
    (tmp_path / "masks" / "10.png").rename(tmp_path / "masks" / "100.png")
    _, report = read("pairs", tmp_path)
    assert any("10.jpg: no mask" in line for line in report.problems)
    assert any("100.png: a mask without an image" in line for line in report.problems)


def test_pairs_with_damaged_mask(tmp_path):
    image(tmp_path / "images" / "a.jpg")
    mask(tmp_path / "masks" / "a.png", size=(H, W - 1))
    _, report = read("pairs", tmp_path)
    assert "15 x 12" in report.problems[0] and "16 x 12" in report.problems[0]


def test_folders(tmp_path):
    image(tmp_path / "good" / "a.png")
    image(tmp_path / "bad" / "a.png")
    image(tmp_path / "bad" / "dent" / "b.png")
    samples, report = read("folders", tmp_path)
    assert not report.problems
    assert [(s.key, s.label, s.defect) for s in samples] == [
        ("good/a.png", 0, "good"),
        ("bad/a.png", 1, "bad"),
        ("bad/dent/b.png", 1, "dent"),
    ]
    (tmp_path / "good" / "a.png").unlink()
    assert any("good: an empty folder" in line for line in read("folders", tmp_path)[1].problems)
    (tmp_path / "good").rmdir()
    with pytest.raises(DatasetError, match="no good folder"):
        read("folders", tmp_path)


def test_csv(tmp_path):
    for name in "abcd":
        image(tmp_path / "pics" / f"{name}.png")
    mask(tmp_path / "pics" / "b_truth.png")
    (tmp_path / "list.csv").write_text(
        "image,label,mask,class,split\n"
        "pics/a.png,good,,nut,test\npics/b.png, 1 ,pics/b_truth.png,nut,test\n"
        "pics/c.png,anomaly,,bolt,\npics/d.png,0,,bolt,train\n"
    )
    samples, report = read("csv", tmp_path / "list.csv")
    assert not report.problems and any("train" in line for line in report.left_out)
    assert [(s.key, s.label, s.mask and s.mask.name, s.class_name, s.has_masks) for s in samples] == [
        ("pics/a.png", 0, None, "nut", True),
        ("pics/b.png", 1, "b_truth.png", "nut", True),
        ("pics/c.png", 1, None, "bolt", False),
    ]
    assert read("csv", tmp_path)[0] == samples
    assert parse_data_spec(f"csv:{tmp_path}/list.csv").key == "list"


@pytest.mark.parametrize(
    "content, word",
    [
        ("picture,label\na.png,0\n", "no column 'image'"),
        ("image,label,mood\na.png,0,x\n", "unknown column 'mood'"),
        ("image,label\na.png,maybe\n", "label 'maybe'"),
        ("image,label\ngone.png,0\n", "no such file"),
        ("image,label\na.png,0\na.png,1\n", "listed twice"),
        ("image,label,mask\na.png,1,gone.png\n", "no such mask"),
        ("image,label\n", "no row"),
        ("", "no column"),
    ],
)
def test_csv_problems(tmp_path, content, word):
    image(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text(content)
    with pytest.raises(DatasetError, match=word):
        load_samples(parse_data_spec(f"csv:{tmp_path}/list.csv"))


@pytest.mark.parametrize("content, word", [("{", "not valid JSON"), ("[]", "needs one"),
                                           ('{"test": {"a": [{}]}}', "anomaly is missing"),
                                           ('{"test": {"a": []}}', "empty")])  # fmt: skip
def test_meta_problems(tmp_path, content, word):
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(DatasetError, match=word):
        load_samples(parse_data_spec(f"meta:{tmp_path}"))


@pytest.mark.parametrize("layout", ["mvtec", "pairs", "folders", "csv", "meta"])
def test_absent_and_wrong_folders(tmp_path, layout):
    for root in (tmp_path / "gone", tmp_path):
        with pytest.raises(DatasetError, match=str(tmp_path)):
            read(layout, root)


def sample_of(path, threshold=0):
    picture = image(path.parent / "image.png")
    return Sample(image=picture, label=1, mask=path, mask_threshold=threshold, has_masks=True)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "I;16", "I", "jpeg", "white palette"])
def test_read_mask_modes(tmp_path, mode):
    truth = np.zeros((H, W), np.uint8)
    truth[3:8, 4:11] = 1
    path = tmp_path / ({"jpeg": "mask.jpg", "I": "mask.tif"}.get(mode, "mask.png"))
    if mode == "P":
        picture = Image.fromarray(truth * 5).convert("P")
        picture.putpalette([0, 0, 0] + [0, 0, 1] * 255)  # a colour whose grey value rounds to 0
    elif mode == "white palette":
        picture = Image.fromarray(1 - truth).convert("P")
        picture.putpalette([255, 255, 255] + [0, 0, 0] * 255)
    elif mode in ("I;16", "I"):
        picture = Image.fromarray(truth.astype(np.uint16) * 300)
        picture = picture if mode == "I;16" else Image.fromarray(truth.astype(np.int32) * 300)
    elif mode == "1":
        picture = Image.fromarray(truth.astype(bool))
    else:
        picture = Image.fromarray(truth * 255).convert("L" if mode == "jpeg" else mode)
    picture.save(path)
    assert np.array_equal(read_mask(sample_of(path)), truth)


def test_read_mask_threshold_and_errors(tmp_path):
    path = tmp_path / "mask.png"
    Image.fromarray(np.full((H, W), 100, np.uint8)).save(path)
    assert read_mask(sample_of(path)).all()
    assert not read_mask(sample_of(path, threshold=127)).any()
    mask(path, size=(H + 1, W))
    with pytest.raises(DatasetError, match=r"mask.png: mask of 16 x 13 px, but .*image.png has 16 x 12 px"):
        read_mask(sample_of(path))
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"mask.png: empty file"):
        read_mask(sample_of(path))
    path.unlink()
    with pytest.raises(DatasetError, match=r"mask.png: no such file"):
        read_mask(sample_of(path))


def test_spec():
    spec = parse_data_spec("a=pairs:/x/y=z:w")
    assert (spec.key, spec.layout, spec.path.as_posix()) == ("a", "pairs", "/x/y=z:w")
    assert parse_data_spec("mvtec:/x/y=z").key == "y=z"
    assert parse_data_spec("tn3k:data/tn").layout == "tn3k"


@pytest.mark.parametrize("bad, word", [("/x/y", "give"), ("what:/x", "unknown layout 'what'"), ("=pairs:/x", "empty"),
                                       ("pairs:", "give")])  # fmt: skip
def test_spec_errors(bad, word):
    with pytest.raises(UsageError, match=word):
        parse_data_spec(bad)


def test_repeated_key():
    assert len(parse_data_specs(["pairs:/a/x", "y=pairs:/b/x"])) == 2
    with pytest.raises(UsageError, match="'x' is used twice"):
        parse_data_specs(["pairs:/a/x", "mvtec:/b/x"])
