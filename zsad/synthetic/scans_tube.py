"""The inside of a hollow organ as a lens sees it: a wall in relief around a dark lumen, lit from beside the lens."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import TAU, chance, enlarge, fractal, grid, radius, slopes, smooth, step, uniform
from zsad.synthetic.palette import hsv, near, shade, tint
from zsad.types import FloatArray


def endoscopy(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A wet pink wall with folds and vessels down to a dark lumen, in a round frame or one with cut corners.

    Light and shade are soft, so that they are computed at half the size.

    Args:
        rng: the only source of chance.
        size: side S in pixels, 32 or more.

    Returns:
        The image, planar RGB float32 ``(3, S, S)`` in [0, 1], and the region where a lesion may lie, float32
        ``(S, S)`` in [0, 1]: the lit wall inside the frame.
    """
    half = size // 2
    x, y = (part * np.float32(2 / half) for part in grid(half, half))  # the view is -1 to 1
    way, away = uniform(rng, 0, TAU), uniform(rng, 0, 1.5)
    x, y = x - np.float32(away * np.cos(way)), y - np.float32(away * np.sin(way))
    across = np.sqrt(x * x + np.square(y * np.float32(rng.uniform(0.8, 1.25)))) + np.float32(1e-3)
    log_depth = np.log(across) + smooth(rng, half, half, 3) * np.float32(rng.uniform(0.0, 0.2))
    light = np.ones((half, half), np.float32)
    for _ in range(int(rng.choice([0, 1, 2, 3, 4, 6]))):
        light *= _fold(rng, log_depth, x / across, y / across)
    facing = _facing(rng, half)
    light *= np.clip(1 + facing * np.float32(rng.uniform(0.04, 0.22)), 0.25, 1.7)
    light *= 1 - smooth(rng, half, half, 2) * np.float32(rng.uniform(0.0, 0.12))
    deep = log_depth - np.float32(np.log(rng.uniform(0.08, 0.35)))  # 0 where the wall is lost in the dark
    dark = np.clip(deep * np.float32(rng.uniform(0.35, 1.0)) + np.float32(0.15), 0.04, 1)
    if chance(rng, 0.25):  # against the wall: no lumen to be seen
        dark = np.ones_like(dark)
    lit = enlarge(light * dark, size, size)
    image = _wall(rng, lit)
    image += _glints(rng, enlarge(facing, size, size), lit)
    if chance(rng, 0.3):  # what comes too close to the lens is burnt out
        close = radius(size, size, *(float(v) for v in rng.choice([-0.1, 0.3, 0.7, 1.1], 2) * size))
        burnt = np.exp(-np.square(close * np.float32(1 / (size * rng.uniform(0.08, 0.3)))))
        image += burnt * np.array([1.0, 0.75, 0.6], np.float32)[:, None, None] * np.float32(rng.uniform(0.3, 1.2))
    inside = _frame(rng, size)
    open_ = enlarge(step(dark, 0.2, 0.1), size, size).clip(0, 1)
    return np.asarray(np.clip(image, 0, 1) * inside, np.float32), inside * open_


def _fold(rng: np.random.Generator, log_depth: FloatArray, east: FloatArray, south: FloatArray) -> FloatArray:
    """One fold across a part of the tube as a factor: lit up to its crest, and behind the crest a shadow.

    Args:
        rng: the source of chance.
        log_depth: logarithm of the distance from the lumen, ``(h, w)``; the wall runs away as it falls.
        east: direction from the lumen, a cosine ``(h, w)``.
        south: its sine.
    """
    h, w = log_depth.shape
    to = uniform(rng, 0, TAU)
    along = east * np.float32(np.cos(to)) + south * np.float32(np.sin(to))
    arc = step(along, uniform(rng, -1.2, 0.7), uniform(rng, 0.3, 0.9))
    before = log_depth - np.float32(rng.uniform(-1.6, 0.5)) + along * np.float32(rng.normal(0, 0.15))
    before += smooth(rng, h, w, rng.uniform(2, 5)) * np.float32(rng.uniform(0.02, 0.1))
    edge = step(np.asarray(before, np.float32), 0.0, uniform(rng, 0.015, 0.1))
    crest = np.exp(np.minimum(-before, 0) * np.float32(1 / rng.uniform(0.06, 0.3))) * np.float32(rng.uniform(0.1, 0.5))
    shadow = np.exp(np.minimum(before, 0) * np.float32(1 / rng.uniform(0.1, 0.4))) * np.float32(rng.uniform(0.2, 0.75))
    return np.asarray(1 + arc * (edge * crest - (1 - edge) * shadow), np.float32)


