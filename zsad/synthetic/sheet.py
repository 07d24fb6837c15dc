"""A contact sheet: what scenes look like, where their defects are, what is said of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic.scene import Scene
from zsad.types import BoolArray

_GAP = 4  # between a picture and the one with the outline
_TEXT = 26  # two lines of the caption
_INK = {0: (0, 0, 0), 1: (190, 0, 0)}


def contact_sheet(scenes: Sequence[Scene], side: int = 160, *, outline: bool = True) -> Image.Image:
    """Lay scenes out in a grid that is about square.

    Args:
        scenes: at least one scene, of any size.
        side: side of a scene on the sheet in pixels, 16 or more.
        outline: show every scene a second time, with its mask outlined in magenta.

    Returns:
        An RGB image: for each scene its picture, the outlined one beside it, and below them the caption, in red where
        there is a defect, with the families in brackets.

    Raises:
        ValueError: no scene, or a side below 16.

    >>> from zsad.synthetic import scene_at
    >>> contact_sheet([scene_at(k, 64) for k in range(6)], side=80).size
    (328, 318)
    """
    if not scenes:
        raise ValueError("a contact sheet needs at least one scene")
    if side < 16:
        raise ValueError(f"side must be at least 16 pixels, not {side}")
    tiles = [_tile(item, side, outline=outline) for item in scenes]
    w, h = tiles[0].size
    columns = max(1, int(np.ceil(np.sqrt(len(tiles) * h / w))))
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * w, rows * h), (255, 255, 255))
    for k, picture in enumerate(tiles):
        sheet.paste(picture, (k % columns * w, k // columns * h))
    return sheet


def _tile(item: Scene, side: int, *, outline: bool) -> Image.Image:
    """One scene: the image, the image with the defect outlined, and the caption below."""
    picture = Image.fromarray(item.image).resize((side, side), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", (side * (1 + outline) + _GAP, side + _TEXT), (255, 255, 255))
    sheet.paste(picture, (0, 0))
    if outline:
        marked = np.array(picture)
        marked[_rim(item, side)] = (255, 0, 255)
        sheet.paste(Image.fromarray(marked), (side + _GAP // 2, 0))
    families = ",".join(item.defects) or "ok"
    if item.incidents:
        families += " " + ",".join(item.incidents)
    note = f"{item.caption} [{families}]"
    for row, line in enumerate(textwrap.wrap(note, side * (1 + outline) // 6, max_lines=2, placeholder=" ...")):
        ImageDraw.Draw(sheet).text((1, side + 1 + row * 12), line, fill=_INK[item.label])
    return sheet


def _rim(item: Scene, side: int) -> BoolArray:
    """Pixels of the mask ``(side, side)`` that touch what lies outside of it."""
    mask = np.asarray(Image.fromarray(item.mask * 255).resize((side, side), Image.Resampling.NEAREST)) > 0
    inner = mask.copy()
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    rim: BoolArray = mask & ~inner
    return rim
