"""Surfaces that nobody named: each is a small random program of waves, cells and clouds.

A list of hand-made families, however long, teaches how those look. Source of the idea: "Procedural Image Programs for
Representation Learning" (Baradad et al., 2022), whose features transfer the better the more programs there are.
"""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import (
    TAU,
    cells,
    chance,
    fractal,
    fraction,
    grain,
    grid,
    log_uniform,
    slopes,
    smooth,
    step,
    uniform,
    warped,
)
from zsad.synthetic.palette import any_colour, shade, tint
from zsad.types import FloatArray

_LEVELS = 256
"""Entries of a wave's table."""


def program(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A pattern of one to three random terms, folded and coloured at random: another kind of surface each time."""
    unit = max(h, w) / 256
    x, y = grid(h, w, uniform(rng, 0, TAU) if chance(rng, 0.6) else 0.0)
    if chance(rng, 0.6):
        warped(rng, x, y, log_uniform(rng, 0.5, 20) * unit, uniform(rng, 1.5, 9))
    field = _term(rng, x, y, unit)
    for _ in range(int(rng.choice([0, 1, 1, 2]))):
        field = _joined(rng, field, _term(rng, x, y, unit))
    if chance(rng, 0.35):
        field = _wave(rng, field * np.float32(rng.uniform(0.3, 1.5)))
    out = _coloured(rng, field)
    if chance(rng, 0.3):  # inlaid with a second pattern
        where = step(_term(rng, x, y, unit), rng.uniform(-0.3, 0.6), 0.15) * np.float32(rng.uniform(0.3, 1))
        out += (_coloured(rng, _term(rng, x, y, unit)) - out) * where
    if chance(rng, 0.4):  # the pattern as a relief
        out *= 1 + slopes(field)[int(rng.integers(2))] * np.float32(rng.uniform(0.1, 0.8))
    if chance(rng, 0.5):
        out *= 1 + grain(rng, h, w) * np.float32(log_uniform(rng, 0.01, 0.15))
    return out


def _term(rng: np.random.Generator, x: FloatArray, y: FloatArray, unit: float) -> FloatArray:
    """One field about the size of [-1, 1] over coordinates in pixels."""
    h, w = x.shape
    pitch = np.float32(1 / (log_uniform(rng, 4, 60) * unit))
    kind = int(rng.choice(7, p=[0.2, 0.15, 0.1, 0.12, 0.2, 0.13, 0.1]))
    if kind == 0:
        return _wave(rng, x * pitch)
    if kind == 1:
        other = y * (pitch * np.float32(rng.choice([1.0, 1.0, 0.5, 0.3])))
        return _joined(rng, _wave(rng, x * pitch), _wave(rng, other))
    if kind == 2:  # rings around the points of a lattice
        u, v = fraction(x * pitch), fraction(y * pitch)
        u -= np.float32(0.5)
        v -= np.float32(0.5)
        return _wave(rng, np.sqrt(u * u + v * v) * np.float32(rng.uniform(0.7, 3)))
    if kind == 3:
        first, second, tone = cells(rng, x, y, 1 / float(pitch), uniform(rng, 0.2, 1))
        field = (first, second - first, tone)[int(rng.integers(3))]
        return np.asarray(field * np.float32(2) - np.float32(1), np.float32)
    if kind == 4:
        return fractal(rng, h, w, log_uniform(rng, 1.5, 40), int(rng.integers(1, 5)), uniform(rng, 0.4, 0.8))
    if kind == 5:  # ridges
        ridge = np.abs(fractal(rng, h, w, log_uniform(rng, 2, 25), 2, 0.5))
        return np.asarray(1 - ridge * np.float32(rng.uniform(1, 3)), np.float32)
    along, across = h / (log_uniform(rng, 1.2, 5) * unit), uniform(rng, 1, 8)
    return smooth(rng, h, w, along, across) if chance(rng, 0.5) else smooth(rng, h, w, across, along)


def _wave(rng: np.random.Generator, phase: FloatArray) -> FloatArray:
    """A random periodic profile of ``phase``, which counts periods; in [-1, 1]."""
    t = np.arange(_LEVELS) * (TAU / _LEVELS)
    table = np.zeros(_LEVELS)
    for harmonic in range(1, int(rng.choice([2, 2, 3, 5, 9]))):
        table += rng.normal() / harmonic * np.sin(harmonic * t + rng.uniform(0, TAU))
    table /= np.abs(table).max() + 1e-6
    if chance(rng, 0.4):  # edges instead of slopes
        table = np.clip((table - rng.uniform(-0.5, 0.5)) * rng.uniform(2, 12), -1, 1)
    index = (fraction(phase) * np.float32(_LEVELS)).astype(np.intp)
    return np.take(table.astype(np.float32), index, mode="clip")


def _joined(rng: np.random.Generator, one: FloatArray, other: FloatArray) -> FloatArray:
    """Two fields as one: their sum, product, larger, smaller or distance, or one where the other is high."""
    kind = int(rng.integers(6))
    if kind == 0:
        return one * np.float32(0.6) + other * np.float32(rng.uniform(0.1, 0.8))
    if kind == 1:
        return one * other
    if kind == 2:
        return np.maximum(one, other)
    if kind == 3:
        return np.minimum(one, other)
    if kind == 4:
        return np.asarray(np.abs(one - other) - np.float32(0.7), np.float32)
    return np.where(other > np.float32(rng.uniform(-0.4, 0.6)), one, one * np.float32(rng.uniform(-1, 0.5)))


def _coloured(rng: np.random.Generator, field: FloatArray) -> FloatArray:
    """Colour a field by a ramp of two to five colours, alike or unlike, weak or strong in contrast."""
    base, vivid = any_colour(rng, 0.4), float(rng.choice([0.1, 0.5]))
    count = int(rng.integers(2, 6))
    if chance(rng, 0.5):
        stops = [shade(base, uniform(rng, 0.4, 1.9)) for _ in range(count)]
    else:
        stops = [any_colour(rng, vivid) for _ in range(count)]
    weight = log_uniform(rng, 0.1, 1.0)
    stops = [(r, g, b) for r, g, b in np.asarray(base) + (np.asarray(stops) - np.asarray(base)) * weight]
    return tint(field * np.float32(0.5) + np.float32(0.5), stops)
