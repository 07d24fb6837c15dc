from __future__ import annotations

import os
import random
import struct
import sys
import threading
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, features

from zsad.card import ModelCard
from zsad.errors import InputError
from zsad.images.preprocess import check_aspect, decode, network_input

CARD = ModelCard.of(image_size=32, patch_size=8)
RNG = np.random.default_rng(0)
RGB = Image.fromarray(RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8))
GREY = Image.fromarray(RNG.integers(0, 256, (24, 40), dtype=np.uint8))


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def bytes_of(image: Image.Image, kind: str, **options) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# ---- what is converted


@pytest.mark.parametrize(
    ("kind", "suffix"), [("PNG", "png"), ("BMP", "bmp"), ("TIFF", "tif"), ("PPM", "ppm"), ("WEBP", "webp")]
)
def test_lossless_formats_keep_their_pixels(tmp_path, kind, suffix):
    if kind == "WEBP" and not features.check("webp"):
        pytest.skip("PIL without WebP")
    options = {"lossless": True} if kind == "WEBP" else {}
    decoded = decode(saved(tmp_path / f"x.{suffix}", RGB, format=kind, **options))
    assert decoded.notes == () and decoded.size == (24, 40)
    assert np.array_equal(np.asarray(decoded.image), np.asarray(RGB))


def test_format_is_told_from_the_content_not_the_name(tmp_path):
    (tmp_path / "x.jpg").write_bytes(bytes_of(RGB, "PNG"))
    assert np.array_equal(np.asarray(decode(tmp_path / "x.jpg").image), np.asarray(RGB))


@pytest.mark.parametrize(
    ("mode", "result", "note"),
    [
        ("L", "L", ""),
        ("RGB", "RGB", ""),
        ("RGBA", "RGBA", ""),
        ("1", "L", "1-bit"),
        ("P", "RGB", "palette"),
        ("LA", "RGBA", "LA"),
        ("CMYK", "RGB", "CMYK"),
        ("YCbCr", "RGB", "YCbCr"),
        ("HSV", "RGB", "HSV"),
        ("RGBX", "RGB", "RGBX"),
    ],
)
def test_modes(mode, result, note):
    decoded = decode(RGB.convert("RGB").convert(mode))
    assert decoded.image.mode == result
    assert note in "".join(decoded.notes) and bool(decoded.notes) == bool(note)


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_modes(mode):
    source = RGB.convert("RGBA").convert("RGBa") if mode == "RGBa" else GREY.convert("LA").convert("La")
    assert decode(source).image.mode == "RGBA"


def test_unsupported_mode_is_named():
    with pytest.raises(InputError, match="colour mode LAB is not supported; save it as RGB"):
        decode(Image.new("LAB", (20, 20)))


def test_palette_with_transparency(tmp_path):
    image = RGB.convert("P", palette=Image.Palette.ADAPTIVE)
    decoded = decode(saved(tmp_path / "x.png", image, transparency=3))
    assert decoded.image.mode == "RGBA" and decoded.notes == ("palette read as RGBA",)


def test_cmyk_jpeg(tmp_path):
    decoded = decode(saved(tmp_path / "x.jpg", RGB.convert("CMYK")))
    assert decoded.image.mode == "RGB" and "CMYK" in decoded.notes[0]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_the_same_for_every_image(tmp_path, suffix):
    dark = np.linspace(0, 5140, 24 * 40).reshape(24, 40).astype(np.uint16)
    decoded = decode(saved(tmp_path / f"x.{suffix}", Image.fromarray(dark)))
    assert decoded.notes == ("16-bit scaled by 1/257",)
    assert np.abs(np.asarray(decoded.image) - dark / 257).max() <= 0.5
    assert np.asarray(decoded.image).max() == 20  # not stretched to its own range


