"""What an overlay says beside its colours: boxes with numbers, and a legend with the score and the colour bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from zsad.outside import printable
from zsad.pictures.heat import ByteArray, heat_table

Box: TypeAlias = tuple[int, int, int, int]

MOST_BOXES = 20
"""Regions with a box, the highest; the others are outlined only."""
SMALLEST_TEXT = 10
"""Pixels of the smallest letters that are drawn."""
_LONGEST_LABEL = 40
_INK, _DARK = (255, 255, 255), (16, 12, 24)
_CROWDED = 0.35
"""Largest part of width and of height that the legend may take; it is left out where it would take more of both."""


@dataclass(frozen=True)
class Notes:
    """What is written on an overlay.

    Attributes:
        title: first line of the legend, such as ``"score 0.831, anomalous"``; ``""`` for no legend.
        level: map value from which regions are outlined, marked on the colour bar; None for no mark.
        boxes: ``(x0, y0, x1, y1)`` in pixels, ends exclusive, the highest first.
        labels: a text for each box, or fewer.
    """

    title: str = ""
    level: float | None = None
    boxes: tuple[Box, ...] = ()
    labels: tuple[str, ...] = ()


def line_width(size: tuple[int, int]) -> float:
    """Return the width of lines on a picture of ``(W, H)`` pixels: a 400th of its side, at least 1.5."""
    return max(1.5, math.sqrt(size[0] * size[1]) / 400)


def text_height(size: tuple[int, int]) -> int:
    """Return the height of letters on of ``(W, H)`` pixels: a 48th of its side, at most a 12th of its height."""
    return max(SMALLEST_TEXT, min(round(math.sqrt(size[0] * size[1]) / 48), size[1] // 12))


@lru_cache(maxsize=16)
def font(height: int) -> Any:
    """Return Pillow's built-in font; it has Latin letters, and shows others as boxes."""
    return ImageFont.load_default(height)


def draw_notes(image: Image.Image, notes: Notes, levels: ByteArray) -> None:
    """Draw boxes, labels and the legend on a picture, in place.

    Args:
        image: RGB ``(H, W)``.
        notes: what is drawn.
        levels: the map as uint8 ``(H, W)``: the legend stands in the corner that has least of it.
    """
    taken = _draw_boxes(image, notes.boxes[:MOST_BOXES], notes.labels)
    if notes.title:
        _draw_legend(image, notes, levels, taken)


def colour_bar(width: int, height: int) -> Image.Image:
    """Return the colours of 0 to 1, from left to right."""
    steps = np.rint(np.linspace(0, 255, max(1, width))).astype(np.uint8)
    bar = Image.fromarray(np.ascontiguousarray(np.broadcast_to(steps, (max(1, height), max(1, width)))))
    bar.putpalette(heat_table().tobytes())
    return bar.convert("RGB")


def draw_scale(pen: ImageDraw.ImageDraw, image: Image.Image, place: Box, level: float | None, ink: Any) -> None:
    """Draw the colour bar with its numbers into ``place``: 0, 1, and the level where it is marked."""
    x0, y0, x1, y1 = place
    letters = font(max(SMALLEST_TEXT, round((y1 - y0) * 0.56)))
    bar = colour_bar(x1 - x0, max(3, round((y1 - y0) * 0.36)))
    image.paste(bar, (x0, y0))
    ends = [("0", 0.0), ("1", 1.0)] if level is None else [(f"{level:.3g}", level), ("0", 0.0), ("1", 1.0)]
    drawn: list[tuple[float, float]] = []
    for text, value in ends:
        wide = pen.textlength(text, letters)
        left = min(max(x0, x0 + value * (x1 - x0) - wide / 2), x1 - wide)
        if all(left > end + wide / 2 or left + wide < begin - wide / 2 for begin, end in drawn):  # else they'd collide
            pen.text((left, y1), text, fill=ink, font=letters, anchor="ls")
            drawn.append((left, left + wide))
    if level is not None:
        at, thick = x0 + level * (x1 - x0), max(1, round(bar.height / 6))
        pen.rectangle((at - thick, y0 - thick, at + thick, y0 + bar.height + thick), fill=_DARK)
        pen.rectangle((at - thick / 2, y0, at + thick / 2, y0 + bar.height), fill=_INK)


