"""What the header of an image file says of its pixels: which way is up, and what its numbers mean."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from zsad.images.files import named_errors, opened

ORIENTATION = 0x0112
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _WHITE_IS_ZERO = 256, 257, 258, 262, 0
_T = Image.Transpose
_TRANSPOSE = {
    2: _T.FLIP_LEFT_RIGHT,
    3: _T.ROTATE_180,
    4: _T.FLIP_TOP_BOTTOM,
    5: _T.TRANSPOSE,
    6: _T.ROTATE_270,
    7: _T.TRANSVERSE,
    8: _T.ROTATE_90,
}
_UNDO = _TRANSPOSE | {6: _T.ROTATE_90, 8: _T.ROTATE_270}


@dataclass(frozen=True)
class Header:
    """The geometry of an image file.

    Attributes:
        size: ``(H, W)`` of the pixels as they are stored.
        orientation: EXIF's number of what makes them upright, 1 to 8; 1 is upright already.
    """

    size: tuple[int, int]
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        """``(H, W)`` as a viewer shows it."""
        return self.size[::-1] if self.orientation >= 5 else self.size


def read_header(path: str | Path) -> Header:
    """Read size and orientation of an image file, without its pixels.

    Raises:
        InputError: unreadable; it names the file.
    """
    with named_errors(str(path)), opened(path) as image:
        return header_of(image)


def header_of(image: Image.Image) -> Header:
    """Return size and orientation of an image that was opened, but not yet loaded."""
    return Header(_stored_size(image), orientation_of(image))


def orientation_of(image: Image.Image) -> int:
    """Return EXIF's number of what makes an image upright, 1 to 8; 1 where the metadata are damaged."""
    number = 1
    with suppress(Exception):  # damaged metadata say nothing about the pixels
        number = int(_tag(image, ORIENTATION) or image.getexif().get(ORIENTATION, 1))
    return number if number in _TRANSPOSE else 1


def load(image: Image.Image, *, upright: bool) -> tuple[Image.Image, bool]:
    """Decode an image that was opened, turned as asked for.

    Args:
        image: opened, not loaded yet.
        upright: whether its orientation is applied; else the pixels are as they are stored.

    Returns:
        The image, and whether it was turned.
    """
    number = orientation_of(image)
    by_pil = isinstance(image, TiffImageFile)  # PIL turns TIFF files upright as it loads them
    image.load()
    if by_pil == upright or number == 1:
        return image, upright and number > 1
    return image.transpose(_TRANSPOSE[number] if upright else _UNDO[number]), upright


def turned(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    """Turn stored pixels ``(H, W)`` upright by EXIF's number."""
    if orientation not in _TRANSPOSE:
        return pixels
    return np.asarray(Image.fromarray(pixels).transpose(_TRANSPOSE[orientation]))


def sample_bits(image: Image.Image) -> int | None:
    """Return the bits per sample that a TIFF file states, or None where nothing is stated."""
    value = _tag(image, _BITS)
    bits = value[0] if isinstance(value, tuple) and value else value
    return bits if isinstance(bits, int) and 8 <= bits <= 16 else None


def white_is_zero(image: Image.Image) -> bool:
    """Whether a grey TIFF file counts from white, which PIL undoes only in up to 8 bits."""
    return image.mode.startswith(("I", "F")) and _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO


def fills_16_bits(image: Image.Image) -> bool:
    """Whether a decoder has spread the samples over 16 bits already, as the file's own largest value demands."""
    tiles = getattr(image, "tile", ())
    if image.format != "PPM" or not tiles:
        return False
    return str(tiles[0][0]) in ("ppm", "ppm_plain") and image.mode.startswith("I")


def is_deep_colour(image: Image.Image) -> bool:
    """Whether a file holds 16-bit colour, or grey with alpha, which PIL reads as 8-bit without a word."""
    if image.mode.startswith("I"):
        return False
    return any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _stored_size(image: Image.Image) -> tuple[int, int]:
    # PIL's own size of a TIFF file is that of the upright picture from version 11 on, before it that of the stored one.
    height, width = _tag(image, _HEIGHT), _tag(image, _WIDTH)
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return image.height, image.width


def _tag(image: Image.Image, tag: int) -> Any:
    """Return a tag of a TIFF file, or None."""
    with suppress(Exception):
        return image.tag_v2.get(tag)  # type: ignore[attr-defined]
    return None