def test_bits_of_a_12_bit_camera(tmp_path):
    values = (np.arange(24 * 40).reshape(24, 40) * 4).astype(np.uint16)
    path = saved(tmp_path / "x.png", Image.fromarray(values))
    decoded = decode(path, bits=12)
    assert np.abs(np.asarray(decoded.image) - values * (255 / 4095)).max() <= 0.5 + 1e-3
    with pytest.raises(InputError, match="outside of 10 bits; give the right bits"):
        decode(path, bits=10)
    with pytest.raises(InputError, match=r"bits must lie in 8\.\.16"):
        decode(path, bits=17)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_16_bit_colour() -> bytes:
    width, height = 20, 10
    row = b"\0" + struct.pack(">60H", *[x * 3277 for x in range(width) for _ in range(3)])

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


def test_16_bit_colour_is_said_and_not_scaled_wrongly(tmp_path):
    (tmp_path / "x.png").write_bytes(png_16_bit_colour())
    decoded = decode(tmp_path / "x.png")
    assert decoded.image.mode == "RGB" and decoded.notes == ("16-bit colour read as its high 8 bits",)
    assert np.asarray(decoded.image)[0, 19].tolist() == [243] * 3
    with pytest.raises(InputError, match=r"x\.png: 16-bit colour can't be scaled from 12 bits"):
        decode(tmp_path / "x.png", bits=12)


def test_big_endian_arrays_and_float_tiff(tmp_path):
    values = RNG.integers(0, 65536, (12, 16), dtype=np.uint16)
    little, big = decode(values), decode(values.astype(">u2"))
    assert np.array_equal(np.asarray(little.image), np.asarray(big.image))
    ramp = np.linspace(0, 1, 192, dtype=np.float32).reshape(12, 16)
    decoded = decode(saved(tmp_path / "x.tif", Image.fromarray(ramp)))
    assert np.abs(np.asarray(decoded.image) / 255 - ramp).max() < 0.003
    with pytest.raises(InputError, match="float values reach from 0 to 2; scale them"):
        decode(saved(tmp_path / "y.tif", Image.fromarray(ramp * 2)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(12, 16), (12, 16, 1), (12, 16, 3)])
def test_float_arrays(dtype, shape):
    values = RNG.random(shape).astype(dtype)
    decoded = decode(values)
    assert decoded.image.mode == ("RGB" if shape[-1] == 3 else "L") and decoded.size == (12, 16)
    assert np.abs(np.asarray(decoded.image) / 255 - values.reshape(np.asarray(decoded.image).shape)).max() < 0.003


def test_bool_array_is_black_and_white():
    assert np.asarray(decode(np.eye(16, dtype=bool)).image).max() == 255


def test_animation_and_pages_use_the_first(tmp_path):
    other = Image.new("RGB", RGB.size)
    for name in ("x.gif", "x.webp", "x.png", "x.tif"):
        if name.endswith("webp") and not features.check("webp"):
            continue
        lossless = {"lossless": True} if name.endswith("webp") else {}
        path = saved(tmp_path / name, RGB, save_all=True, append_images=[other, other], **lossless)
        decoded = decode(path)
        assert "first of several frames or pages" in decoded.notes, name
        near = 255 if name.endswith("gif") else 0
        assert np.abs(np.asarray(decoded.image.convert("RGB")).astype(int) - np.asarray(RGB)).max() <= near, name
        assert np.asarray(decoded.image).any(), name


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, suffix, orientation):
    if suffix == "webp" and not features.check("webp"):
        pytest.skip("PIL without WebP")
    ramp = Image.fromarray(np.add.outer(np.arange(24) * 6, np.arange(40) * 2).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"x.{suffix}", ramp, exif=exif, **({"quality": 100} if suffix != "png" else {}))
    upright, stored = decode(path), decode(path, orient=False)
    assert stored.size == (24, 40)
    assert upright.size == ((40, 24) if orientation >= 5 else (24, 40))
    assert (upright.notes == ("EXIF orientation applied",)) == (orientation > 1)
    from PIL import ImageOps

    reference = stored.image.convert("L")
    reference.getexif()[0x0112] = orientation
    assert np.array_equal(np.asarray(upright.image.convert("L")), np.asarray(ImageOps.exif_transpose(reference)))
    assert np.abs(np.asarray(stored.image.convert("L")).astype(int) - np.asarray(ramp)).max() <= 8


