"""Masks as people write them, read as the plain mask would be; and which way up they lie on a turned image."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps
from typer.testing import CliRunner

from zsad.cli import app
from zsad.data.files import Report
from zsad.data.layouts import LAYOUTS
from zsad.data.mask_values import ALPHA, SOFT, is_soft
from zsad.data.masks import mask_files, read_mask, read_truth
from zsad.data.orientation import settled
from zsad.data.spec import load_samples, parse_data_spec
from zsad.errors import DatasetError, UsageError
from zsad.types import Sample

H, W = 60, 90
TRUTH = np.zeros((H, W), np.uint8)
TRUTH[10:22, 15:50] = 1
TRUTH[40:44, 70:88] = 1
SHAPE = Image.fromarray(TRUTH * np.uint8(255))


def sample_of(path, image=None, **more):
    if image is None:
        image = path.parent / "image.png"
        Image.new("RGB", (W, H), "grey").save(image)
    return Sample(image, 1, path, mask_threshold=0, has_masks=True, **more)


def read(path, **more):
    return read_truth(sample_of(path, **more))


def with_alpha(colour, alpha=SHAPE):
    image = colour if isinstance(colour, Image.Image) else Image.new("RGB", (W, H), colour)
    image = image.copy()
    image.putalpha(alpha)
    return image


def palette(colours, alphas):
    image = Image.fromarray(TRUTH).convert("P")
    image.putpalette([c for colour in colours for c in colour] + [0] * (768 - 3 * len(colours)))
    return image, {"transparency": bytes(alphas)}


def deep_grey_alpha():
    """PNG of 16-bit grey with alpha: white throughout, the mask in alpha."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.stack([np.full((H, W), 65535, ">u2"), (TRUTH * np.uint16(65535)).astype(">u2")], axis=2)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, 16, 4, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))  # fmt: skip


RED_ON_NOTHING = with_alpha(Image.composite(Image.new("RGB", (W, H), "red"), Image.new("RGB", (W, H), "white"), SHAPE))
IN_ALPHA = {
    "white RGBA": ("m.png", with_alpha("white"), {}),
    "black RGBA": ("m.png", with_alpha("black"), {}),
    "black LA": ("m.png", with_alpha(Image.new("L", (W, H))), {}),
    "white LA": ("m.png", with_alpha(Image.new("L", (W, H), 255)), {}),
    "black on white that is transparent": ("m.png", with_alpha(ImageOps.invert(SHAPE).convert("RGB")), {}),
    "palette of one colour": ("m.png", *palette([(9, 9, 9), (9, 9, 9)], [0, 255])),
    "WebP": ("m.webp", with_alpha("white"), {"lossless": True, "exact": True}),
    "TIFF": ("m.tif", with_alpha("white"), {}),
    "TIFF LA": ("m.tiff", with_alpha(Image.new("L", (W, H), 3)), {}),
}
IN_COLOUR = {
    "opaque RGBA": ("m.png", with_alpha(SHAPE.convert("RGB"), Image.new("L", (W, H), 255)), {}),
    "unused alpha": ("m.png", with_alpha(SHAPE.convert("RGB"), Image.new("L", (W, H))), {}),
    "LA with unused alpha": ("m.png", with_alpha(SHAPE, Image.new("L", (W, H))), {}),
    "red on nothing": ("m.png", RED_ON_NOTHING, {}),
    "label 1, painted": ("m.png", with_alpha(Image.fromarray(TRUTH)), {}),
    "palette, background transparent": ("m.png", *palette([(0, 0, 0), (250, 0, 0)], [0, 255])),
    "grey with a transparent value": ("m.png", SHAPE, {"transparency": 255}),
    "colour with a transparent value": ("m.png", SHAPE.convert("RGB"), {"transparency": (255, 255, 255)}),
    "GIF": ("m.gif", SHAPE, {}),
    "GIF with a transparent background": ("m.gif", Image.fromarray(TRUTH * np.uint8(255)), {"transparency": 0}),
    "16 bits": ("m.png", Image.fromarray(TRUTH * np.uint16(300)), {}),
}


