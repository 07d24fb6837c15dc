"""The picture of one image in a report: a thumbnail, and its map as 8-bit blocks on the same grid."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from zsad.pictures.blocks import pool
from zsad.pictures.heat import to_bytes
from zsad.types import ByteArray, FloatArray

AREA, LONGEST = 256 * 256, 2048
"""Pixels of a thumbnail and of its longer side at most: a strip gets its pixels side by side."""
_JPEG_BYTES, _PNG_BYTES = 20_000, 36_000  # 250 exhibits stay below 19 MB as base64, whatever the images are


@dataclass(frozen=True)
class Exhibit:
    """Thumbnail and map of one image, at most 85 kB.

    Attributes:
        jpeg: the thumbnail, at most :data:`AREA` pixels.
        map: uint8, the thumbnail's ``(H, W)``: the map times 255, the highest value of each block, so that no
            small defect is lost. It is kept as it is, since packing it takes longer than all the rest, and most
            exhibits are replaced by higher ones before anybody sees them.
    """

    jpeg: bytes
    map: ByteArray

    def packed(self) -> bytes:
        """Return width, height, thumbnail and map (as PNG) as the middle of a JSON array."""
        height, width = self.map.shape
        return b'%d,%d,"%s","%s"' % (width, height, base64.b64encode(self.jpeg), base64.b64encode(_png(self.map)))


def make_exhibit(image: Image.Image, values: FloatArray | ByteArray) -> Exhibit:
    """Make the exhibit of an image.

    Args:
        image: the decoded image ``(H, W)``.
        values: its map ``(H, W)``, float32 in [0, 1] or uint8 in 0..255.
    """
    step = max(math.ceil(math.sqrt(values.size / AREA)), -(-max(values.shape) // LONGEST))
    pooled = pool(values, step)
    small = (image if image.mode in ("L", "RGB") else image.convert("RGB")).reduce(step)
    return Exhibit(_jpeg(small), pooled if pooled.dtype == np.uint8 else to_bytes(pooled))


def _jpeg(image: Image.Image) -> bytes:
    for quality in (80, 60, 35, 10):
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() <= _JPEG_BYTES:
            break
    return buffer.getvalue()


def _png(values: ByteArray) -> bytes:
    for step in (1, 2, 4):
        buffer = BytesIO()
        Image.fromarray(pool(values, step)).save(buffer, "PNG", compress_level=4)
        if buffer.tell() <= _PNG_BYTES:
            break
    return buffer.getvalue()