def _facing(rng: np.random.Generator, size: int) -> FloatArray:
    """How far a bulging wall faces the lens, ``(size, size)``, about standard normal; shades are soft, glare is not."""
    relief = fractal(rng, size, size, rng.uniform(1.5, 5), 3, rng.uniform(0.3, 0.6))
    if chance(rng, 0.4):
        relief = np.float32(1) - np.abs(relief)  # sharp crests between round bowls
    down, right = slopes(relief)
    x, y = grid(size, size)
    towards = (right * x + down * y) / (radius(size, size, size / 2, size / 2) + np.float32(0.15 * size))
    return np.asarray(np.clip(towards * np.float32(-1 / max(float(towards.std()), 1e-6)), -1.5, 3), np.float32)


def _wall(rng: np.random.Generator, lit: FloatArray) -> FloatArray:
    """The wall's colour, ``(3, h, w)``: deep red where little light falls, pale where much does; vessels, mottling."""
    h, w = lit.shape
    base = hsv(uniform(rng, -0.03, 0.07) % 1.0, uniform(rng, 0.3, 0.65), uniform(rng, 0.6, 0.9))
    pale = hsv(uniform(rng, 0.0, 0.12), uniform(rng, 0.1, 0.35), 1.0)
    tone = lit * np.float32(rng.uniform(0.5, 0.68))
    tone += fractal(rng, h, w, rng.uniform(20, 50), 2) * np.float32(rng.uniform(0.0, 0.03)) * lit
    stops = [(0.03, 0.01, 0.01), shade(near(rng, base, 0.03), 0.45), base, near(rng, base, 0.03), pale]
    image = tint(tone, stops)
    if chance(rng, 0.6):
        ridges = np.abs(fractal(rng, h, w, rng.uniform(4, 9), 3, 0.6))
        bed = step(smooth(rng, h, w, rng.uniform(2, 4)), -0.3, 1.5)  # vessels come up and sink in again
        vessels = step(-ridges, -uniform(rng, 0.05, 0.12), 0.12) * bed * np.float32(rng.uniform(0.1, 0.5))
        image *= 1 - vessels * np.array([0.25, 0.8, 0.7], np.float32)[:, None, None]
    if chance(rng, 0.4):  # redder and yellower places
        mottle = smooth(rng, h, w, rng.uniform(2, 6)) * np.float32(rng.uniform(0.03, 0.12))
        image[1] *= 1 - mottle
        image[2] *= 1 - mottle * np.float32(rng.uniform(0.0, 1.5))
    return image


def _glints(rng: np.random.Generator, facing: FloatArray, lit: FloatArray) -> FloatArray:
    """White mirror images of the lamp on a wet wall, ``(h, w)``: small, sharp, in groups where the wall faces it."""
    h, w = lit.shape
    ripples = smooth(rng, h, w, rng.uniform(14, 60)) + smooth(rng, h, w, rng.uniform(30, 90)) * np.float32(0.6)
    lean = facing * np.float32(rng.uniform(0.2, 0.9)) + smooth(rng, h, w, rng.uniform(2, 6)) * np.float32(0.5)
    glints = step(ripples + lean, uniform(rng, 2.0, 3.4), uniform(rng, 0.2, 0.6))
    return np.asarray(glints * np.clip(lit * np.float32(1.5), 0, 1) * np.float32(rng.uniform(0.4, 1.2)), np.float32)


def _frame(rng: np.random.Generator, size: int) -> FloatArray:
    """What the lens shows: all, a disc, or a square with cut corners, at times less an inset; ``(size, size)``."""
    kind = int(rng.integers(4))
    out = np.ones((size, size), np.float32)
    if kind == 0:
        reach = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
        out = step(-reach, -rng.uniform(0.9, 1.2), 0.02)
    elif kind < 3:
        x, y = grid(size, size)
        side = uniform(rng, 0.42, 0.52) * size
        cut = step(-(np.abs(x) + np.abs(y)), -size * rng.uniform(0.65, 0.85), 2.0)
        out = cut * step(-np.abs(x), -side, 2.0) * step(-np.abs(y), -size * rng.uniform(0.45, 0.55), 2.0)
    if chance(rng, 0.2):
        high, wide = (int(v) for v in size * rng.uniform(0.2, 0.38, 2))
        out[-high:, :wide] = 0
    return out
