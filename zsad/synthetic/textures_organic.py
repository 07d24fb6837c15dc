"""Textures of grown and fibrous matter: wood, leather, skin, tissue, carpet, fibres, crumb."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic.noise import (
    TAU,
    cells,
    chance,
    enlarge,
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
from zsad.synthetic.palette import any_colour, hsv, near, shade, tint, tones
from zsad.types import FloatArray


def wood(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Boards: year rings seen from the side, fine fibres, pores along the grain."""
    upright = chance(rng, 0.6)
    a, b = (w, h) if upright else (h, w)  # across and along the grain
    across = np.linspace(0, 1, a, dtype=np.float32)[None, :]
    bend = smooth(rng, b, a, rng.uniform(0.8, 2.5), rng.uniform(0.6, 2)) * np.float32(rng.uniform(0.03, 0.14))
    rings = (across + bend) * np.float32(rng.uniform(4, 22))
    rings = (
        rings - np.floor(rings)
        if chance(rng, 0.5)
        else np.float32(0.5) + np.float32(0.5) * np.sin(rings * np.float32(TAU))
    )
    fibre = smooth(rng, b, a, rng.uniform(3, 12), a / rng.uniform(1.2, 4))
    field = rings * np.float32(rng.uniform(0.15, 0.7)) + fibre * np.float32(rng.uniform(0.03, 0.14)) + np.float32(0.1)
    if chance(rng, 0.4):
        pores = step(smooth(rng, b, a, rng.uniform(15, 40), a / 2), 1.7, 0.6)
        field += pores * np.float32(0.4)
    base = hsv(uniform(rng, 0.05, 0.11), uniform(rng, 0.3, 0.65), uniform(rng, 0.35, 0.85))
    out = tint(field, [near(rng, base, 0.03), shade(base, uniform(rng, 0.55, 0.8))])
    return out if upright else np.ascontiguousarray(out.transpose(0, 2, 1))


