"""Things to eat: biscuits and nuts."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import Colour, Material, near, shade
from zsad.synthetic.shapes import Drawing, Part, blob, dome, ellipse, line, ribbon, rounded, tube


def cookie(rng: np.random.Generator, material: Material) -> Drawing:
    """A biscuit, bread roll or cracker: round or square, slightly uneven, with chips, seeds or docking holes."""
    colour = material.colour(rng)
    outline = blob(rng, 0, 0, 0.92, uniform(rng, 0.01, 0.07), 72)
    if chance(rng, 0.2):
        outline = rounded(0, 0, 0.9, uniform(rng, 0.6, 0.9), 0.1)
    parts = [Part(outline, shade(colour, 0.8), 0.3, dome(outline, 0.25, 0.75, 9, 0.5))]
    parts.append(Part((outline * np.float32(0.9)).astype(np.float32), colour, flat=True))
    if chance(rng, 0.5):
        parts += _furrows(rng, colour)
    kind = int(rng.choice([0, 0, 0, 1, 2, 3]))
    dark = shade(colour, uniform(rng, 0.15, 0.5))
    if kind == 0:
        for _ in range(int(rng.integers(4, 20))):
            a, r = rng.uniform(0, TAU), 0.85 * np.sqrt(rng.random())
            chip = blob(rng, float(r * np.cos(a)), float(r * np.sin(a)), uniform(rng, 0.03, 0.12), 0.3, 14)
            if chance(rng, 0.3):  # half sunk, in a rim of crust
                parts.append(Part((chip * np.float32(1.02)).astype(np.float32), shade(colour, 0.7), 0.72))
            parts.append(Part(chip, dark, float(rng.choice([0.7, 0.85]))))
    elif kind == 1:
        n = int(rng.integers(3, 7))
        for k in range(n * n):
            x, y = (k % n - (n - 1) / 2) * 1.2 / n, (k // n - (n - 1) / 2) * 1.2 / n
            if x * x + y * y < 0.6:
                parts.append(Part(ellipse(x, y, 0.035, count=12), dark, 0.3, noun="hole", group=k))
    elif kind == 2:
        for _ in range(int(rng.integers(10, 50))):
            x, y = rng.uniform(-0.55, 0.55, 2)
            seed = ribbon(
                line((float(x), float(y)), (float(x + rng.uniform(-0.06, 0.06)), float(y + rng.uniform(-0.06, 0.06)))),
                0.018,
            )
            parts.append(Part(seed, shade(colour, 1.35), 0.8))
    return Drawing(tuple(parts), repeats=True)


def _furrows(rng: np.random.Generator, colour: Colour) -> list[Part]:
    """What baking leaves on a crust: soft ridges and shallow clefts that wind over its middle."""
    parts = []
    for _ in range(int(rng.integers(2, 9))):
        x, y, way = *rng.uniform(-0.45, 0.45, 2), rng.uniform(0, TAU)
        long, bend = uniform(rng, 0.15, 0.5), float(rng.normal(0, 0.5))
        t, c, s = np.linspace(-1, 1, 9), np.cos(way), np.sin(way)
        u, v = t * long, np.square(t) * bend * long + rng.normal(0, 0.02, 9)
        spine = np.stack([x + u * c - v * s, y + u * s + v * c], 1).astype(np.float32)
        thick = (0.01 + uniform(rng, 0.01, 0.06) * (1 - np.square(t))).astype(np.float32)
        top = float(rng.choice([0.62, 0.68, 0.85]))  # below the crust's 0.75 or above
        tone = shade(colour, uniform(rng, 0.6, 1.1))
        parts.append(Part(ribbon(spine, thick), tone, 0.72, tube(spine, thick, 0.74, top, 4)))
    return parts


def kernel(rng: np.random.Generator, material: Material) -> Drawing:
    """A nut, bean, seed or fruit: an egg-like body, with a cap or a navel."""
    colour = material.colour(rng)
    body = blob(rng, 0, 0, 0.85, 0.05) * np.array([1.0, uniform(rng, 0.7, 1.0)], np.float32)
    parts = [Part(body, colour, 0.2, dome(body, 0.2, 0.95, 14))]
    if chance(rng, 0.6):
        cap = body[body[:, 0] < -0.35]
        cap = cap[np.argsort(np.arctan2(cap[:, 1], cap[:, 0] + 0.4) % TAU)] if len(cap) > 3 else body
        if len(cap) > 3 and cap is not body:
            parts.append(Part(cap, near(rng, shade(colour, 1.35)), flat=True))
    for _ in range(int(rng.integers(0, 14))):
        y = uniform(rng, -0.5, 0.5)
        parts.append(
            Part(
                line((-0.5, y * 0.8), (0.1, y * 1.1), (0.6, y * 0.7)),
                shade(colour, uniform(rng, 0.8, 1.15)),
                flat=True,
                pen=0.02,
            )
        )
    return Drawing(tuple(parts), repeats=True)
