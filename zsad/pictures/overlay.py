"""The picture that a person looks at: heat over the image, anomalous regions outlined, boxed and numbered, a legend."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from zsad.pictures.heat import FloatArray, heat_table, to_bytes
from zsad.pictures.notes import Notes, draw_notes, line_width

BoolArray = npt.NDArray[np.bool_]
OPACITY = 0.62
"""Opacity of the heat where the map is 1."""
FAINT = 0.15
"""Below this map value nothing is drawn, so that a clean part looks clean."""


def overlay(
    image: Image.Image, values: FloatArray, mask: BoolArray | None = None, notes: Notes | None = None
) -> Image.Image:
    """Draw a map over its image.

    The scale is fixed, 0 to 1: an image without a defect stays as it is, and pictures can be compared.

    Args:
        image: the decoded image, any 8-bit mode, of the map's size.
        values: the map, float32 ``(H, W)`` in [0, 1].
        mask: bool ``(H, W)``, what is outlined; None for nothing.
        notes: boxes, numbers and legend; None for none.

    Returns:
        RGB image ``(H, W)``: heat whose opacity grows with its value; regions outlined in white on black.
    """
    levels = to_bytes(values)
    heat = Image.fromarray(levels)
    heat.putpalette(heat_table().tobytes())
    alpha = Image.fromarray(levels).point(alpha_table())
    blended = Image.composite(heat.convert("RGB"), image.convert("RGB"), alpha)
    if mask is not None:
        draw_outlines(blended, mask)
    if notes is not None:
        draw_notes(blended, notes, levels)
    return blended


def draw_outlines(image: Image.Image, mask: BoolArray) -> None:
    """Draw an anti-aliased line around each region of a mask, in place.

    The line is white between two dark ones, hence readable on any image; it runs just outside of the region,
    so that a defect of one pixel is still seen inside.

    Args:
        image: RGB, ``(H, W)``.
        mask: bool ``(H, W)``.
    """
    full = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    box = full.getbbox()
    if box is None:
        return
    width = line_width(image.size)
    margin = int(4 * width) + 3
    box = (
        max(0, box[0] - margin),
        max(0, box[1] - margin),
        min(image.width, box[2] + margin),
        min(image.height, box[3] + margin),
    )
    grown = full.crop(box).filter(ImageFilter.BoxBlur(width)).point(_at_least(8))
    soft = grown.filter(ImageFilter.BoxBlur(width)).filter(ImageFilter.BoxBlur(width / 2))
    part = image.crop(box)
    part.paste((16, 12, 24), mask=soft.point(_band(26, 230)))
    part.paste((255, 255, 255), mask=soft.point(_band(84, 172)))
    image.paste(part, box[:2])


@lru_cache(maxsize=1)
def alpha_table() -> list[int]:
    """Return the opacity of the heat, 0 to 255, for the values 0 to 255."""
    t = np.clip((np.arange(256) / 255 - FAINT) / (1 - FAINT), 0, 1)
    # Quick to appear, then steady: mid-values are what a threshold decides about.
    return [int(x) for x in np.rint(255 * OPACITY * (1 - (1 - t) ** 1.8))]


def _at_least(level: int) -> list[int]:
    return [255 if value >= level else 0 for value in range(256)]


def _band(low: int, high: int) -> list[int]:
    """Opacity of a line along the edge of a blurred mask: full between two levels, soft at both ends."""
    ramp = 24
    return [int(255 * min(1.0, max(0.0, min(v - low, high - v) / ramp))) for v in range(256)]
