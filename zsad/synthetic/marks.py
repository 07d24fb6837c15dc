"""Printed marks: letters and digits, bar codes, arrows, symbols; drawn with plain strokes."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic.noise import chance, uniform

_SEGMENTS = (
    ((0, 0), (1, 0)), ((1, 0), (1, 1)), ((1, 1), (1, 2)), ((0, 2), (1, 2)), ((0, 1), (0, 2)), ((0, 0), (0, 1)),
    ((0, 1), (1, 1)), ((0, 0), (1, 2)), ((1, 0), (0, 2)), ((0.5, 0), (0.5, 2)), ((0, 0), (0.5, 1)), ((1, 0), (0.5, 1)),
)  # fmt: skip
_LETTERS = (
    (0, 1, 2, 3, 4, 5), (1, 2), (0, 1, 6, 4, 3), (0, 1, 6, 2, 3), (5, 6, 1, 2), (0, 5, 6, 2, 3), (0, 5, 4, 3, 2, 6),
    (0, 1, 2), (0, 1, 2, 3, 4, 5, 6), (0, 1, 5, 6, 2), (0, 1, 2, 4, 5, 6), (5, 4, 3, 2, 6), (0, 5, 4, 3),
    (0, 5, 4, 3, 6), (0, 5, 4, 6), (5, 4, 6, 1, 2), (9,), (5, 4, 3), (5, 4, 10, 11, 1, 2), (5, 4, 7, 1, 2),
    (0, 5, 4, 6, 1), (0, 9), (7, 8), (0, 8, 3), (5, 4, 3, 2, 1),
)  # fmt: skip
"""Letters and digits as sets of segments, each on a cell one wide and two high."""


def write(
    rng: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    x: float,
    y: float,
    height: int,
    *,
    max_x: float,
    fill: int | tuple[int, ...] = 255,
) -> float:
    """Write random words from ``(x, y)`` until ``max_x``; returns the x where the text ends."""
    wide, width = height * 0.52, max(1, height // 8)
    length = int(rng.integers(2, 9))
    while x + wide < max_x:
        if length == 0:
            x += wide
            length = int(rng.integers(1, 9))
            if chance(rng, 0.15):
                break
            continue
        for segment in _LETTERS[int(rng.integers(len(_LETTERS)))]:
            (ax, ay), (bx, by) = _SEGMENTS[segment]
            pen.line((x + ax * wide, y + ay * height / 2, x + bx * wide, y + by * height / 2), fill=fill, width=width)
        x += wide * 1.45
        length -= 1
    return x


def barcode(
    rng: np.random.Generator,
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    fill: int | tuple[int, ...] = 255,
) -> None:
    """Draw upright bars of varied width inside ``(x0, y0, x1, y1)``."""
    x0, y0, x1, y1 = box
    thin = max(1.0, (x1 - x0) / 50)
    x = x0
    while x < x1:
        bar = thin * int(rng.integers(1, 4))
        pen.rectangle((x, y0, max(x, min(x + bar - 1, x1)), y1), fill=fill)
        x += bar + thin * int(rng.integers(1, 4))


def glyph(rng: np.random.Generator, side: int) -> Image.Image:
    """One symbol, ``(side, side)`` mode L: a flower, star, ring, arrow, cross, letter or heart-like figure."""
    page = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(page)
    c, r = side / 2, side * uniform(rng, 0.25, 0.45)
    kind = int(rng.integers(6))
    if kind == 0:
        pen.ellipse((c - r, c - r, c + r, c + r), fill=255)
        inner = r * uniform(rng, 0.3, 0.8)
        pen.ellipse((c - inner, c - inner, c + inner, c + inner), fill=0)
    elif kind == 1:
        count = int(rng.integers(3, 9)) * 2
        angles = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.uniform(0, 1)
        reach = np.where(np.arange(count) % 2, r * rng.uniform(0.3, 0.7), r)
        pen.polygon(
            [(c + float(a), c + float(b)) for a, b in zip(reach * np.cos(angles), reach * np.sin(angles), strict=True)],
            fill=255,
        )
    elif kind == 2:
        pen.polygon(
            [
                (c - r, c - r / 3),
                (c, c - r / 3),
                (c, c - r),
                (c + r, c),
                (c, c + r),
                (c, c + r / 3),
                (c - r, c + r / 3),
            ],
            fill=255,
        )
    elif kind == 3:
        t = r * 0.3
        pen.rectangle((c - r, c - t, c + r, c + t), fill=255)
        pen.rectangle((c - t, c - r, c + t, c + r), fill=255)
    elif kind == 4:
        for angle in np.linspace(0, 2 * np.pi, int(rng.integers(4, 8)), endpoint=False):
            x, y, petal = c + r * 0.6 * float(np.cos(angle)), c + r * 0.6 * float(np.sin(angle)), r * 0.4
            pen.ellipse((x - petal, y - petal, x + petal, y + petal), fill=255)
    else:
        write(rng, pen, c - r * 0.5, c - r, int(r * 2), max_x=c + r * 1.2)
    return page