def leather(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Pebbled grain with creases between the pebbles."""
    x, y = grid(h, w, uniform(rng, 0, TAU))
    pitch = log_uniform(rng, 4, 14) * max(h, w) / 256
    x = x * np.float32(rng.uniform(0.7, 1.0))
    first, second, tone = cells(rng, x, y, pitch, 1.0)
    crease = np.clip((second - first) * np.float32(rng.uniform(1.5, 3.5)), 0, 1)
    field = crease * np.float32(0.6) + tone * np.float32(0.1) + fractal(rng, h, w, 6, 3) * np.float32(0.05)
    base = hsv(uniform(rng, 0.02, 0.1), uniform(rng, 0.2, 0.7), uniform(rng, 0.15, 0.7))
    if chance(rng, 0.25):
        base = any_colour(rng)
    return tint(field, tones(rng, base, rng.uniform(0.06, 0.4)))


def skin(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Skin seen close: pale to dark, fine furrows, pores, soft mottling, at times hairs that belong there."""
    x, y = grid(h, w, uniform(rng, 0, TAU))
    pitch = log_uniform(rng, 5, 16) * max(h, w) / 256
    first, second, _ = cells(rng, x, y, pitch, 1.0)
    field = np.minimum((second - first) * 2, 1) * np.float32(rng.uniform(0.05, 0.3))
    field += fractal(rng, h, w, 3, 4) * np.float32(rng.uniform(0.05, 0.2)) + np.float32(0.35)
    base = hsv(uniform(rng, 0.0, 0.08), uniform(rng, 0.2, 0.55), uniform(rng, 0.45, 0.95))
    out = tint(field, tones(rng, base, rng.uniform(0.1, 0.35), 3, 0.03))
    if chance(rng, 0.35):
        out *= 1 - _hairs(rng, h, w) * np.float32(rng.uniform(0.3, 0.8))
    return out


def _hairs(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Many fine curved hairs that lie in about the same direction, ``(h, w)`` in [0, 1]."""
    page = Image.new("L", (w * 2, h * 2))
    pen = ImageDraw.Draw(page)
    way, t = uniform(rng, 0, TAU), np.linspace(-0.5, 0.5, 9)
    for _ in range(int(rng.integers(6, 40))):
        angle, long, bend = (way + float(rng.normal(0, 0.3)), uniform(rng, 0.15, 0.6) * h, float(rng.normal(0, 0.4)))
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        u, v = t * long, np.square(t) * bend * long
        line = np.stack([x + u * np.cos(angle) - v * np.sin(angle), y + u * np.sin(angle) + v * np.cos(angle)], 1)
        pen.line((line * 2).ravel().tolist(), fill=255, width=max(1, round(uniform(rng, 1, 3) * h / 256)))
    return np.asarray(page.reduce(2), np.float32) * np.float32(1 / 255)


def tissue(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Moist tissue: pink to red, soft folds, branching vessels, small wet highlights."""
    folds = fractal(rng, h, w, rng.uniform(1, 3), 3, 0.5)
    light = slopes(folds)[int(rng.integers(2))] * np.float32(h / 24)
    vessels = 1 - np.abs(fractal(rng, h, w, rng.uniform(3, 6), 3, 0.6))
    vessels = step(vessels, rng.uniform(0.8, 0.93), 0.25) * np.float32(rng.uniform(0.0, 0.3))
    tone = (
        light * np.float32(rng.uniform(0.05, 0.14))
        - vessels
        + fractal(rng, h, w, 20, 2) * np.float32(0.02)
        + np.float32(0.5)
    )
    base = hsv(uniform(rng, -0.02, 0.06) % 1.0, uniform(rng, 0.35, 0.7), uniform(rng, 0.55, 0.9))
    out = tint(tone, [shade(base, 0.35), base, near(rng, (min(base[0] * 1.2, 1), base[1] * 1.25, base[2] * 1.2), 0.02)])
    wet = step(smooth(rng, h, w, rng.uniform(6, 18)) + light * np.float32(0.3), rng.uniform(2.0, 2.8), 0.4)
    out += wet * np.float32(rng.uniform(0.2, 0.6))
    return out


def carpet(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Carpet, felt, fleece, grass: tufts of fibre without direction, strong in grain."""
    fine = smooth(rng, h, w, h / (log_uniform(rng, 1.2, 3.0) * max(h, w) / 256))
    tufts = smooth(rng, h, w, h / (log_uniform(rng, 4, 12) * max(h, w) / 256))
    field = fine * np.float32(rng.uniform(0.1, 0.22)) + tufts * np.float32(rng.uniform(0.02, 0.14))
    return tint(field + np.float32(0.5), tones(rng, any_colour(rng), rng.uniform(0.3, 0.9), 4, 0.05))


def fibrous(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Short fibres in all directions: paper pulp, chipboard, insulation, filter mat."""
    field = np.zeros((h, w), np.float32)
    stretch = rng.uniform(4, 12)
    fine = h / (log_uniform(rng, 1.2, 3.5) * max(h, w) / 256)
    for upright in (True, False):
        layer = smooth(rng, h, w, fine / stretch, fine) if upright else smooth(rng, h, w, fine, fine / stretch)
        field = np.maximum(field, layer) if chance(rng, 0.5) else field + layer * np.float32(0.7)
    x, _ = grid(h, w, 0.8)
    field = field + fractal(rng, h, w, 4, 2) * np.float32(0.3) + x * np.float32(0)
    return tint(
        field * np.float32(log_uniform(rng, 0.04, 0.2)) + np.float32(0.4),
        tones(rng, any_colour(rng, 0.4), rng.uniform(0.4, 0.9)),
    )


def crumb(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Baked and pressed matter: bread, biscuit, cork, pellets, with pores of many sizes."""
    field = fractal(rng, h, w, rng.uniform(8, 20), 4, 0.7)
    bubbles = step(smooth(rng, h, w, rng.uniform(20, 60)), rng.uniform(1.0, 1.8), 0.6)
    tone = field * np.float32(rng.uniform(0.05, 0.14)) - bubbles * np.float32(rng.uniform(0.05, 0.3)) + np.float32(0.55)
    base = hsv(uniform(rng, 0.06, 0.12), uniform(rng, 0.3, 0.65), uniform(rng, 0.45, 0.9))
    return tint(tone, tones(rng, base, 0.6, 3, 0.02))


def camouflage(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Large irregular patches of a few colours that belong there: camouflage, mottled stone, cow hide."""
    field = unit(fractal(rng, h, w, rng.uniform(2, 8), 2, 0.5))
    count = int(rng.integers(2, 6))
    stops = [any_colour(rng, 0.4) for _ in range(count)]
    level = np.floor(field * np.float32(count - 0.01)) / np.float32(max(count - 1, 1))
    out = tint(level, stops)
    out *= 1 + grain(rng, h, w) * np.float32(rng.uniform(0, 0.06))
    return out


def speckle(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Coherent speckle as in ultrasound and radar: grey, multiplicative, drawn out to one side."""
    fine = uniform(rng, 1.3, 2.4)
    small = rng.rayleigh(0.4, (int(h / fine) + 2, int(w / (fine * rng.uniform(1.0, 2.2))) + 2)).astype(np.float32)
    noise = enlarge(small, h, w)
    bands = np.exp(fractal(rng, h, w, rng.uniform(2, 6), 3, 0.6, rng.uniform(1.5, 4)) * np.float32(0.5))
    return tint(noise * bands * np.float32(rng.uniform(0.3, 0.9)), [(0.02, 0.02, 0.02), (0.9, 0.9, 0.9)])
