"""Medical looks that fill the view: name -> ``(rng, size) -> (planar image, region where a lesion may lie)``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zsad.data.synthetic.noise import TAU, chance, enlarge, fractal, grid, radius, slopes, smooth, step
from zsad.data.synthetic.palette import hsv, tint, tones
from zsad.data.synthetic.scans_head import brain_scan
from zsad.data.synthetic.textures_organic import skin, speckle, tissue
from zsad.types import FloatArray

Scan = Callable[[np.random.Generator, int], tuple[FloatArray, FloatArray]]


def chest_scan(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A chest radiograph: dark lungs, ribs, bright spine and heart."""
    x, y = grid(size, size, float(rng.normal(0, 0.03)))
    u, v = x / np.float32(size / 2), y / np.float32(size / 2)
    side = np.abs(u)
    lung = np.sqrt(
        np.square((side - np.float32(0.42)) / np.float32(0.3))
        + np.square((v + side * np.float32(0.1)) / np.float32(0.68))
    )
    lungs = step(-lung + smooth(rng, size, size, 3) * np.float32(0.04), -0.95, 0.25)
    ribs = np.sin((v - np.square(side) * np.float32(rng.uniform(0.4, 0.9))) * np.float32(rng.uniform(16, 24)))
    grey = np.float32(rng.uniform(0.55, 0.7)) - lungs * np.float32(rng.uniform(0.3, 0.45))
    grey += ribs * np.float32(rng.uniform(0.02, 0.06)) * (lungs * np.float32(0.7) + np.float32(0.3))
    grey += np.exp(-np.square(u * np.float32(9))) * np.float32(0.15)
    heart = np.sqrt(
        np.square((u - np.float32(0.12)) / np.float32(0.28)) + np.square((v - np.float32(0.3)) / np.float32(0.32))
    )
    grey += step(-heart, -1.0, 0.3) * np.float32(0.2)
    grey += fractal(rng, size, size, 10, 3) * np.float32(0.015)
    grey *= np.clip(1.3 - np.square(u) * 0.5, 0, 1)
    return np.repeat(grey[None], 3, 0), lungs


