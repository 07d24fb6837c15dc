"""Views of a frame that features are taken of: the whole of it, or ten crops as the field has them.

Source: the published features of VadCLIP and RTFM: a frame is brought to 340 x 256 pixels, whatever its shape, and cut
to 224 x 224. File ``NAME__0`` is the centre, 1 to 4 are the corners (top left, top right, bottom left, bottom right),
5 to 9 the same, each mirrored.
"""

from __future__ import annotations

from PIL import Image, ImageOps

WIDTH, HEIGHT, CROP = 340, 256, 224
"""Pixels of a frame, and of a crop of it, for a network whose input has ``CROP`` pixels a side; else in proportion."""
TEN = ("centre", "top left", "top right", "bottom left", "bottom right")
"""What is cut, in the order of the files; then the same, mirrored."""


def views(frame: Image.Image, crops: int, side: int) -> list[Image.Image]:
    """Return what features of a frame are taken of.

    Args:
        frame: mode RGB, upright.
        crops: 1, the frame as it is, which the network's preprocess squeezes to a square; or 10.
        side: pixels of the network's input.

    Returns:
        ``crops`` pictures; of ten, each has ``side`` pixels a side.
    """
    if crops == 1:
        return [frame]
    width, height = size_before(side)
    resized = frame.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - side) // 2, (height - side) // 2
    right, bottom = width - side, height - side
    corners = ((left, top), (0, 0), (right, 0), (0, bottom), (right, bottom))
    five = [resized.crop((x, y, x + side, y + side)) for x, y in corners]
    return five + [ImageOps.mirror(crop) for crop in five]


def size_before(side: int) -> tuple[int, int]:
    """Return the size of a frame before it is cut.

    >>> size_before(224), size_before(336)
    ((340, 256), (510, 384))
    """
    return round(WIDTH * side / CROP), round(HEIGHT * side / CROP)