def _draw_boxes(image: Image.Image, boxes: tuple[Box, ...], labels: tuple[str, ...]) -> list[Box]:
    """Draw boxes, each with its label where there is room; returns the places that are taken now."""
    thin = max(1, round(line_width(image.size) / 2))
    gap = round(3 * line_width(image.size))
    pen = ImageDraw.Draw(image)
    taken: list[Box] = []
    around = [
        (max(0, x0 - gap), max(0, y0 - gap), min(image.width, x1 + gap), min(image.height, y1 + gap))
        for x0, y0, x1, y1 in boxes
    ]
    for x0, y0, x1, y1 in reversed(around):  # the highest last, on top
        pen.rectangle((x0, y0, x1 - 1, y1 - 1), outline=_DARK, width=3 * thin)
        pen.rectangle((x0 + thin, y0 + thin, x1 - 1 - thin, y1 - 1 - thin), outline=_INK, width=thin)
    for box, label in zip(around, labels, strict=False):
        place = _tag_place(image, pen, box, _shown(label), taken)
        if place is not None:
            pen.rectangle(place, fill=_INK)
            height = text_height(image.size)
            pen.text((place[0] + height // 3, place[3] - height // 3), _shown(label), _DARK, font(height), anchor="ls")
            taken.append(place)
    return taken


def _tag_place(image: Image.Image, pen: ImageDraw.ImageDraw, box: Box, label: str, taken: list[Box]) -> Box | None:
    """Return where a label fits: above its box, below it, or inside of its upper edge; None if nowhere."""
    height = text_height(image.size)
    wide, tall = round(pen.textlength(label, font(height))) + 2 * (height // 3), round(1.35 * height)
    left = max(0, min(box[0], image.width - wide))
    for top in (box[1] - tall, box[3], box[1]):
        place = (left, top, left + wide, top + tall)
        if _inside(place, image) and not any(_meet(place, other) for other in taken):
            return place
    return None


def _draw_legend(image: Image.Image, notes: Notes, levels: ByteArray, taken: list[Box]) -> None:
    """Draw the legend into the quietest corner, if the picture is large enough for one."""
    height = text_height(image.size)
    pad = round(0.6 * height)
    title, letters = printable(notes.title), font(height)  # on one line, whatever is in it
    wide = max(round(ImageDraw.Draw(image).textlength(title, letters)), 9 * height) + 2 * pad
    tall = 2 * pad + round(3.1 * height)
    if wide > image.width or tall > image.height or (wide > _CROWDED * image.width and tall > _CROWDED * image.height):
        return
    place = _corner(image, (wide, tall), levels, taken)
    plate = Image.blend(image.crop(place), Image.new("RGB", (wide, tall), _DARK), 0.82)
    pen = ImageDraw.Draw(plate)
    pen.text((pad, pad + height), title, _INK, letters, anchor="ls")
    scale = (pad, pad + round(1.55 * height), wide - pad, tall - pad)
    draw_scale(pen, plate, scale, notes.level, _INK)
    image.paste(plate, place[:2])


def _corner(image: Image.Image, size: tuple[int, int], levels: ByteArray, taken: list[Box]) -> Box:
    """Return the place in a corner that hides least: no label if it can be, and least of the map."""
    (wide, tall), inset = size, 0
    lefts, tops = (inset, image.width - wide - inset), (image.height - tall - inset, inset)
    places = [(left, top, left + wide, top + tall) for top in tops for left in lefts]

    def hidden(place: Box) -> tuple[int, float]:
        x0, y0, x1, y1 = place
        return sum(_meet(place, other) for other in taken), float(levels[y0:y1:2, x0:x1:2].mean())

    return min(places, key=hidden)


def _shown(label: str) -> str:
    return printable(label)[:_LONGEST_LABEL]


def _inside(place: Box, image: Image.Image) -> bool:
    return place[0] >= 0 and place[1] >= 0 and place[2] <= image.width and place[3] <= image.height


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