def endoscopy(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """The inside of a hollow organ: wet pink wall, folds, a dark lumen, a black frame with round or cut corners."""
    image = tissue(rng, size, size)
    if chance(rng, 0.6):
        image = _lit(rng, image)
    cx, cy = size * float(rng.uniform(0.15, 0.85)), size * float(rng.uniform(0.15, 0.85))
    d = radius(size, size, cx, cy) * np.float32(1 / size)
    open_ = step(d, 0.12, 0.05) if chance(rng, 0.6) else np.ones((size, size), np.float32)
    if chance(rng, 0.6):  # down the tube: darker with depth, rings of folds
        d += smooth(rng, size, size, 4) * np.float32(0.03)
        rings = np.sin(d * np.float32(rng.uniform(14, 40))) * np.float32(rng.uniform(0.03, 0.12))
        depth = np.clip(d * np.float32(rng.uniform(2, 5)), 0.08, 1)
        image *= depth + rings if open_.min() < 1 else 1 + rings
    for _ in range(int(rng.choice([0, 1, 2, 3, 4]))):
        image *= _fold(rng, size)
    near = radius(size, size, size * float(rng.uniform(0, 1)), size * float(rng.uniform(0, 1))) * np.float32(1 / size)
    image *= np.float32(1.25) - near * np.float32(rng.uniform(0.0, 0.7))  # the lamp sits at the lens
    if chance(rng, 0.6):
        image += _wet(rng, size) * np.float32(rng.uniform(0.3, 0.9))
    inside = _frame(rng, size)
    return image * inside, inside * open_


def _lit(rng: np.random.Generator, image: FloatArray) -> FloatArray:
    """A wall with bulges and ridges, lit from beside the lens: what faces it is bright, its steepest crests glare."""
    size = image.shape[1]
    coarse = max(size // 4, 8)
    relief = fractal(rng, coarse, coarse, rng.uniform(1.5, 4), 2, 0.4)
    if chance(rng, 0.6):
        relief = np.float32(1) - np.abs(relief)  # sharp crests between round bowls
    down, right = slopes(relief)
    x, y = grid(coarse, coarse)
    away = radius(coarse, coarse, coarse / 2, coarse / 2) + np.float32(0.15 * coarse)
    towards = (right * x + down * y) / away
    facing = enlarge(towards * np.float32(-1 / max(float(towards.std()), 1e-6)), size, size)  # (S, S), in deviations
    light = np.clip(1 + facing * np.float32(rng.uniform(0.06, 0.25)), 0.25, 1.6)
    bumps = smooth(rng, size, size, rng.uniform(12, 45)) * np.float32(rng.uniform(0.2, 0.8))
    glare = step(facing + bumps, rng.uniform(1.8, 3.2), 0.4) * np.float32(rng.uniform(0.2, 0.8))
    return np.asarray(image * light + glare, np.float32)


def _fold(rng: np.random.Generator, size: int) -> FloatArray:
    """One crescent-shaped fold as a factor: a lit crest with shade behind it, ``(size, size)``."""
    r = size * float(rng.uniform(0.3, 1.2))
    way = float(rng.uniform(0, TAU))
    x, y = size * (0.5 + 0.9 * np.cos(way)), size * (0.5 + 0.9 * np.sin(way))
    d = (radius(size, size, float(x), float(y)) - np.float32(r)) * np.float32(1 / size)
    d += smooth(rng, size, size, 3) * np.float32(0.02)
    wide = np.float32(1 / rng.uniform(0.02, 0.07))
    crest = np.exp(-np.square(d * wide)) * np.float32(rng.uniform(0.05, 0.3))
    shade = np.exp(-np.square((d - 1.6 / wide) * wide)) * np.float32(rng.uniform(0.1, 0.5))
    return np.asarray(1 + crest - shade, np.float32)


def _wet(rng: np.random.Generator, size: int) -> FloatArray:
    """Clusters of small sharp highlights, as wet walls have them, ``(size, size)`` in [0, 1]."""
    fine = smooth(rng, size, size, rng.uniform(14, 40))
    where = step(smooth(rng, size, size, rng.uniform(2, 5)), rng.uniform(0.3, 1.2), 0.5)
    return step(fine, rng.uniform(1.0, 1.6), 0.3) * where


def _frame(rng: np.random.Generator, size: int) -> FloatArray:
    """What the lens shows: all, a disc, or a square with cut corners, ``(size, size)`` in [0, 1]."""
    kind = int(rng.integers(3))
    if kind == 0:
        reach = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
        return step(-reach, -rng.uniform(0.9, 1.2), 0.02)
    if kind == 1:
        x, y = grid(size, size)
        side = float(rng.uniform(0.42, 0.5)) * size
        return step(-(np.abs(x) + np.abs(y)), -size * rng.uniform(0.65, 0.85), 2.0) * step(-np.abs(x), -side, 2.0)
    return np.ones((size, size), np.float32)


def ultrasound(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A sector or strip of grey speckle with layered tissue."""
    image = speckle(rng, size, size)
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    layers = np.sin((y + smooth(rng, size, size, 2) * np.float32(0.02)) * np.float32(rng.uniform(8, 25)))
    image *= np.float32(0.8) + layers * np.float32(rng.uniform(0.1, 0.4))
    inside = np.ones((size, size), np.float32)
    if chance(rng, 0.5):
        x = np.linspace(-1, 1, size, dtype=np.float32)[None, :]
        reach = np.sqrt(np.square(x) + np.square(y + np.float32(0.15)))
        inside = step(-np.abs(x) / (y + np.float32(0.2)), -rng.uniform(0.7, 1.0), 0.02) * step(-reach, -1.1, 0.01)
        image *= inside
    return image, inside


def dermoscopy(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """Skin under a lens: bright middle, dark round border."""
    image = skin(rng, size, size)
    d = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
    image *= np.clip(1.15 - np.square(d) * np.float32(rng.uniform(0.1, 0.5)), 0, 2)
    inside = step(-d, -rng.uniform(0.95, 1.5), 0.06)
    return image * inside, inside


def retina(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """The back of an eye: an orange disc with vessels, a bright optic disc, a dark macula."""
    d = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
    inside = step(-d, -rng.uniform(0.88, 0.99), 0.03)
    base = hsv(float(rng.uniform(0.02, 0.09)), float(rng.uniform(0.6, 0.85)), float(rng.uniform(0.5, 0.9)))
    field = fractal(rng, size, size, 2, 4) * np.float32(0.06) + np.float32(0.55) - d * np.float32(0.2)
    vessels = step(1 - np.abs(fractal(rng, size, size, 3, 2, 0.5)), rng.uniform(0.93, 0.96), 0.05)
    out = tint(field - vessels * np.float32(0.25), tones(rng, base, 0.7, 3, 0.02))
    x, y = size * float(rng.choice([0.28, 0.72])), size * float(rng.uniform(0.42, 0.58))
    disc = step(-radius(size, size, x, y), -size * rng.uniform(0.05, 0.08), size * 0.02)
    out += (np.array([0.98, 0.88, 0.6], np.float32)[:, None, None] - out) * disc * np.float32(0.85)
    return out * inside, inside * (1 - disc)


SCANS: dict[str, Scan] = {
    "brain_scan": brain_scan,
    "chest_scan": chest_scan,
    "endoscopy": endoscopy,
    "ultrasound": ultrasound,
    "dermoscopy": dermoscopy,
    "retina": retina,
}