@pytest.mark.parametrize("kind", IN_ALPHA)
def test_a_defect_in_the_alpha_channel(tmp_path, kind):
    name, image, options = IN_ALPHA[kind]
    image.save(tmp_path / name, **options)
    found = read(tmp_path / name)
    assert np.array_equal(found.mask, TRUTH) and found.notes == (ALPHA,)


@pytest.mark.parametrize("kind", IN_COLOUR)
def test_a_defect_in_the_colours(tmp_path, kind):
    name, image, options = IN_COLOUR[kind]
    image.save(tmp_path / name, **options)
    assert np.array_equal(read(tmp_path / name).mask, TRUTH)


def test_16_bit_grey_with_alpha(tmp_path):
    (tmp_path / "m.png").write_bytes(deep_grey_alpha())
    assert np.array_equal(read(tmp_path / "m.png").mask, TRUTH)


@pytest.mark.parametrize("colour", ["black", "white"])
def test_a_canvas_that_nothing_was_painted_on_is_empty(tmp_path, colour):
    with_alpha(colour, Image.new("L", (W, H))).save(tmp_path / "m.png")
    assert not read(tmp_path / "m.png").mask.any()


# ---- soft edges


def drawn(kind, seed, scale=1):
    rng = np.random.default_rng(seed)
    image = Image.new("L", (320 * scale, 192 * scale))
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y, r = (int(v) * scale for v in (rng.integers(20, 250), rng.integers(20, 130), rng.integers(8, 40)))
        if kind == "disc":
            draw.ellipse((x, y, x + r, y + r), fill=255)
        elif kind == "line":
            draw.line((x, y, x + r, y + r), fill=255, width=5 * scale)
        else:
            draw.polygon([(x, y), (x + r, y + r // 2), (x + r // 3, y + r)], fill=255)
    return image


def jpeg(image, quality):
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


SOFTENED = {
    "JPEG 20": lambda k, s: (drawn(k, s), jpeg(drawn(k, s), 20)),
    "JPEG 60": lambda k, s: (drawn(k, s), jpeg(drawn(k, s), 60)),
    "JPEG 90": lambda k, s: (drawn(k, s), jpeg(drawn(k, s), 90)),
    "JPEG 98": lambda k, s: (drawn(k, s), jpeg(drawn(k, s), 98)),
    "blurred": lambda k, s: (drawn(k, s), drawn(k, s).filter(ImageFilter.GaussianBlur(2))),
    "drawn large": lambda k, s: (
        drawn(k, s, 4).resize((320, 192), Image.Resampling.BOX).point(lambda v: 255 * (v > 127)),
        drawn(k, s, 4).resize((320, 192), Image.Resampling.BOX),
    ),
}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", ["disc", "line", "corner"])
@pytest.mark.parametrize("how", SOFTENED)
def test_soft_masks_are_cut_at_the_middle_and_it_is_said(tmp_path, how, kind, seed):
    hard, soft = SOFTENED[how](kind, seed)
    soft.save(tmp_path / "m.png")
    Image.new("L", (320, 192)).save(tmp_path / "image.png")
    found = read(tmp_path / "m.png", image=tmp_path / "image.png")
    truth = np.asarray(hard) > 127
    assert found.notes == (SOFT,)
    assert (found.mask.astype(bool) & truth).sum() / (found.mask.astype(bool) | truth).sum() > (
        0.7 if how == "blurred" else 0.93  # a blur of 2 px takes corners off
    )


@pytest.mark.parametrize("dtype, top", [(np.uint16, 65535), (np.float32, 1.0), (np.int32, 1000)])
def test_soft_masks_of_other_numbers(tmp_path, dtype, top):
    soft = np.asarray(drawn("disc", 1).filter(ImageFilter.GaussianBlur(2)), np.float64) / 255 * top
    Image.fromarray(soft.astype(dtype)).save(tmp_path / "m.tif")
    Image.new("L", (320, 192)).save(tmp_path / "image.png")
    found = read(tmp_path / "m.tif", image=tmp_path / "image.png").mask
    assert np.array_equal(found, (soft.astype(dtype) > soft.astype(dtype).max() / 2).astype(np.uint8))


@pytest.mark.parametrize("values", [(1, 2, 3), (50, 100, 255), (128, 255), (3, 255), tuple(range(1, 25))])
def test_labels_are_all_defect(values):
    labels = np.zeros((200, 300), np.uint8)
    for i, value in enumerate(values):
        labels[10 + 7 * i : 16 + 7 * i, 20 : 40 + 5 * i] = value
        labels[5:190, 150 + 4 * i : 151 + 4 * i] = value
    assert not is_soft(labels)


def test_nan_in_a_mask_is_named(tmp_path):
    values = TRUTH.astype(np.float32)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "m.tif")
    with pytest.raises(DatasetError, match=r"m\.tif: contains NaN"):
        read(tmp_path / "m.tif")


# ---- orientation


def turned_image(path, number, size=(H, W), upright=False):
    """An image whose stored pixels have ``size``, or whose upright picture has."""
    exif = Image.Exif()
    exif[0x0112] = number
    height, width = size[::-1] if upright and number >= 5 else size
    Image.new("RGB", (width, height), "grey").save(path, exif=exif)
    return path


@pytest.mark.parametrize("kind", ["jpg", "png", "tif"])
@pytest.mark.parametrize("number", range(5, 9))
def test_sizes_tell_stored_from_upright(tmp_path, kind, number):
    SHAPE.save(tmp_path / "m.png")
    stored = read(tmp_path / "m.png", image=turned_image(tmp_path / f"s.{kind}", number))
    upright = read(tmp_path / "m.png", image=turned_image(tmp_path / f"u.{kind}", number, upright=True))
    assert (stored.upright, upright.upright) == (False, True)
    assert np.array_equal(stored.mask, TRUTH) and np.array_equal(upright.mask, TRUTH)


@pytest.mark.parametrize("number, size", [(2, (H, W)), (3, (H, W)), (4, (H, W)), (6, (H, H)), (8, (H, H))])
def test_what_sizes_cannot_tell_is_refused_until_it_is_said(tmp_path, number, size):
    mask = TRUTH[: size[0], : size[1]]
    Image.fromarray(mask * np.uint8(255)).save(tmp_path / "m.png")
    image = turned_image(tmp_path / "i.jpg", number, size)
    with pytest.raises(
        DatasetError, match=rf"i\.jpg: EXIF orientation {number}, and .*--masks stored or --masks upright"
    ):
        read(tmp_path / "m.png", image=image)
    for upright in (False, True):
        assert read(tmp_path / "m.png", image=image, upright=upright).upright is upright
    even = np.zeros(size, np.uint8)
    even[5:-5, 5:-5] = 255
    Image.fromarray(even).save(tmp_path / "m.png")  # the same either way up
    assert read(tmp_path / "m.png", image=image).mask.any()


@pytest.mark.parametrize("number", range(2, 9))
def test_a_mask_turned_with_its_image(tmp_path, number):
    exif = Image.Exif()
    exif[0x0112] = number
    SHAPE.save(tmp_path / "m.png", exif=exif)
    reference = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "m.png"))) > 0
    for kind in ("png", "tif"):
        SHAPE.save(tmp_path / f"m.{kind}", exif=exif)
        found = read(tmp_path / f"m.{kind}", image=turned_image(tmp_path / "i.jpg", number))
        assert not found.upright and np.array_equal(found.mask, TRUTH)
        said = read(tmp_path / f"m.{kind}", image=turned_image(tmp_path / "i.jpg", number), upright=True)
        assert said.upright and np.array_equal(said.mask, reference)


