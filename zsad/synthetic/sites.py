"""Where a defect goes and what shape it has: positions on an object, ragged blobs and wandering strokes as coverage."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic.noise import TAU, chance, log_uniform, radius, slopes, smooth, step, uniform
from zsad.types import FloatArray

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Site:
    """A place for one defect.

    Attributes:
        x: centre in pixels.
        y: centre in pixels.
        size: radius in pixels.
        angle: direction in radians; at an edge, the outward direction.
        strength: how strongly it shows, in (0, 1].
        cover: coverage of the object ``(h, w)`` in [0, 1], None when the surface fills the image.
        behind: what shows where the object is gone, planar ``(3, h, w)``, or None.
    """

    x: float
    y: float
    size: float
    angle: float
    strength: float
    cover: FloatArray | None = None
    behind: FloatArray | None = None

    def at_least(self, size: float) -> Site:
        """The site, at least so large."""
        return replace(self, size=max(self.size, size))


def choose(
    rng: np.random.Generator,
    h: int,
    w: int,
    cover: FloatArray | None = None,
    behind: FloatArray | None = None,
    *,
    edge: bool = False,
    grown: bool = False,
) -> Site:
    """Pick a place: mostly on the object; one pixel to a third of the image in size.

    With ``edge`` it lies on the object's outline, with ``grown`` most are large, as what grows in a body is by the
    time that a picture of it is taken.
    """
    side = max(h, w)
    size = log_uniform(rng, max(1.5, side * 0.006), side * 0.16)
    strength = log_uniform(rng, 0.12, 1.0)
    if grown and chance(rng, 0.8):
        size, strength = side * uniform(rng, 0.08, 0.38), log_uniform(rng, 0.12, 1.0)
    elif chance(rng, 0.2):
        size = side * uniform(rng, 0.15, 0.3)
    angle = uniform(rng, 0, TAU)
    if chance(rng, 0.25):
        angle = round(angle / (TAU / 4)) * TAU / 4
    x, y = float(rng.uniform(0.04, 0.96) * w), float(rng.uniform(0.04, 0.96) * h)
    if cover is not None:
        stride = max(1, side // 128)
        small = cover[::stride, ::stride]
        gy, gx = slopes(small)
        inside = (np.abs(gy) + np.abs(gx)) > 0.2 if edge else small > 0.5
        spots = np.flatnonzero(inside)
        if len(spots) and (edge or chance(rng, 0.9)):
            row, column = divmod(int(spots[int(rng.integers(len(spots)))]), small.shape[1])
            x, y = float(column * stride), float(row * stride)
            if edge:
                angle = float(np.arctan2(-gy[row, column], -gx[row, column]))
            if not edge:
                size = min(size, max(1.5, 0.5 * float(np.sqrt(len(spots))) * stride))
    return Site(x, y, size, angle, strength, cover, behind)


def window(h: int, w: int, x: float, y: float, reach: float) -> Window:
    """The part of an ``(h, w)`` image within ``reach`` of a point; never empty."""
    top, left = int(np.clip(y - reach, 0, h - 2)), int(np.clip(x - reach, 0, w - 2))
    bottom, right = int(np.clip(y + reach + 1, top + 2, h)), int(np.clip(x + reach + 1, left + 2, w))
    return slice(top, bottom), slice(left, right)


def extent(box: Window) -> tuple[int, int]:
    """Height and width of a window."""
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def blob(
    rng: np.random.Generator,
    image: FloatArray,
    site: Site,
    *,
    rough: float = 0.3,
    aspect: float = 1.0,
    soft: float = 1.5,
    cells: float = 5.0,
) -> tuple[Window, FloatArray]:
    """A ragged patch of an image ``(3, h, w)``: its window and coverage in [0, 1] there.

    ``soft`` is the edge width in pixels.
    """
    h, w = image.shape[1:]
    box = window(h, w, site.x, site.y, site.size * (1.2 + rough) + soft + 1)
    ch, cw = extent(box)
    d = radius(ch, cw, site.x - box[1].start, site.y - box[0].start, aspect, site.angle) * np.float32(1 / site.size)
    field = smooth(rng, ch, cw, cells) * np.float32(rough * 0.6) + 1 - d
    return box, step(field, 0.0, soft / site.size)


def oval(
    rng: np.random.Generator, image: FloatArray, site: Site, size: float, *, reach: float = 1.3, narrowest: float = 0.5
) -> tuple[Window, FloatArray]:
    """A field of ellipses around a site, turned at random: its window, and the distance there, 1 at ``size`` pixels.

    ``reach`` is the window's half side in units of ``size``, ``narrowest`` the smallest ratio of the axes.
    """
    h, w = image.shape[1:]
    aspect, turn = uniform(rng, narrowest, 1), uniform(rng, 0, TAU)
    box = window(h, w, site.x, site.y, size * reach)
    ch, cw = extent(box)
    return box, radius(ch, cw, site.x - box[1].start, site.y - box[0].start, aspect, turn) * np.float32(1 / size)


def stroke(image: FloatArray, paths: list[tuple[FloatArray, float]], *, level: int = 255) -> tuple[Window, FloatArray]:
    """Draw lines: points ``(n, 2)`` with a width in pixels each; their window in an image and coverage in [0, 1]."""
    h, w = image.shape[1:]
    everything = np.concatenate([path for path, _ in paths])
    pad = max(width for _, width in paths) + 2
    low, high = everything.min(0) - pad, everything.max(0) + pad
    left, top = int(np.clip(low[0], 0, w - 2)), int(np.clip(low[1], 0, h - 2))
    right, bottom = int(np.clip(high[0] + 1, left + 2, w)), int(np.clip(high[1] + 1, top + 2, h))
    scale = 4 if (right - left) * (bottom - top) < 16000 else 3
    page = Image.new("L", ((right - left) * scale, (bottom - top) * scale))
    pen = ImageDraw.Draw(page)
    for path, width in paths:
        flat = ((path - np.array([left, top], np.float32)) * scale).ravel().tolist()
        pen.line(flat, fill=level, width=max(1, round(width * scale)))
    cover = np.asarray(page.reduce(scale), np.float32) * np.float32(1 / 255)
    return (slice(top, bottom), slice(left, right)), cover


def wander(rng: np.random.Generator, site: Site, length: float, *, turn: float = 0.3, pace: float = 4.0) -> FloatArray:
    """A random walk ``(n, 2)`` about ``length`` pixels long, centred on the site and along its angle."""
    count = int(np.clip(length / pace, 3, 160))
    heading = np.zeros(count)
    noise = rng.normal(0, turn, count)
    for k in range(1, count):
        heading[k] = heading[k - 1] * 0.88 + noise[k]
    heading += site.angle
    points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1) * (length / count), axis=0)
    points += np.array([site.x, site.y]) - points[count // 2]
    return points.astype(np.float32)
