"""Frames as JPEG files for messages, and several of them on one contact sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SIDE, QUALITY = 512, 85
FORM = f"jpeg {SIDE} {QUALITY}"
"""How frames are sent; part of what stands for a stored frame."""


def to_jpeg(image: Image.Image, side: int = SIDE) -> bytes:
    """Return an RGB image as a JPEG file whose longer side is at most ``side`` pixels.

    Args:
        image: PIL image, RGB.
        side: pixels; a smaller image stays as it is.
    """
    from PIL import Image

    scale = side / max(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def contact_sheet(files: Sequence[bytes], side: int = 2 * SIDE) -> bytes:
    """Return several JPEG files as one: row by row, the first at the top left, each in a cell of equal size.

    Args:
        files: JPEG files.
        side: of the sheet, in pixels, at most.
    """
    from PIL import Image

    images = [Image.open(BytesIO(data)).convert("RGB") for data in files]
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    widest, highest = max(image.width for image in images), max(image.height for image in images)
    scale = min(1.0, side / max(widest * columns, highest * rows))
    width, height = max(1, int(widest * scale)), max(1, int(highest * scale))
    sheet = Image.new("RGB", (width * columns, height * rows))
    for i, image in enumerate(images):
        image.thumbnail((width, height))
        sheet.paste(image, (i % columns * width, i // columns * height))
    buffer = BytesIO()
    sheet.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
