"""Grey TIFF files that PIL can't read: 9 to 16 bits per sample, packed or not, in either byte order."""

from __future__ import annotations

import zlib
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from zsad.errors import InputError

_WIDTH, _HEIGHT, _BITS, _PACKING, _PHOTOMETRIC, _FILL, _OFFSETS = 256, 257, 258, 259, 262, 266, 273
_SAMPLES, _ROWS, _COUNTS, _PREDICTOR, _FORMAT = 277, 278, 279, 317, 339
_PLAIN, _DEFLATE = (1,), (8, 32946)
_MOST = 178_000_000


def grey_tiff(file: BinaryIO, name: str) -> Image.Image:
    """Read a grey TIFF file whose samples PIL has no mode for, without turning it.

    Args:
        file: an open file that PIL doesn't know.
        name: what errors call it.

    Returns:
        PIL image of mode ``I;16`` with the samples as they are stored, and with ``tag_v2`` as PIL's own TIFF images.

    Raises:
        UnidentifiedImageError: no TIFF file.
        InputError: another kind of TIFF; it says which.
    """
    tags = _tags(file)
    bits, width, height = _one(tags, _BITS, 1), int(tags[_WIDTH]), int(tags[_HEIGHT])
    grey = _one(tags, _SAMPLES, 1) == 1 and _one(tags, _PHOTOMETRIC, 0) in (0, 1) and _one(tags, _FORMAT, 1) == 1
    plain = _one(tags, _FILL, 1) == 1 and _one(tags, _PREDICTOR, 1) == 1 and _OFFSETS in tags
    if not (grey and plain and 9 <= bits <= 16 and _one(tags, _PACKING, 1) in _PLAIN + _DEFLATE):
        what = "grey" if grey else "colour"
        raise InputError(f"{name}: {what} TIFF of {bits} bits is not read in this form; save it as PNG, or plain TIFF")
    if not 0 < width * height <= _MOST:
        raise InputError(f"{name}: {width} x {height} px is above the limit of {_MOST:,} px; cut it up first")
    values = _samples(file, tags, bits, width, height)
    image = Image.fromarray(values)
    image.format, image.tag_v2 = "TIFF", tags  # type: ignore[attr-defined]
    return image


def _tags(file: BinaryIO) -> Any:
    file.seek(0)
    head = file.read(8)
    if head[:4] not in (b"II*\0", b"MM\0*"):
        raise UnidentifiedImageError
    tags = TiffImagePlugin.ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise UnidentifiedImageError
    return tags


def _one(tags: Any, tag: int, default: int) -> int:
    value = tags.get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _many(tags: Any, tag: int) -> tuple[int, ...]:
    value = tags[tag]
    return tuple(int(one) for one in value) if isinstance(value, tuple) else (int(value),)


def _samples(file: BinaryIO, tags: Any, bits: int, width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Read all strips: uint16 ``(H, W)``."""
    rows = min(_one(tags, _ROWS, height), height)
    line = (width * bits + 7) // 8  # each row begins on a byte
    out = np.zeros((height, width), np.uint16)
    big_endian = tags.prefix == b"MM"
    for number, (offset, count) in enumerate(zip(_many(tags, _OFFSETS), _many(tags, _COUNTS), strict=True)):
        first = number * rows
        here = min(rows, height - first)
        if here <= 0:
            break
        file.seek(offset)
        data = file.read(min(count, here * line if _one(tags, _PACKING, 1) in _PLAIN else count))
        if _one(tags, _PACKING, 1) in _DEFLATE:
            data = zlib.decompressobj().decompress(data, here * line)
        if len(data) < here * line:
            raise OSError("a strip ends too early")
        packed = np.frombuffer(data, np.uint8, here * line).reshape(here, line)
        out[first : first + here] = _unpack(packed, bits, width, big_endian)
    return out


def _unpack(
    packed: np.ndarray[Any, np.dtype[np.uint8]], bits: int, width: int, big_endian: bool
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Turn rows of bytes into samples; packed ones have their highest bit first in either byte order.

    Source: TIFF 6.0, Part 1: rows are padded to whole bytes; 16-bit samples follow the byte order of the file.
    """
    if bits == 16:
        return packed.view(">u2" if big_endian else "<u2").astype(np.uint16)
    out = np.zeros((len(packed), width), np.uint16)
    first = np.arange(width) * bits
    for place in range(bits):  # one plane of bits at a time: 9 to 16 passes, and no eightfold copy
        at = first + place
        out |= ((packed[:, at // 8] >> (7 - at % 8)) & 1).astype(np.uint16) << (bits - 1 - place)
    return out
