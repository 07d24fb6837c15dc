"""Textures without a lattice from mineral and metal surfaces: brushed, ground, granular, concrete, cast."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import (
    TAU,
    cells,
    chance,
    fractal,
    grain,
    grid,
    log_uniform,
    slopes,
    smooth,
    step,
    uniform,
    unit,
)
from zsad.synthetic.palette import Colour, any_colour, hsv, near, shade, tint, tones
from zsad.types import FloatArray


def _metal(rng: np.random.Generator) -> Colour:
    """Mostly grey, sometimes warm or bluish."""
    value = uniform(rng, 0.2, 0.8)
    return hsv(float(rng.choice([0.1, 0.6, 0.06])), uniform(rng, 0, 0.12) if chance(rng, 0.8) else 0.4, value)


def brushed(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Metal with fine parallel brush strokes, straight or circular, with a broad sheen."""
    if chance(rng, 0.15):
        x, y = grid(h, w)
        r = np.sqrt(
            np.square(x - np.float32(rng.uniform(-0.5, 0.5) * w))
            + np.square(y - np.float32(rng.uniform(-0.5, 0.5) * h))
        )
        profile = rng.standard_normal(int(r.max()) + 2).astype(np.float32)
        strokes = np.take(profile, r.astype(np.int32))
    elif chance(rng, 0.7):
        long = rng.uniform(0.6, 6)
        fine = min(h, w) / rng.uniform(1, 3)
        strokes = smooth(rng, h, w, fine, long) if chance(rng, 0.5) else smooth(rng, h, w, long, fine)
    else:
        x, y = grid(h, w, uniform(rng, 0, TAU))
        profile = rng.standard_normal(h + w).astype(np.float32)
        strokes = np.take(profile, (y + (h + w) / 2).astype(np.int32)) + smooth(rng, h, w, 8)
    amount = log_uniform(rng, 0.02, 0.16)
    sheen = smooth(rng, h, w, rng.uniform(0.5, 2)) * np.float32(rng.uniform(0.02, 0.2))
    return tint(strokes * np.float32(amount) + sheen + np.float32(0.5), tones(rng, _metal(rng), 0.9, 3, 0.01))


