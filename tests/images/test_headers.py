"""What headers say of pixels: orientation, grey TIFF forms, large notes in PNG, unused alpha; files built by hand."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from zsad.errors import InputError
from zsad.images.headers import read_header, turned
from zsad.images.preprocess import decode

GREY = np.random.default_rng(0).integers(0, 4096, (21, 30)).astype(np.uint16)
COLOUR = Image.fromarray(np.random.default_rng(1).integers(0, 256, (24, 40, 3), dtype=np.uint8))


def packed(values: np.ndarray, bits: int, order: str) -> bytes:
    """Samples as TIFF stores them: 8 and 16 bits in whole bytes, others bit by bit, each row from a new byte on."""
    if bits == 8:
        return values.astype(np.uint8).tobytes()
    if bits == 16:
        return values.astype(f"{order}u2").tobytes()
    rows = ["".join(f"{int(v):0{bits}b}" for v in row) for row in values]
    rows = [row + "0" * (-len(row) % 8) for row in rows]
    return b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)


def tiff(values: np.ndarray, bits: int, *, white_is_zero=False, order="<", deflate=False, rows=None) -> bytes:
    """A grey TIFF file by the book (TIFF 6.0); ``rows`` per strip."""
    stored = (2**bits - 1 - values.astype(int)) if white_is_zero else values
    height, width = values.shape
    rows = rows or height
    strips = [packed(stored[y : y + rows], bits, order) for y in range(0, height, rows)]
    strips = [zlib.compress(strip) if deflate else strip for strip in strips]
    offsets = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    after = 8 + sum(map(len, strips))
    after += after % 2
    lists = struct.pack(f"{order}{2 * len(strips)}I", *offsets, *map(len, strips))
    count, at = len(strips), after
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, 8 if deflate else 1),
               (262, 3, 1, 0 if white_is_zero else 1),
               (273, 4, count, at if count > 1 else offsets[0]), (277, 3, 1, 1), (278, 4, 1, rows),
               (279, 4, count, at + 4 * count if count > 1 else len(strips[0]))]  # fmt: skip

    def entry(tag, kind, number, value):
        field = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
        return struct.pack(f"{order}HHI", tag, kind, number) + field

    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entry(*one) for one in entries) + bytes(4)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", after + len(lists))
    body = b"".join(strips)
    return head + body + bytes(after - 8 - len(body)) + lists + directory


@pytest.mark.parametrize("rows", [None, 4])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_tiff_is_read_as_its_header_says(tmp_path, bits, white_is_zero, order, deflate, rows):
    values = GREY % 2**bits if bits < 12 else GREY * (2**bits - 1) // 4095
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(values, bits, white_is_zero=white_is_zero, order=order, deflate=deflate, rows=rows))
    right = np.rint(values.astype(float) * 255 / (2**bits - 1))
    assert np.abs(np.asarray(decode(path).image).astype(int) - right).max() <= (0 if bits == 8 else 0.5)
    assert read_header(path).size == GREY.shape


def test_float_tiff_that_counts_from_white(tmp_path):
    ramp = np.linspace(0, 1, 192, dtype=np.float32).reshape(12, 16)
    Image.fromarray(1 - ramp).save(tmp_path / "x.tif", tiffinfo={262: 0})
    data = (tmp_path / "x.tif").read_bytes()
    assert Image.open(BytesIO(data)).tag_v2[262] == 0
    assert np.abs(np.asarray(decode(tmp_path / "x.tif").image) / 255 - ramp).max() < 0.003


def test_bits_of_the_caller_hold_in_a_wider_sample(tmp_path):
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(GREY, 16))
    assert np.abs(np.asarray(decode(path, bits=12).image) - GREY * (255 / 4095)).max() <= 0.5
    # The header says 12 bits: 12 is right, and what is asked for beyond that changes nothing.
    path.write_bytes(tiff(GREY, 12))
    assert np.abs(np.asarray(decode(path, bits=12).image) - GREY * (255 / 4095)).max() <= 0.5
    # White is zero within the bits that are used.
    (tmp_path / "y.tif").write_bytes(tiff(65535 - (4095 - GREY), 16, white_is_zero=True))
    assert np.abs(np.asarray(decode(tmp_path / "y.tif", bits=12).image) - GREY * (255 / 4095)).max() <= 0.5


@pytest.mark.parametrize("bits", [12, 16])
def test_pgm_is_scaled_by_its_own_largest_value(tmp_path, bits):
    (tmp_path / "x.pgm").write_bytes(b"P5 30 21 4095\n" + GREY.astype(">u2").tobytes())
    assert np.abs(np.asarray(decode(tmp_path / "x.pgm", bits=bits).image) - GREY * (255 / 4095)).max() <= 0.6


def test_a_tiff_of_another_kind_is_refused_by_name(tmp_path):
    data = tiff(GREY, 12, white_is_zero=True)
    (tmp_path / "lzw.tif").write_bytes(data.replace(struct.pack("<HHI2H", 259, 3, 1, 1, 0),
                                                    struct.pack("<HHI2H", 259, 3, 1, 5, 0)))  # fmt: skip
    with pytest.raises(InputError, match=r"lzw\.tif: grey TIFF of 12 bits is not read in this form; save it as PNG"):
        decode(tmp_path / "lzw.tif")
    (tmp_path / "cut.tif").write_bytes(data.replace(struct.pack("<HHII", 279, 4, 1, 945),
                                                    struct.pack("<HHII", 279, 4, 1, 94)))  # fmt: skip
    with pytest.raises(InputError, match=r"cut\.tif: damaged or truncated image \(a strip ends too early\)"):
        decode(tmp_path / "cut.tif")


# ---- orientation


@pytest.mark.parametrize("kind", ["tif", "jpg", "png"])
@pytest.mark.parametrize("number", range(1, 9))
def test_header_gives_stored_and_upright_size(tmp_path, kind, number):
    exif = Image.Exif()
    exif[0x0112] = number
    COLOUR.save(tmp_path / f"x.{kind}", exif=exif)
    header = read_header(tmp_path / f"x.{kind}")
    assert (header.size, header.orientation) == ((24, 40), number)
    assert header.upright == decode(tmp_path / f"x.{kind}").size
    mask = np.zeros((24, 40), np.uint8)
    mask[2:5, 3:20] = 1
    exif_turned = BytesIO()
    Image.fromarray(mask).save(exif_turned, "PNG", exif=exif)
    from PIL import ImageOps

    assert np.array_equal(turned(mask, number), np.asarray(ImageOps.exif_transpose(Image.open(exif_turned))))


# ---- PNG with much beside the pixels


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


LARGE = zlib.compress(b"<x/>" * 600_000)
NOTES = {
    "iTXt": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + LARGE),
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + LARGE),
    "iCCP": chunk(b"iCCP", b"profile\0\0" + LARGE),
    "many": b"".join(chunk(b"tEXt", b"Comment\0" + b"x" * 1_000_000) for _ in range(70)),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("kind", NOTES)
def test_png_with_large_notes_is_read(tmp_path, kind, place):
    if (kind, place) == ("iCCP", "after"):
        pytest.skip("a profile stands before the pixels")
    buffer = BytesIO()
    COLOUR.save(buffer, "PNG", pnginfo=None)
    data = buffer.getvalue()
    at = 33 if place == "before" else len(data) - 12
    (tmp_path / "x.png").write_bytes(data[:at] + NOTES[kind] + data[at:])
    assert np.array_equal(np.asarray(decode(tmp_path / "x.png").image), np.asarray(COLOUR))


def test_small_notes_stay_where_they_are(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    from zsad.images.png_notes import without_large_notes

    notes = PngInfo()
    notes.add_itxt("Title", "part 7", zip=True)
    COLOUR.save(tmp_path / "x.png", pnginfo=notes)
    with (tmp_path / "x.png").open("rb") as file:
        assert without_large_notes(file) is file and file.tell() == 0


# ---- alpha that nobody meant


@pytest.mark.parametrize("value", [0, 1, 128])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "tif"])
def test_unused_alpha_leaves_the_image_as_it_is(tmp_path, mode, value):
    path = tmp_path / ("x.tif" if mode == "tif" else "x.png")
    if mode == "P":
        image = COLOUR.convert("P", palette=Image.Palette.ADAPTIVE)
        opaque = image.convert("RGB")
        image.save(path, transparency=bytes([value] * 256))
    else:
        opaque = COLOUR.convert("L" if mode == "LA" else "RGB")
        image = opaque.copy()
        image.putalpha(value)
        image.save(path)
    decoded = decode(path)
    assert decoded.image.mode == "RGB" and any("alpha" in note for note in decoded.notes)
    assert np.array_equal(np.asarray(decoded.image), np.asarray(opaque.convert("RGB")))


def test_alpha_that_is_used_stays():
    image = COLOUR.copy()
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert decode(image).image.mode == "RGBA" and decode(image).notes == ()