def test_a_mask_that_fits_neither_way_names_both_sizes(tmp_path):
    SHAPE.save(tmp_path / "m.png")
    with pytest.raises(DatasetError, match=r"mask of 90 x 60 px, but .*i\.jpg has 91 x 60 px \(EXIF orientation 6\)"):
        read(tmp_path / "m.png", image=turned_image(tmp_path / "i.jpg", 6, (H, W + 1)))
    with pytest.raises(DatasetError, match=r"they don't fit upright"):
        read(tmp_path / "m.png", image=turned_image(tmp_path / "i.jpg", 6), upright=True)


def test_images_without_a_mask_are_read_as_the_others_of_their_class(tmp_path):
    SHAPE.save(tmp_path / "m.png")
    bad = sample_of(tmp_path / "m.png", turned_image(tmp_path / "i.jpg", 6, upright=True), class_name="a")
    good, other = (Sample(tmp_path / "g.jpg", 0, class_name=c, has_masks=True) for c in "ab")
    assert [s.upright for s in settled([bad, good, other])] == [None, True, None]
    assert [s.upright for s in settled([bad, good], "stored")] == [False, False]
    with pytest.raises(UsageError, match="--masks sideways: give auto, stored or upright"):
        settled([bad], "sideways")


# ---- names


def two_names(tmp_path, *masks):
    (tmp_path / "images").mkdir(parents=True)
    (tmp_path / "masks").mkdir()
    SHAPE.save(tmp_path / "images" / "a.png")
    for name in masks:
        SHAPE.save(tmp_path / "masks" / name)
    report = Report()
    LAYOUTS["pairs"](tmp_path, report)
    return report.problems


