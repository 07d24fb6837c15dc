"""Objects that nobody named: plates, discs, rods and blobs put together at random, often with a symmetry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import Colour, Material, any_colour, shade
from zsad.synthetic.shapes import Drawing, Part, Points, blob, box, dome, ellipse, line, ribbon, rounded, tube, turned


def assembly(rng: np.random.Generator, material: Material) -> Drawing:
    """A body of random shape with random parts on it, repeated around its centre, mirrored, or in a row."""
    colour = material.colour(rng)
    parts = [_body(rng, colour)]
    for group in range(int(rng.integers(1, 5))):
        tone = any_colour(rng, 0.5) if chance(rng, 0.25) else shade(colour, uniform(rng, 0.5, 1.35))
        parts += _repeated(rng, _piece(rng, tone), group * 100)
    if chance(rng, 0.25):  # seen from above, something sits in its middle
        outline = _outline(rng, uniform(rng, 0.1, 0.35))
        parts.append(Part(outline, shade(colour, uniform(rng, 0.4, 1.3)), 0.8, dome(outline, 0.6, 0.95, 5, 0.4)))
    return Drawing(tuple(parts), repeats=chance(rng, 0.4))


def _outline(rng: np.random.Generator, size: float) -> Points:
    """A random convex or ragged outline around the origin, about ``size`` in radius."""
    aspect = uniform(rng, 0.25, 1.0)
    kind = int(rng.integers(5))
    if kind == 0:
        outline = ellipse(0, 0, size, size * aspect)
    elif kind == 1:
        outline = rounded(0, 0, size, size * aspect, size * aspect * uniform(rng, 0.02, 1))
    elif kind == 2:
        outline = ellipse(0, 0, size, size * max(aspect, 0.6), count=int(rng.integers(3, 9)))
    elif kind == 3:
        outline = blob(rng, 0, 0, size, uniform(rng, 0.03, 0.2))
    else:  # a wavy or toothed wheel
        angle = np.linspace(0, TAU, 96, endpoint=False)
        wave = np.cos(angle * int(rng.integers(3, 16)))
        reach = size * (1 - uniform(rng, 0.05, 0.25) * (wave if chance(rng, 0.5) else np.sign(wave)))
        outline = np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1).astype(np.float32)
    return outline


def _body(rng: np.random.Generator, colour: Colour) -> Part:
    outline = turned(_outline(rng, uniform(rng, 0.7, 0.97)), float(rng.choice([0, TAU / 4, rng.uniform(0, TAU)])))
    top = uniform(rng, 0.45, 0.9)
    return Part(outline, colour, 0.4, dome(outline, 0.3, top, 9, uniform(rng, 0.1, 0.97)))


def _piece(rng: np.random.Generator, colour: Colour) -> Part:
    """One small part around the origin: raised, sunk, cut out, printed, or a rod."""
    size, kind = uniform(rng, 0.05, 0.3), int(rng.integers(6))
    if kind == 0:
        return Part(_outline(rng, size), colour, hole=True, noun="hole")
    if kind == 1:
        return Part(_outline(rng, size), colour, flat=True, noun="mark")
    if kind == 2:
        return Part(_outline(rng, size), shade(colour, 0.7), uniform(rng, 0.05, 0.3), noun="part")
    if kind == 3:
        rod = line((-size * 1.5, 0.0), (size * 1.5, 0.0), count=8)
        thick = size * uniform(rng, 0.1, 0.4)
        return Part(ribbon(rod, thick), colour, 0.5, tube(rod, thick, 0.4, 0.95), "pin")
    if kind == 4:
        return Part(box(0, 0, size, size * uniform(rng, 0.1, 1)), colour, uniform(rng, 0.5, 0.95), noun="part")
    outline = _outline(rng, size)
    return Part(outline, colour, 0.7, dome(outline, 0.5, 0.95, 6, uniform(rng, 0, 0.8)), "boss")


def _repeated(rng: np.random.Generator, piece: Part, group: int) -> list[Part]:
    """Copies of a part: on a circle, mirrored, in a row, in a block, or one anywhere; each its own group."""
    kind = int(rng.integers(5))
    reach, spin = uniform(rng, 0.25, 0.8), float(rng.choice([0.0, TAU / 4, rng.uniform(0, TAU)]))
    if kind == 0:
        count = int(rng.integers(2, 13))
        start = uniform(rng, 0, TAU)
        places = [(reach, start + k * TAU / count) for k in range(count)]
        spots = [(r * np.cos(a), r * np.sin(a), a + spin) for r, a in places]
    elif kind == 1:
        y = uniform(rng, -0.5, 0.5)
        spots = [(-reach, y, -spin), (reach, y, spin)]
    elif kind == 2:
        count = int(rng.integers(2, 9))
        y = uniform(rng, -0.5, 0.5)
        spots = [(reach * (2 * k / (count - 1) - 1), y, spin) for k in range(count)]
    elif kind == 3:
        rows, columns = (int(v) for v in rng.integers(2, 5, 2))
        pitch = reach / max(rows, columns) * 2
        spots = [
            ((c - (columns - 1) / 2) * pitch, (r - (rows - 1) / 2) * pitch, spin)
            for r in range(rows)
            for c in range(columns)
        ]
    else:
        spots = [(uniform(rng, -0.5, 0.5), uniform(rng, -0.5, 0.5), spin)]
    out: list[Part] = []
    for k, (x, y, angle) in enumerate(spots):
        shift = np.array([x, y], np.float32)
        copy = piece.moved(lambda p, a=float(angle), s=shift: turned(p, a) + s)  # type: ignore[misc]
        out.append(replace(copy, group=group + k))
    return out
