"""The picture of a result in a notebook: the overlay at a size that fits a page, over a strip that explains it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from zsad.pictures.blocks import pool
from zsad.pictures.heat import FloatArray
from zsad.pictures.notes import Box, Notes, draw_scale, font
from zsad.pictures.overlay import BoolArray, overlay

WIDEST, TALLEST, NARROWEST = 960, 720, 360
"""Pixels of the picture at most, and of the strip at least."""
_PAPER, _INK, _SOFT = (255, 255, 255), (29, 23, 38), (107, 99, 118)
_TITLE, _CAPTION, _EDGE, _SCALE = 15, 12, 12, 24


def figure(image: Image.Image, values: FloatArray, mask: BoolArray, notes: Notes, caption: str = "") -> Image.Image:
    """Draw a result for a page.

    Args:
        image: the decoded image, any 8-bit mode, ``(H, W)``.
        values: the map, float32 ``(H, W)`` in [0, 1].
        mask: bool ``(H, W)``, what is outlined.
        notes: the title that stands in the strip, boxes and labels.
        caption: a second line for the strip; of a long one the end is shown.

    Returns:
        RGB, at most ``WIDEST`` x ``TALLEST`` pixels and the strip. A large image is reduced before it is drawn on,
        each block by its highest map value, so that no small defect is lost; a small one is enlarged.
    """
    step = max(1, -(-image.width // WIDEST), -(-image.height // TALLEST))
    small = (image if image.mode in ("L", "RGB") else image.convert("RGB")).reduce(step)
    values, mask = pool(values, step), pool(mask, step)
    zoom = max(1, min(NARROWEST // small.width, TALLEST // small.height))
    if zoom > 1:
        size = (small.width * zoom, small.height * zoom)
        small = small.resize(size, Image.Resampling.BICUBIC)
        values = np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR))
        soft = Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).resize(size, Image.Resampling.BILINEAR)
        mask = np.asarray(soft) >= 128
    boxes = tuple(_scaled(box, zoom, step) for box in notes.boxes)
    return _over_strip(overlay(small, values, mask, replace(notes, title="", boxes=boxes)), notes, caption)


def _scaled(box: Box, zoom: int, step: int) -> Box:
    x0, y0, x1, y1 = box
    return x0 * zoom // step, y0 * zoom // step, -(-x1 * zoom // step), -(-y1 * zoom // step)


def _over_strip(picture: Image.Image, notes: Notes, caption: str) -> Image.Image:
    """Put a picture over its strip: title and caption on the left, the colour bar on the right or below them."""
    width = max(picture.width, NARROWEST)
    measure, title, small = ImageDraw.Draw(picture), font(_TITLE), font(_CAPTION)
    bar = min(220, width - 2 * _EDGE)
    beside = measure.textlength(notes.title, title) + bar + 4 * _EDGE <= width
    room = width - 2 * _EDGE - (bar + 2 * _EDGE if beside else 0)
    caption = _end_of(caption, room, measure, small)
    texts = _EDGE + _TITLE + (_CAPTION + 6 if caption else 0)
    page = Image.new("RGB", (width, picture.height + texts + _EDGE + (0 if beside else _SCALE + 8)), _PAPER)
    page.paste(picture, ((width - picture.width) // 2, 0))
    pen, top = ImageDraw.Draw(page), picture.height + _EDGE
    pen.text((_EDGE, top + _TITLE - 2), notes.title, _INK, title, anchor="ls")
    pen.text((_EDGE, picture.height + texts - 2), caption, _SOFT, small, anchor="ls")
    left, at = (width - bar - _EDGE, top) if beside else (_EDGE, picture.height + texts + 8)
    draw_scale(pen, page, (left, at, left + bar, at + _SCALE), notes.level, _INK)
    return page


def _end_of(text: str, room: float, measure: ImageDraw.ImageDraw, letters: Any) -> str:
    """Return a text, or as much of its end as fits."""
    text = text[-400:]
    for start in range(len(text)):
        shown = text if start == 0 else "..." + text[start:]
        if measure.textlength(shown, letters) <= room:
            return shown
    return ""