def test_two_masks_of_one_name_are_reported(tmp_path):
    assert two_names(tmp_path / "one", "a.png") == []
    for i, names in enumerate([("a.png", "a.tif"), ("a_mask.png", "a_mask.bmp"), ("a.png", "a_mask.png")]):
        problems = "; ".join(two_names(tmp_path / str(i), *names))
        assert "duplicate name" in problems or "two masks fit" in problems
    tree = tmp_path / "mvtec"
    for folder in ("test/dent", "test/good", "ground_truth/dent/0"):
        (tree / folder).mkdir(parents=True)
    SHAPE.save(tree / "test/dent/0.png")
    SHAPE.save(tree / "test/good/0.png")
    SHAPE.save(tree / "ground_truth/dent/0/000.png")
    SHAPE.save(tree / "ground_truth/dent/0.png")
    with pytest.raises(DatasetError, match=r"dent/0: a folder of masks, and 0\.png exists too"):
        load_samples(parse_data_spec(f"mvtec:{tree}"))


@pytest.mark.parametrize("image_form, mask_form", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_two_unicode_forms_are_one(tmp_path, image_form, mask_form):
    name, kind = "pi\u00e8ce", "\u00e9raflure"
    for form, place, ending in ((image_form, "test", ""), (mask_form, "ground_truth", "_mask")):
        folder = tmp_path / place / unicodedata.normalize(form, kind)
        folder.mkdir(parents=True)
        SHAPE.save(folder / f"{unicodedata.normalize(form, name)}{ending}.png")
    (tmp_path / "test/good").mkdir()
    SHAPE.save(tmp_path / "test/good/0.png")
    samples = load_samples(parse_data_spec(f"mvtec:{tmp_path}")).samples
    assert [sample.mask is not None for sample in samples if sample.label] == [True]


@pytest.mark.parametrize(
    "name", ["._000.png", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/000.png", "__MACOSX/0.png"]
)
def test_what_file_managers_leave_is_no_mask(tmp_path, name):
    folder = tmp_path / "000"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(b"\0\5\x16\7" + bytes(60))
    SHAPE.save(folder / "000.png")
    assert mask_files(folder) == [folder / "000.png"]
    assert np.array_equal(read_mask(sample_of(folder)), TRUTH)


# ---- as a command says it


@pytest.fixture
def tree(tmp_path):
    """Two defects and two good images of 12 bits, in the MVTec form."""
    for folder in ("test/dent", "test/good", "ground_truth/dent"):
        (tmp_path / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(2):
        good = rng.normal(1700, 80, (H, W)).clip(0, 4095).astype(np.uint16)
        bad = np.where(TRUTH > 0, 100, good).astype(np.uint16)
        Image.fromarray(good).save(tmp_path / f"test/good/{i}.png")
        Image.fromarray(bad).save(tmp_path / f"test/dent/{i}.png")
        SHAPE.save(tmp_path / f"ground_truth/dent/{i}_mask.png")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def figures(tree, *more):
    result = run("eval", "--data", f"mvtec:{tree}", "--json", "-", *more)
    return result, next(iter(json.loads(result.stdout)["datasets"].values()))["classes"][tree.name]


def test_bits_make_12_bit_data_what_the_camera_meant(tree, tmp_path_factory):
    eight = tmp_path_factory.mktemp("eight") / tree.name
    for path in tree.rglob("*.png"):
        target = eight / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        values = np.asarray(Image.open(path))
        deep = values.dtype != np.uint8  # Pillow reads 16 bits as uint16 or as int32
        Image.fromarray(np.rint(values * (255 / 4095)).astype(np.uint8) if deep else values).save(target)
    names = ("image_auroc", "pixel_ap", "pixel_auroc", "pixel_aupro")
    deep, plain = figures(tree, "--bits", "12")[1], figures(eight)[1]
    assert [deep[name] for name in names] == pytest.approx([plain[name] for name in names], abs=0.02)
    dark = figures(tree)[1]
    assert abs(dark["pixel_aupro"] - plain["pixel_aupro"]) > 10 * abs(deep["pixel_aupro"] - plain["pixel_aupro"])


def test_an_all_black_mask_of_a_defect_is_reported_and_not_measured(tree):
    whole = figures(tree, "--bits", "12")[1]
    Image.new("L", (W, H)).save(tree / "ground_truth/dent/1_mask.png")
    result, found = figures(tree, "--bits", "12")
    assert result.exit_code == 1 and "1_mask.png: no defect pixel in it" in result.stderr
    assert found["n_anomalous"] == 2  # its image is judged; only its pixels are nobody's
    (tree / "ground_truth/dent/1_mask.png").unlink()
    (tree / "test/dent/1.png").unlink()
    alone = figures(tree, "--bits", "12")[1]
    assert found["pixel_ap"] == pytest.approx(alone["pixel_ap"]) and whole["pixel_ap"] != found["pixel_ap"]


def test_notes_on_masks_are_printed_and_recorded(tree):
    with_alpha("white").save(tree / "ground_truth/dent/1_mask.png")
    result, found = figures(tree, "--bits", "12")
    assert result.exit_code == 0 and "1 masks: defect read from the alpha channel" in result.stderr
    assert found["notes"] == ["1 masks: defect read from the alpha channel (such as test/dent/1.png)"]


def test_masks_option_settles_what_sizes_cannot(tree):
    exif = Image.Exif()
    exif[0x0112] = 3
    for path in (tree / "test").rglob("*.png"):
        with Image.open(path) as image:
            image.load()
            image.rotate(180).save(path, exif=exif)
    refused = run("eval", "--data", f"mvtec:{tree}", "--bits", "12")
    assert refused.exit_code == 1 and "EXIF orientation 3" in refused.stderr
    upright, stored = (figures(tree, "--bits", "12", "--masks", way)[1] for way in ("upright", "stored"))
    assert upright["pixel_auroc"] > stored["pixel_auroc"] + 0.2
    assert run("eval", "--data", f"mvtec:{tree}", "--masks", "sideways").exit_code == 2


def test_it_needs_no_torch():
    code = "import sys, zsad.data.masks, zsad.data.orientation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
