"""Outlines in unit coordinates and the parts that drawings are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from zsad.synthetic.noise import TAU
from zsad.synthetic.palette import Colour
from zsad.types import FloatArray

Points = FloatArray  # (n, 2): x to the right, y downwards


@dataclass(frozen=True)
class Part:
    """One polygon or stroke of a drawing; later parts cover earlier ones.

    Attributes:
        outline: polygon, or the line to follow when ``pen`` > 0; ``(n, 2)``.
        colour: RGB in [0, 1].
        height: elevation of its face in [0, 1], which the light turns into shading.
        relief: smaller outlines with their heights, for rounded bodies.
        noun: what it is called if it may go missing or stand wrong, "" for a body that is always there.
        group: parts with the same non-negative number move together.
        pen: stroke width; 0 for a filled polygon.
        hole: cut through everything drawn before it, so that the background shows.
        flat: printed on what is below: keeps the height that is there.
    """

    outline: Points
    colour: Colour
    height: float = 0.5
    relief: tuple[tuple[Points, float], ...] = ()
    noun: str = ""
    group: int = -1
    pen: float = 0.0
    hole: bool = False
    flat: bool = False

    def moved(self, move: Callable[[Points], Points], scale: float = 1.0) -> Part:
        """The part with ``move`` applied to every vertex; ``scale`` is what it does to lengths."""
        return moved_all([self], move, scale)[0]

    def with_vertices(self, outline: Points, relief: tuple[tuple[Points, float], ...], scale: float) -> Part:
        """The part with other vertices and a pen scaled to them."""
        pen = self.pen * scale
        return Part(outline, self.colour, self.height, relief, self.noun, self.group, pen, self.hole, self.flat)


@dataclass(frozen=True)
class Drawing:
    """An object as parts.

    Attributes:
        parts: in drawing order.
        covers: True when it fills the view (a panel, a board seen close).
        spin: largest turn in radians when it is placed; pi for any orientation.
        repeats: True when many of them may lie in one view.
    """

    parts: tuple[Part, ...]
    covers: bool = False
    spin: float = 3.15
    repeats: bool = False


def moved_all(parts: Sequence[Part], move: Callable[[Points], Points], scale: float = 1.0) -> tuple[Part, ...]:
    """All parts moved by one call of ``move``, which has to treat each vertex by itself."""
    arrays = [array for part in parts for array in (part.outline, *(outline for outline, _ in part.relief))]
    everything = move(np.concatenate(arrays))
    ends = np.cumsum([len(array) for array in arrays]).tolist()
    pieces = iter(everything[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True))
    return tuple(
        part.with_vertices(next(pieces), tuple((next(pieces), z) for _, z in part.relief), scale) for part in parts
    )


def points(*pairs: tuple[float, float]) -> Points:
    """An outline from its corners."""
    return np.array(pairs, np.float32)


@cache
def _circle(count: int) -> Points:
    angle = np.linspace(0, TAU, count, endpoint=False, dtype=np.float32)
    out = np.stack([np.cos(angle), np.sin(angle)], 1)
    out.flags.writeable = False
    return out


def ellipse(cx: float, cy: float, rx: float, ry: float | None = None, count: int = 40) -> Points:
    """An ellipse, ``(count, 2)``; also any regular polygon when ``count`` is small."""
    size, centre = np.array([rx, rx if ry is None else ry], np.float32), np.array([cx, cy], np.float32)
    return _circle(count) * size + centre


def box(cx: float, cy: float, wide: float, high: float, angle: float = 0.0) -> Points:
    """A rectangle by its centre and half sizes."""
    corners = points((-wide, -high), (wide, -high), (wide, high), (-wide, high))
    return (turned(corners, angle) if angle else corners) + np.array([cx, cy], np.float32)


def rounded(cx: float, cy: float, wide: float, high: float, corner: float) -> Points:
    """A rectangle with round corners."""
    corner = min(corner, wide, high)
    arc = np.linspace(0, TAU / 4, 6)
    out = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        a = arc + k * TAU / 4
        out.append(np.stack([sx * (wide - corner) + corner * np.cos(a), sy * (high - corner) + corner * np.sin(a)], 1))
    return np.concatenate(out).astype(np.float32) + np.array([cx, cy], np.float32)


def turned(outline: Points, angle: float) -> Points:
    """The outline turned about the origin."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.array([[c, s], [-s, c]], np.float32)
    out: Points = outline @ matrix
    return out