def test_damaged_exif_does_not_lose_the_image(tmp_path):
    path = saved(tmp_path / "x.jpg", RGB, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12")
    assert decode(path).size == (24, 40)


# ---- what is refused


def refused(source, match: str, **options) -> None:
    with pytest.raises(InputError, match=match) as error:
        decode(source, **options)
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    refused(tmp_path / "no.png", r"no\.png: no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", r"empty\.png: empty file")
    (tmp_path / "text.png").write_text("hello")
    refused(tmp_path / "text.png", "not an image that can be read")
    (tmp_path / "x.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n")
    refused(tmp_path / "x.eps", "not an image that can be read")  # PIL would start ghostscript
    (tmp_path / "clip.MP4").write_bytes(b"no picture")
    refused(tmp_path / "clip.MP4", "a video, not an image; score its frames with `zsad video score`")
    refused("nul\0byte.png", "not a file name")
    refused(str(tmp_path / ("x" * 5000)), "can't be read")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "WEBP"])
def test_truncated_files(tmp_path, kind):
    if kind == "WEBP" and not features.check("webp"):
        pytest.skip("PIL without WebP")
    big = Image.fromarray(RNG.integers(0, 256, (100, 120, 3), dtype=np.uint8))
    whole = bytes_of(big, kind)
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "cut: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", "not a regular file")


def test_a_loop_of_links(tmp_path):
    try:
        (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    except OSError:
        pytest.skip("no links on this system")
    refused(tmp_path / "a.png", r"a\.png: can't be read")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_not_allowed(tmp_path):
    path = saved(tmp_path / "x.png", RGB)
    path.chmod(0)
    refused(path, "not allowed to read it")


def test_names_stay_on_one_line(tmp_path):
    refused(str(tmp_path / "two\nlines\x1b[31m.png"), r"two\\nlines\\x1b\[31m\.png: no such file")


def test_sizes():
    refused(np.zeros((7, 100), np.uint8), "100 x 7 px is too small")
    refused(np.zeros((0, 0), np.uint8), "too small")
    assert decode(np.zeros((8, 8), np.uint8)).size == (8, 8)
    huge = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (20_000, 20_000), (0, 0))
    refused(huge, "above the limit")
    check_aspect(800, 100, "x")
    with pytest.raises(InputError, match=r"801 x 100 px is longer than 8:1; use tiles"):
        check_aspect(801, 100, "x")


def test_decompression_bomb(tmp_path):
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    refused(tmp_path / "bomb.png", r"bomb\.png: too many pixels, refused as a decompression bomb")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.full((20, 20), np.nan, np.float32), "NaN or infinite"),
        (np.full((20, 20), np.inf), "NaN or infinite"),
        (np.full((20, 20), 1.5), "scale them to"),
        (np.full((20, 20), -0.1, np.float32), "scale them to"),
        (np.zeros((20, 20, 5), np.uint8), "shape"),
        (np.zeros((3, 20, 20), np.uint8), "shape"),
        (np.zeros(20, np.uint8), r"shape .* give its bytes: array\.tobytes\(\)"),
        (np.zeros((20, 20), np.int64), "dtype int64"),  # 8 bits or 16? the caller has to say
        (np.zeros((20, 20), np.complex64), "dtype complex64"),
        (np.zeros((20, 20), object), "dtype object"),
        (np.zeros((20, 20), "U1"), "dtype"),
        (None, "NoneType is not an image"),
        (b"x.png", "^encoded image: not an image that can be read"),
        (b"", "^encoded image: empty"),
        (bytes_of(RGB, "PNG")[:90], "^encoded image: damaged"),
    ],
)
def test_arrays_and_objects_that_are_refused(array, match):
    refused(array, match)


# ---- arrays and bytes are read as files are


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP"])
def test_bytes_are_what_their_file_is(tmp_path, kind, form):
    data = bytes_of(RGB, form, **({"exif": b"Exif\0\0" + _exif(6)} if form == "JPEG" else {}))
    (tmp_path / "x").write_bytes(data)
    found, file = decode(kind(data)), decode(tmp_path / "x")
    assert found.name == "" and found.notes == file.notes
    assert np.array_equal(np.asarray(found.image), np.asarray(file.image))


