"""Placing a drawing in the view and rendering it with light: polygons to a shaded layer with coverage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from zsad.synthetic.noise import TAU, chance, enlarge, slopes, uniform
from zsad.synthetic.shapes import Drawing, Points, moved_all
from zsad.synthetic.sites import Window, extent
from zsad.types import FloatArray

_SUPER = 2  # drawn at twice the size, for smooth edges
_BLOCK = 8  # windows begin and end on this raster, so that a moved part changes no shading elsewhere


@dataclass(frozen=True)
class Light:
    """How a drawing is lit: the same for the faultless and the faulty one.

    Attributes:
        angle: where the light comes from, radians.
        diffuse: strength of matte shading.
        gloss: strength of the highlight.
        slope: the slope that mirrors the light.
        soft: edge radius in pixels at which faces are bevelled, 2 or 4.
        shadow: darkness of the cast shadow in [0, 1).
        reach: length of the cast shadow in pixels.
    """

    angle: float
    diffuse: float
    gloss: float
    slope: float
    soft: int
    shadow: float
    reach: float


def draw_light(rng: np.random.Generator, size: int, gloss: float) -> Light:
    """A random light for a surface of the given gloss."""
    return Light(
        angle=uniform(rng, 0, TAU),
        diffuse=uniform(rng, 0.3, 1.3),
        gloss=float(gloss * rng.uniform(0.1, 0.8)),
        slope=uniform(rng, 0.05, 0.3),
        soft=int(rng.choice([2, 4])),
        shadow=uniform(rng, 0.1, 0.65) if chance(rng, 0.6) else 0.0,
        reach=uniform(rng, 0.01, 0.06) * size,
    )


def place(rng: np.random.Generator, drawing: Drawing, size: int) -> Drawing:
    """Move a unit drawing into a view of ``size`` pixels: turned, scaled, shifted, at times leaning, at times many."""
    if drawing.covers:
        return _moved(
            drawing, size, float(rng.normal(0, 0.02)), size * uniform(rng, 0.5, 0.75), rng.uniform(-0.1, 0.1, 2)
        )
    if drawing.repeats and chance(rng, 0.3) and len(drawing.parts) < 40:
        return _many(rng, drawing, size)
    turn = uniform(rng, -drawing.spin, drawing.spin)
    if drawing.spin > 1 and chance(rng, 0.25):
        turn = round(turn / (TAU / 4)) * TAU / 4
    scale = size * float(rng.uniform(0.33, 0.49) if chance(rng, 0.75) else rng.uniform(0.18, 0.33))
    if chance(rng, 0.1):
        scale *= uniform(rng, 1.2, 1.8)  # cut off by the border of the image
    tilt = rng.normal(0, 0.05, 2) if chance(rng, 0.4) else np.zeros(2)
    return _moved(drawing, size, turn, scale, rng.normal(0, 0.05, 2), tilt)


def _moved(
    drawing: Drawing, size: int, turn: float, scale: float, shift: npt.ArrayLike, tilt: npt.ArrayLike | None = None
) -> Drawing:
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    matrix = np.array([[c, s], [-s, c]], np.float32)
    centre = ((np.asarray(shift) + 0.5) * size).astype(np.float32)
    lean = None if tilt is None else (np.asarray(tilt) / max(scale, 1e-6)).astype(np.float32)

    def move(outline: Points) -> Points:
        flat = outline @ matrix
        if lean is not None:
            flat = flat / (1 + flat @ lean)[:, None]
        return (flat + centre).astype(np.float32)

    return replace(drawing, parts=moved_all(drawing.parts, move, scale))


def _many(rng: np.random.Generator, drawing: Drawing, size: int) -> Drawing:
    """Lay several copies out in rows, each one group, so that one can be missing or stand wrong."""
    limit = max(2, min(5, int(np.sqrt(160 / max(len(drawing.parts), 1)))))
    columns = int(rng.integers(2, limit + 1))
    rows = columns if chance(rng, 0.6) else int(rng.integers(1, columns + 1))
    turn, loose = uniform(rng, -drawing.spin, drawing.spin), float(rng.choice([0.0, 0.05, 3.0]))
    pitch = size / columns * uniform(rng, 0.85, 1.0)
    parts = []
    for row in range(rows):
        for column in range(columns):
            shift = np.array([(column - (columns - 1) / 2), (row - (rows - 1) / 2)]) * pitch / size
            copy = _moved(drawing, size, turn + uniform(rng, -loose, loose), pitch * 0.42, shift)
            number = row * columns + column
            parts += [replace(part, group=number, noun="item") for part in copy.parts]
    return replace(drawing, parts=tuple(parts))


def frame(drawing: Drawing, h: int, w: int) -> Window:
    """The window of an ``(h, w)`` view that a drawing touches, its bevels included."""
    everything = np.concatenate([part.outline for part in drawing.parts])
    margin = 6 + max(part.pen for part in drawing.parts)
    low, high = everything.min(0) - margin, everything.max(0) + margin + 1
    left, top = (int(np.clip(low[k], 0, side - 16)) // _BLOCK * _BLOCK for k, side in enumerate((w, h)))
    right, bottom = int(np.clip(high[0], left + 16, w)), int(np.clip(high[1], top + 16, h))
    return slice(top, min(-(-bottom // _BLOCK) * _BLOCK, h)), slice(left, min(-(-right // _BLOCK) * _BLOCK, w))


def render(drawing: Drawing, h: int, w: int, light: Light) -> tuple[FloatArray, FloatArray]:
    """Draw and light the parts.

    Args:
        drawing: parts in pixel coordinates.
        h: height of the view, at least 16.
        w: width of the view, at least 16.
        light: the light.

    Returns:
        Colour times coverage, planar ``(3, h, w)``, and coverage ``(h, w)`` in [0, 1].
    """
    box = frame(drawing, h, w)
    ch, cw = extent(box)
    high, wide = -(-ch // _BLOCK) * _BLOCK, -(-cw // _BLOCK) * _BLOCK  # beyond the view where that is no multiple
    paint, relief = _draw(drawing, high, wide, np.array([box[1].start, box[0].start], np.float32))
    flat = np.asarray(paint.reduce(_SUPER))[:ch, :cw]
    bands = [np.multiply(flat[..., k], np.float32(1 / 255), dtype=np.float32) for k in range(4)]
    height = enlarge(np.asarray(relief.reduce(_SUPER * light.soft), np.float32), high, wide) * np.float32(0.7 / 255)
    height += np.asarray(relief.reduce(_SUPER)) * np.float32(0.3 / 255)
    down, right = slopes(height[:ch, :cw])
    lit = right * np.float32(np.cos(light.angle)) + down * np.float32(np.sin(light.angle))
    matte = np.clip(1 + lit * np.float32(light.diffuse * 4), 0.15, 1.9)
    layer, cover = np.zeros((3, h, w), np.float32), np.zeros((h, w), np.float32)
    cover[box] = bands[3]
    shine: FloatArray | None = None
    if light.gloss > 0.02:
        shine = np.exp(-np.square((lit - np.float32(light.slope * 0.5)) * np.float32(9 / light.slope)))
        shine *= bands[3] * np.float32(light.gloss)
    for channel in range(3):
        lit_band = bands[channel] * matte
        if shine is not None:
            lit_band += shine
        layer[channel, box[0], box[1]] = lit_band
    return layer, cover


def _draw(drawing: Drawing, h: int, w: int, origin: FloatArray) -> tuple[Image.Image, Image.Image]:
    """Paint and heights of a drawing at twice the size, from ``origin`` on."""
    paint = Image.new("CMYK", (w * _SUPER, h * _SUPER))  # four plain bands: red, green, blue, coverage
    relief = Image.new("L", (w * _SUPER, h * _SUPER))
    pen, chisel = ImageDraw.Draw(paint), ImageDraw.Draw(relief)
    for part in drawing.parts:
        r, g, b = part.colour
        colour = (0, 0, 0, 0) if part.hole else (int(r * 255), int(g * 255), int(b * 255), 255)
        level = 0 if part.hole else int(part.height * 255)
        flat = ((part.outline - origin) * _SUPER).ravel().tolist()
        if part.pen:
            width = max(1, round(part.pen * _SUPER))
            pen.line(flat, fill=colour, width=width)
            if not part.flat:
                chisel.line(flat, fill=level, width=width)
            continue
        pen.polygon(flat, fill=colour)
        if not part.flat:
            chisel.polygon(flat, fill=level)
            for outline, height in part.relief:
                chisel.polygon(((outline - origin) * _SUPER).ravel().tolist(), fill=int(height * 255))
    return paint, relief


def shadow(cover: FloatArray, light: Light) -> FloatArray:
    """The cast shadow of a layer, ``(h, w)`` in [0, 1]: its coverage moved away from the light and blurred."""
    h, w = cover.shape
    block = 8 if min(h, w) >= 64 else 2
    a, b = max(h // block, 1), max(w // block, 1)
    small = np.asarray(Image.fromarray(cover).resize((b, a), Image.Resampling.BOX), np.float32)
    dx, dy = -np.cos(light.angle) * light.reach / block, -np.sin(light.angle) * light.reach / block
    moved = Image.fromarray(small).transform(
        (b, a), Image.Transform.AFFINE, (1, 0, -dx, 0, 1, -dy), Image.Resampling.BILINEAR
    )
    return np.clip(enlarge(np.array(moved, np.float32), h, w, linear=True), 0, 1) * np.float32(light.shadow)
