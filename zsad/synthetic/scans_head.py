"""Slices of a head as tomographs and magnetic resonance show them, alike on both sides of the middle."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import chance, fractal, grid, smooth, step, uniform
from zsad.types import FloatArray


def brain_scan(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A slice of a head: dark ground, skull and scalp, folded grey matter around white, symmetric ventricles."""
    x, y = grid(size, size, float(rng.normal(0, 0.1)))
    x, y = x - np.float32(rng.normal(0, 0.03) * size), y - np.float32(rng.normal(0, 0.03) * size)
    ry = size * uniform(rng, 0.36, 0.5)
    rx = ry * uniform(rng, 0.7, 0.95)
    u, v = x / np.float32(rx), y / np.float32(ry)  # (S, S) each, in radii of the head
    wobble = smooth(rng, size, size, 2) * np.float32(0.03)
    d = np.sqrt(np.square(u) + np.square(v)) + wobble
    folds = fractal(rng, size, size, rng.uniform(5, 10), 3, 0.6)
    inside = step(-d, -0.86, 0.04)
    matter = _matter(rng, d, folds)
    matter += smooth(rng, size, size, 3) * np.float32(0.03)
    side = np.abs(u)
    for _ in range(int(rng.choice([0, 1, 1, 2]))):
        matter += _pair(rng, side, v) * np.float32(rng.uniform(-0.12, 0.12))
    if chance(rng, 0.85):
        fluid = _ventricles(rng, side, v, wobble)
        matter += (np.float32(rng.choice([0.06, 0.1, 0.2, 0.75, 0.9])) - matter) * fluid
    matter -= np.exp(-np.square(u * np.float32(rng.uniform(40, 90)))) * np.float32(rng.uniform(0, 0.15))
    grey = matter * inside + _shell(rng, d, size) + np.float32(0.02)
    if chance(rng, 0.15):
        eyes = step(-np.hypot(side - np.float32(0.38), v + np.float32(0.64)), -0.15, 0.03)
        grey += (np.float32(rng.choice([0.15, 0.5, 0.85])) - grey) * eyes
    return np.repeat(grey[None], 3, 0), step(-d, -0.78, 0.05)


def _matter(rng: np.random.Generator, d: FloatArray, folds: FloatArray) -> FloatArray:
    """White matter in the middle, a ribbon of grey around it, furrows filled with fluid, ``(S, S)``."""
    white = uniform(rng, 0.25, 0.55)
    matter = np.full_like(d, white)
    if chance(rng, 0.8):
        ribbon = step(d + folds * np.float32(0.05), rng.uniform(0.6, 0.75), rng.uniform(0.04, 0.2))
        matter += ribbon * np.float32(rng.uniform(-0.12, 0.15))
    if chance(rng, 0.8):
        thin = uniform(rng, 0.1, 0.25)
        furrows = step(np.float32(thin) - np.abs(folds), 0.0, thin) * np.clip(d * 4 - np.float32(2), 0, 1)
        fluid = white + float(rng.choice([-0.3, -0.15, 0.2, 0.45]))
        matter += (np.float32(max(fluid, 0.03)) - matter) * furrows * np.float32(rng.uniform(0.4, 1.0))
    else:
        matter += np.abs(folds) * np.float32(rng.uniform(-0.12, 0.12)) * np.clip(d * 1.5, 0, 1)
    return matter


def _ventricles(rng: np.random.Generator, side: FloatArray, v: FloatArray, wobble: FloatArray) -> FloatArray:
    """Chambers of fluid: two arcs that bend away from the middle to both ends, at times a third chamber below."""
    high, wide = uniform(rng, 0.12, 0.42), uniform(rng, 0.02, 0.1)
    middle, bend = uniform(rng, 0.04, 0.14), uniform(rng, 0.0, 0.25)
    along = (v - np.float32(rng.normal(0, 0.06))) / np.float32(high)
    arc = np.float32(middle) + np.float32(bend) * np.square(along)
    half = np.float32(wide) * (np.float32(0.6) + np.float32(rng.uniform(-0.4, 0.6)) * along + wobble * 3)
    out = step(half - np.abs(side - arc), 0.0, 0.03) * step(-np.abs(along), -1.0, 0.25)
    if chance(rng, 0.4):
        third = np.hypot(side / np.float32(rng.uniform(0.02, 0.06)), (v - np.float32(0.15)) / np.float32(0.1))
        out = np.maximum(out, step(-third, -1.0, 0.3))
    return out


def _pair(rng: np.random.Generator, side: FloatArray, v: FloatArray) -> FloatArray:
    """A soft nucleus on each side of the middle."""
    x, y = uniform(rng, 0.15, 0.5), uniform(rng, -0.4, 0.4)
    wide, high = uniform(rng, 0.06, 0.2), uniform(rng, 0.08, 0.25)
    far = np.hypot((side - np.float32(x)) / np.float32(wide), (v - np.float32(y)) / np.float32(high))
    return step(-far, -1.0, rng.uniform(0.2, 0.9))


def _shell(rng: np.random.Generator, d: FloatArray, size: int) -> FloatArray:
    """Skull and scalp as bright rings of uneven brightness, ``(S, S)``."""
    uneven = np.float32(1) + smooth(rng, size, size, 6) * np.float32(rng.uniform(0, 0.3))
    ring = np.exp(-np.square((d - np.float32(0.95)) * np.float32(rng.uniform(18, 45))))
    shell = ring * np.float32(rng.uniform(0.1, 0.95)) * uneven
    if chance(rng, 0.5):
        outer = np.exp(-np.square((d - np.float32(rng.uniform(1.0, 1.06))) * np.float32(rng.uniform(30, 60))))
        shell += outer * np.float32(rng.uniform(0.2, 0.9)) * uneven
    return np.asarray(shell, np.float32)