def test_16_bit_bytes_are_scaled_as_their_file(tmp_path):
    deep = Image.fromarray(np.arange(24 * 40, dtype=np.uint16).reshape(24, 40) * 4)
    (tmp_path / "x.png").write_bytes(bytes_of(deep, "PNG"))
    file, found = (decode(source, bits=12) for source in (tmp_path / "x.png", bytes_of(deep, "PNG")))
    assert np.array_equal(np.asarray(file.image), np.asarray(found.image)) and found.notes == file.notes


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.bool_])
def test_alpha_of_an_array_is_that_of_a_file(tmp_path, dtype):
    alpha = RNG.integers(0, 2, (24, 40, 4), dtype=np.uint8) * 255
    file = decode(saved(tmp_path / "x.png", Image.fromarray(alpha)))
    wide = {np.uint8: alpha, np.uint16: alpha * np.uint16(257), np.float32: alpha / np.float32(255)}
    found = decode(wide.get(dtype, alpha > 0))
    assert found.image.mode == file.image.mode
    assert np.array_equal(np.asarray(found.image), np.asarray(file.image))
    assert np.array_equal(network_input(found.image, CARD), network_input(file.image, CARD))


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes().removeprefix(b"Exif\0\0")


# ---- laws


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.float64, np.bool_, np.complex64]),
        hnp.array_shapes(min_dims=0, max_dims=4, max_side=12),
    )
)
def test_any_array_is_decoded_or_refused(array):
    try:
        decoded = decode(array)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert decoded.size == array.shape[:2] and decoded.image.mode in ("L", "RGB", "RGBA")


def _samples() -> list[bytes]:
    kinds = [("PNG", RGB), ("JPEG", RGB), ("TIFF", RGB), ("BMP", RGB), ("GIF", GREY), ("PPM", RGB)]
    made = [bytes_of(image, kind) for kind, image in kinds]
    made.append(bytes_of(RGB, "TIFF", compression="tiff_lzw"))
    made.append(bytes_of(Image.fromarray(np.zeros((24, 40), np.uint16)), "PNG"))
    made.append(bytes_of(RGB.convert("P"), "PNG"))
    if features.check("webp"):
        made.append(bytes_of(RGB, "WEBP"))
    return made


SAMPLES = _samples()


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(range(len(SAMPLES))), st.integers(0, 2**32))
def test_mutated_files_are_decoded_or_refused(tmp_path_factory, index, seed):
    rng = random.Random(seed)
    data = bytearray(SAMPLES[index])
    for _ in range(rng.randint(1, 12)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(data)
    try:
        decoded = decode(path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
    else:
        assert decoded.image.mode in ("L", "RGB", "RGBA")
        assert np.asarray(decoded.image).shape[:2] == decoded.size


def test_threads_leave_the_warning_filters_alone(tmp_path):
    path = saved(tmp_path / "x.png", RGB)
    before = list(warnings.filters)

    def many() -> None:
        for _ in range(40):
            decode(path)

    threads = [threading.Thread(target=many) for _ in range(4)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert list(warnings.filters) == before


# ---- network input


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_network_input_is_pil_bicubic_then_normalised(mode):
    image = RGB.convert(mode)
    got = network_input(image, CARD)
    assert got.shape == (3, 32, 32) and got.dtype == np.float32 and got.flags.c_contiguous
    pixels = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC).convert("RGB"))
    want = (pixels / 255.0 - np.array(CARD.input.mean)) / np.array(CARD.input.std)
    assert np.abs(got - want.transpose(2, 0, 1)).max() < 1e-5


def test_the_callers_image_is_left_alone():
    image = RGB.copy()
    decoded = decode(image)
    image.paste((0, 0, 0), (0, 0, 40, 24))
    assert np.array_equal(np.asarray(decoded.image), np.asarray(RGB))