def ground(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A ground, pressed or sintered face: grey, soft, low in contrast, with faint bands and cloudy tone."""
    bands = rng.uniform(6, 60)
    upright = chance(rng, 0.7)
    long = rng.uniform(0.5, 3)
    field = smooth(rng, h, w, long, bands) if upright else smooth(rng, h, w, bands, long)
    field *= np.float32(rng.uniform(0.2, 1.0))
    field += fractal(rng, h, w, rng.uniform(1.5, 5), 4, 0.6) * np.float32(rng.uniform(0.2, 1.2))
    if chance(rng, 0.6):
        field += fractal(rng, h, w, rng.uniform(30, 80), 2) * np.float32(rng.uniform(0.1, 0.6))
    if chance(rng, 0.4):
        field += _wheel_marks(rng, h, w) if upright else _wheel_marks(rng, w, h).T
    value = uniform(rng, 0.2, 0.75)
    contrast = np.float32(log_uniform(rng, 0.015, 0.1))
    base = (value, value, value) if chance(rng, 0.7) else _metal(rng)
    return tint(field * contrast + np.float32(0.5), tones(rng, base, 0.9, 2, 0.0))


def _wheel_marks(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Sharp lines that a wheel leaves from top to bottom, here deep and there faint, ``(h, w)``."""
    lines = rng.standard_normal((1, w), dtype=np.float32)
    if chance(rng, 0.6):  # most of them faint, a few deep
        lines = lines * np.abs(lines)
    depth = np.clip(1 + smooth(rng, h, w, rng.uniform(1, 4), rng.uniform(3, 20)) * np.float32(0.6), 0, 3)
    return np.asarray(lines * depth * np.float32(rng.uniform(0.2, 1.5)), np.float32)


def granular(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Sand, granite, asphalt, cast iron: grains of several sizes and tones, strong or weak in contrast."""
    fine = grain(rng, h, w)
    size = log_uniform(rng, 1.0, 6.0) * max(h, w) / 256
    field = smooth(rng, h, w, h / size)
    if chance(rng, 0.5):
        field = field * np.float32(0.7) + fine * np.float32(0.6)
    if chance(rng, 0.5):
        field += smooth(rng, h, w, h / (size * 3)) * np.float32(0.7)
    if chance(rng, 0.3):
        field = np.sign(field) * np.sqrt(np.abs(field))
    amount = np.float32(log_uniform(rng, 0.03, 0.22))
    return tint(field * amount + np.float32(0.5), tones(rng, any_colour(rng, 0.25), rng.uniform(0.5, 1.0), 4, 0.04))


def concrete(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Concrete, plaster, pavement: clouds over several scales, fine grain, soft pores everywhere, weathered places."""
    field = fractal(rng, h, w, log_uniform(rng, 1.5, 40), 6, rng.uniform(0.5, 0.85))
    field += grain(rng, h, w) * np.float32(rng.uniform(0.1, 0.9))
    if chance(rng, 0.3):  # dark growth and washed-out places that have been there for years
        growth = fractal(rng, h, w, rng.uniform(3, 12), 4, 0.8)
        field -= step(growth, rng.uniform(0.3, 1.2), 0.3) * np.float32(rng.uniform(0.5, 3))
    if chance(rng, 0.4):
        pores = step(smooth(rng, h, w, rng.uniform(30, 70)), rng.uniform(1.6, 2.4), 0.5)
        field -= pores * np.float32(rng.uniform(0.5, 3))
    amount = np.float32(log_uniform(rng, 0.03, 0.16))
    value = uniform(rng, 0.25, 0.8)
    base = near(rng, (value, value * 0.98, value * 0.94), 0.05)
    return tint(field * amount + np.float32(0.5), tones(rng, base, 0.9, 3, 0.01))


def marble(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Veins and clouds of polished stone."""
    x, _ = grid(h, w, uniform(rng, 0, TAU))
    field = x * np.float32(rng.uniform(1, 4) / w) + fractal(rng, h, w, rng.uniform(1.5, 4), 5, 0.6) * np.float32(
        rng.uniform(0.2, 0.6)
    )
    vein = 1 - np.abs(np.sin(field * np.float32(TAU)))
    vein = np.power(vein, np.float32(rng.uniform(1, 5)))
    field = vein * np.float32(rng.uniform(0.3, 0.9)) + fractal(rng, h, w, 3, 3) * np.float32(0.06)
    base = any_colour(rng, 0.2)
    return tint(field, [base, shade(base, float(rng.choice([0.5, 0.75, 1.4])))])


def terrazzo(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Stone chips of many colours set in a binder."""
    x, y = grid(h, w, uniform(rng, 0, TAU))
    pitch = log_uniform(rng, 7, 34) * max(h, w) / 256
    first, second, tone = cells(rng, x, y, pitch, 1.0)
    chip = step(second - first, rng.uniform(0.1, 0.4), 0.1) * (tone > rng.uniform(0.0, 0.5))
    stops = [any_colour(rng, 0.3) for _ in range(4)]
    chips = tint(tone, stops)
    base = tint(fractal(rng, h, w, 20, 3) * np.float32(0.1) + np.float32(0.5), tones(rng, any_colour(rng, 0.1), 0.3))
    return base + (chips - base) * chip


def hammered(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Hammered or orange-peel metal: rounded facets lit from a side."""
    x, y = grid(h, w)
    first, _, _ = cells(rng, x + np.zeros_like(y), y + np.zeros_like(x), log_uniform(rng, 8, 30) * max(h, w) / 256, 0.8)
    slope = slopes(first)[int(rng.integers(2))]
    return tint(slope * np.float32(rng.uniform(1, 4)) + np.float32(0.5), tones(rng, _metal(rng), 0.8, 3, 0.01))


def cast(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A cast, painted or powder-coated skin: bumps with small shadows."""
    bumps = fractal(rng, h, w, h / (log_uniform(rng, 3, 14) * max(h, w) / 256), 2)
    slope = slopes(bumps)[int(rng.integers(2))]
    field = slope * np.float32(log_uniform(rng, 0.05, 0.4)) + smooth(rng, h, w, 2) * np.float32(0.04)
    return tint(field + np.float32(0.5), tones(rng, any_colour(rng, 0.4), rng.uniform(0.3, 0.8), 3, 0.01))


def plain(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Paint, paper or plastic: one colour, a soft gradient, almost no grain."""
    field = smooth(rng, h, w, rng.uniform(0.3, 2)) * np.float32(rng.uniform(0.0, 0.15))
    field += grain(rng, h, w) * np.float32(rng.uniform(0.0, 0.02))
    return tint(field + np.float32(0.5), tones(rng, any_colour(rng), rng.uniform(0.2, 0.7), 3, 0.02))


def foam(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Sponge and foam: bubbles of mixed size with thin walls and dark pores."""
    x, y = grid(h, w, uniform(rng, 0, TAU))
    pitch = log_uniform(rng, 5, 26) * max(h, w) / 256
    first, second, tone = cells(rng, x, y, pitch, 1.0)
    walls = np.clip((second - first) * np.float32(rng.uniform(1.5, 4)), 0, 1)
    depth = walls * (np.float32(0.4) + np.float32(0.6) * tone)
    field = 1 - depth + grain(rng, h, w) * np.float32(0.03)
    return tint(unit(field), tones(rng, any_colour(rng, 0.5), rng.uniform(0.2, 0.8)))


def speckled(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A plain ground with many flecks, like laminate, eggshell, recycled paper or confetti."""
    base = any_colour(rng, 0.4)
    out = tint(smooth(rng, h, w, 2) * np.float32(0.05) + np.float32(0.5), tones(rng, base, 0.25))
    for _ in range(int(rng.integers(1, 4))):
        flecks = step(smooth(rng, h, w, h / (log_uniform(rng, 2.5, 9) * max(h, w) / 256)), rng.uniform(1.0, 1.9), 0.25)
        colour = np.asarray(
            any_colour(rng, 0.5) if chance(rng, 0.5) else shade(base, float(rng.choice([0.4, 0.7, 1.3]))), np.float32
        )
        out += (colour[:, None, None] - out) * (flecks * np.float32(rng.uniform(0.3, 1.0)))
    return out
