"""Contact sheet: many results on one picture, for a closing note or a slide."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from zsad.errors import UsageError, printable
from zsad.report.heat import heatmap
from zsad.report.overlay import overlay
from zsad.types import Result

_INK, _SOFT, _BAD, _PAPER = (29, 23, 38), (107, 99, 118), (194, 50, 31), (255, 255, 255)


def contact_sheet(
    pictures: Sequence[tuple[Image.Image, Result]], *, columns: int = 4, side: int = 256, gap: int = 14
) -> Image.Image:
    """Set images and heatmaps side by side, overlay left and map right, with name, score and verdict below.

    Args:
        pictures: decoded images with their results.
        columns: pairs in a row.
        side: of one picture in pixels; images keep their shape.
        gap: between pictures in pixels.

    Returns:
        RGB image.

    Raises:
        UsageError: no picture, or a number below 1.
    """
    if not pictures or columns < 1 or side < 16:
        raise UsageError("a contact sheet needs at least one picture, one column and 16 px")
    columns = min(columns, len(pictures))
    text = max(10, side // 16)
    width, height = 2 * side + 2, side + 3 * text
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(text)
    for index, (image, result) in enumerate(pictures):
        left = gap + (index % columns) * (width + gap)
        top = gap + (index // columns) * (height + gap)
        sheet.paste(_fitted(overlay(image, result), side), (left, top))
        sheet.paste(_fitted(heatmap(result.map).convert("RGB"), side), (left + side + 2, top))
        verdict = "anomalous" if result.anomalous else "normal"
        name = _short(printable(result.name).replace("\\", "/").rpartition("/")[2], width - text, font)
        pen.text((left, top + side + text // 3), name, _INK, font)
        pen.text(
            (left, top + side + text * 5 // 3),
            f"{result.score:.3f}  {verdict}",
            _BAD if result.anomalous else _SOFT,
            font,
        )
    return sheet


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """Scale an image into a square, on a light ground."""
    scale = side / max(image.size)
    size = tuple(max(1, round(length * scale)) for length in image.size)
    ground = Image.new("RGB", (side, side), (239, 235, 240))
    ground.paste(
        image.resize((size[0], size[1]), Image.Resampling.BICUBIC), ((side - size[0]) // 2, (side - size[1]) // 2)
    )
    return ground


def _short(name: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    while len(name) > 4 and font.getlength(name) > width:
        name = "..." + name[4:]
    return name