def blob(rng: np.random.Generator, cx: float, cy: float, r: float, rough: float = 0.1, count: int = 48) -> Points:
    """A closed irregular outline around ``(cx, cy)``."""
    angle = np.linspace(0, TAU, count, endpoint=False)
    reach = np.ones(count)
    for wave in range(2, 8):
        reach += rough / wave * rng.normal() * 1.6 * np.cos(wave * angle + rng.uniform(0, TAU))
    reach = np.maximum(reach, 0.25) * r
    return np.stack([cx + reach * np.cos(angle), cy + reach * np.sin(angle)], 1).astype(np.float32)


def _normals(line: Points) -> Points:
    """Unit normals ``(n, 2)`` along a line of at least two points."""
    step = np.empty_like(line)
    step[1:-1] = line[2:] - line[:-2]
    step[0], step[-1] = line[1] - line[0], line[-1] - line[-2]
    length = np.maximum(np.sqrt(step[:, 0] * step[:, 0] + step[:, 1] * step[:, 1]), np.float32(1e-6))
    return np.stack([-step[:, 1] / length, step[:, 0] / length], 1)


def ribbon(line: Points, radius: FloatArray | float, side: float = 1.0) -> Points:
    """The outline of a tube along a line, ``side`` times its radius to either side."""
    reach = np.asarray(radius, np.float32).reshape(-1, 1) * np.float32(side)
    offset = _normals(line) * reach
    return np.concatenate([line + offset, (line - offset)[::-1]])


def tube(
    line: Points, radius: FloatArray | float, base: float = 0.0, top: float = 0.8, steps: int = 8
) -> tuple[tuple[Points, float], ...]:
    """Relief layers that make a ribbon round."""
    offset = _normals(line) * np.asarray(radius, np.float32).reshape(-1, 1)
    out = []
    for k in range(steps):
        t = math.sin((0.2 + 0.8 * k / (steps - 1)) * TAU / 4)
        part = offset * np.float32(math.sqrt(1 - t * t * 0.98))
        out.append((np.concatenate([line + part, (line - part)[::-1]]), base + (top - base) * t))
    return tuple(out)


def dome(
    outline: Points, base: float = 0.2, top: float = 0.9, steps: int = 8, flatness: float = 0.0
) -> tuple[tuple[Points, float], ...]:
    """Relief layers that raise an outline to a dome; ``flatness`` leaves a level top of that relative size."""
    centre = outline.mean(0)
    out = []
    for k in range(steps):
        s = 1 - (1 - flatness) * (k / steps) ** 1.0
        t = (1 - s) / max(1 - flatness, 1e-3)
        out.append(
            (
                (centre + (outline - centre) * np.float32(s)).astype(np.float32),
                float(base + (top - base) * np.sqrt(1 - (1 - t) ** 2)),
            )
        )
    return tuple(out)


def line(*pairs: tuple[float, float], count: int = 2) -> Points:
    """A straight or broken line; with ``count`` > 2 resampled evenly, so that it can bend."""
    corners = np.array(pairs, np.float32)
    if count <= len(corners):
        return corners
    if len(corners) == 2:
        t = np.arange(count, dtype=np.float32)[:, None] * np.float32(1 / (count - 1))
        return corners[:1] + (corners[1:] - corners[:1]) * t
    at, k = np.linspace(0, len(corners) - 1, count), np.arange(len(corners))
    return np.stack([np.interp(at, k, corners[:, 0]), np.interp(at, k, corners[:, 1])], 1).astype(np.float32)
