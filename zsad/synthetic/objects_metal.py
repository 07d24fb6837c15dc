"""Machine parts: gears, brackets, springs, chains, tools, bearings, fans, castings."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import Material, any_colour, shade
from zsad.synthetic.shapes import Drawing, Part, blob, box, dome, ellipse, line, points, ribbon, rounded, tube


def gear(rng: np.random.Generator, material: Material) -> Drawing:
    """A gear or sprocket: teeth, hub, spokes or lightening holes, keyway."""
    colour = material.colour(rng)
    count = int(rng.integers(10, 44))
    root = uniform(rng, 0.75, 0.87)
    parts = [Part(ellipse(0, 0, root, count=64), colour, 0.5)]
    half = TAU / count * uniform(rng, 0.22, 0.3)
    for k in range(count):
        a = k * TAU / count
        corners = [(root * 0.96, a - half), (0.97, a - half * 0.5), (0.97, a + half * 0.5), (root * 0.96, a + half)]
        outline = points(*[(float(r * np.cos(t)), float(r * np.sin(t))) for r, t in corners])
        parts.append(Part(outline, colour, 0.5, noun="tooth", group=k))
    parts.append(Part(ellipse(0, 0, root * 0.85), shade(colour, 0.88), 0.35))
    hub = uniform(rng, 0.22, 0.4)
    holes = int(rng.choice([0, 3, 4, 5, 6, 8]))
    between = (root * 0.85 + hub) / 2
    for k in range(holes):
        a = k * TAU / holes
        outline = ellipse(between * float(np.cos(a)), between * float(np.sin(a)), (root * 0.85 - hub) * 0.3)
        parts.append(Part(outline, colour, hole=True, noun="hole", group=100 + k))
    parts += [Part(ellipse(0, 0, hub), colour, 0.75), Part(ellipse(0, 0, hub * 0.5), colour, hole=True)]
    if chance(rng, 0.5):
        parts.append(Part(box(hub * 0.5, 0, hub * 0.2, hub * 0.15), colour, hole=True))
    return Drawing(tuple(parts), repeats=True)


def bracket(rng: np.random.Generator, material: Material) -> Drawing:
    """A flat plate, flange or angle with drilled holes, slots and sometimes screws."""
    colour = material.colour(rng)
    wide, high = 0.95, uniform(rng, 0.35, 0.95)
    outline = rounded(0, 0, wide, high, uniform(rng, 0.02, 0.4))
    if chance(rng, 0.25):
        t = high * uniform(rng, 0.3, 0.5)
        outline = points(
            (-wide, -high),
            (-wide + t * 2, -high),
            (-wide + t * 2, high - t * 2),
            (wide, high - t * 2),
            (wide, high),
            (-wide, high),
        )
    parts = [Part(outline, colour, 0.5, dome(outline, 0.4, 0.55, 2, 0.95))]
    r = uniform(rng, 0.06, 0.14)
    x, y = wide - r * 2, high - r * 2
    spots = [(-x, -y), (-x, y), (x, y)] + ([(x, -y)] if len(outline) != 6 else [])
    for k, (cx, cy) in enumerate(spots):
        if chance(rng, 0.5):
            parts.append(Part(ellipse(cx, cy, r * 1.4), shade(colour, 0.85), 0.35))
        parts.append(Part(ellipse(cx, cy, r), colour, hole=True, noun="hole", group=k))
    if chance(rng, 0.4):
        parts.append(Part(rounded(0, 0, wide * 0.4, r, r), colour, hole=True))
    if chance(rng, 0.4):
        parts.append(
            Part(line((-wide * 0.5, -high * 0.3), (wide * 0.5, -high * 0.3)), shade(colour, 0.75), 0.4, pen=0.03)
        )
    return Drawing(tuple(parts), repeats=True)


def spring(rng: np.random.Generator, material: Material) -> Drawing:
    """A coil spring on its side."""
    colour = material.colour(rng)
    turns, r, wire = int(rng.integers(5, 16)), uniform(rng, 0.18, 0.4), uniform(rng, 0.03, 0.06)
    xs = np.linspace(-0.9, 0.9, turns * 2 + 1)
    parts = []
    for front in (False, True):
        for k in range(turns):
            a, b = (k * 2, k * 2 + 1) if not front else (k * 2 + 1, k * 2 + 2)
            sign = 1 if front else -1
            part = line((float(xs[a]), sign * r), (float(xs[b]), -sign * r), count=8)
            tone = colour if front else shade(colour, 0.6)
            parts.append(
                Part(
                    ribbon(part, wire),
                    tone,
                    0.3,
                    tube(part, wire, 0.2, 0.9 if front else 0.5),
                    "coil",
                    k if front else 100 + k,
                )
            )
    return Drawing(tuple(parts), repeats=True)


def chain(rng: np.random.Generator, material: Material) -> Drawing:
    """A chain of oval links, seen flat and on edge in turn."""
    colour = material.colour(rng)
    count = int(rng.integers(4, 9))
    parts = []
    reach = 1.9 / count
    for k in range(count):
        cx = -0.95 + reach * (k + 0.5)
        if k % 2:
            rod = line((cx - reach * 0.7, 0), (cx + reach * 0.7, 0), count=6)
            parts.append(Part(ribbon(rod, reach * 0.14), colour, 0.3, tube(rod, reach * 0.14, 0.3, 1.0), "link", k))
        else:
            ring = ellipse(cx, 0, reach * 0.72, reach * 0.42, 30)
            ring = np.concatenate([ring, ring[:2]])
            parts.append(Part(ring, colour, 0.55, noun="link", group=k, pen=reach * 0.24))
    return Drawing(tuple(parts))


def tool(rng: np.random.Generator, material: Material) -> Drawing:
    """A spanner, key or hook: a long handle with a shaped end."""
    colour = material.colour(rng)
    half = uniform(rng, 0.06, 0.11)
    handle = box(0, 0, 0.75, half)
    kind = int(rng.integers(3))
    parts = [Part(handle, colour, 0.5, dome(handle, 0.35, 0.6, 3, 0.7))]
    if kind == 0:
        parts.append(Part(ellipse(0.75, 0, 0.24), colour, 0.55))
        parts.append(Part(points((0.72, -0.1), (1.1, -0.12), (1.1, 0.12), (0.72, 0.1)), colour, hole=True))
        parts += [Part(ellipse(-0.75, 0, 0.2), colour, 0.55), Part(ellipse(-0.75, 0, 0.11, count=6), colour, hole=True)]
    elif kind == 1:
        parts += [Part(ellipse(-0.7, 0, 0.28), colour, 0.55), Part(ellipse(-0.78, 0, 0.1), colour, hole=True)]
        for k, x in enumerate(np.linspace(0.25, 0.7, int(rng.integers(3, 6)))):
            parts.append(
                Part(box(float(x), half + 0.05, 0.04, uniform(rng, 0.03, 0.1)), colour, 0.5, noun="tooth", group=k)
            )
    else:
        parts.append(
            Part(
                rounded(-0.55, 0, 0.4, half * 1.8, half),
                any_colour(rng, 0.9),
                0.7,
                dome(rounded(-0.55, 0, 0.4, half * 1.8, half), 0.4, 0.9),
            )
        )
        parts.append(
            Part(
                points((0.75, -half * 0.8), (0.98, -half * 0.4), (0.98, half * 0.4), (0.75, half * 0.8)),
                shade(colour, 0.9),
                0.5,
            )
        )
    return Drawing(tuple(parts), repeats=True)


def bearing(rng: np.random.Generator, material: Material) -> Drawing:
    """A ball bearing from above: two rings and the balls between."""
    colour = material.colour(rng)
    inner = uniform(rng, 0.4, 0.55)
    parts = [Part(ellipse(0, 0, 0.97), colour, 0.7), Part(ellipse(0, 0, 0.8), shade(colour, 0.35), 0.2)]
    count = int(rng.integers(7, 15))
    r, ball = (0.8 + inner) / 2, (0.8 - inner) * 0.42
    for k in range(count):
        outline = ellipse(r * float(np.cos(k * TAU / count)), r * float(np.sin(k * TAU / count)), ball, count=20)
        parts.append(Part(outline, shade(colour, 1.2), 0.4, dome(outline, 0.3, 0.95), "ball", k))
    parts += [Part(ellipse(0, 0, inner), colour, 0.7), Part(ellipse(0, 0, inner * 0.6), colour, hole=True)]
    return Drawing(tuple(parts), repeats=True)


def fan(rng: np.random.Generator, material: Material) -> Drawing:
    """A fan or impeller: hub and swept blades."""
    colour = material.colour(rng)
    count = int(rng.integers(3, 12))
    sweep = uniform(rng, 0.1, 0.6)
    width = TAU / count * uniform(rng, 0.25, 0.42)
    parts = [Part(ellipse(0, 0, 0.97), shade(colour, 0.45), 0.1)] if chance(rng, 0.4) else []
    for k in range(count):
        a = k * TAU / count
        rim = [(0.92, a + sweep - width), (0.95, a + sweep), (0.92, a + sweep + width)]
        corners = [
            (0.2, a - width * 0.4),
            (0.6, a + sweep * 0.4 - width),
            *rim,
            (0.6, a + sweep * 0.4 + width * 0.6),
            (0.2, a + width * 0.6),
        ]
        outline = points(*[(float(r * np.cos(t)), float(r * np.sin(t))) for r, t in corners])
        parts.append(Part(outline, colour, 0.5, dome(outline, 0.35, 0.7, 3, 0.4), "blade", k))
    hub = ellipse(0, 0, 0.27)
    parts.append(Part(hub, shade(colour, 1.1), 0.7, dome(hub, 0.5, 0.95, 4, 0.5)))
    return Drawing(tuple(parts))


def slab(rng: np.random.Generator, material: Material) -> Drawing:
    """A plain flat piece with straight, slightly worn edges: a tile, magnet, plate or bar."""
    wide, high = 0.97, uniform(rng, 0.4, 1.0)
    outline = box(0, 0, wide, high) + rng.normal(0, 0.02, (4, 2)).astype(np.float32)
    if chance(rng, 0.4):
        outline = rounded(0, 0, wide, high, uniform(rng, 0.02, 0.12))
    level = uniform(rng, 0.3, 0.6)
    return Drawing(
        (Part(outline.astype(np.float32), material.colour(rng), level, dome(outline, level - 0.1, level, 2, 0.97)),),
        spin=0.3 if chance(rng, 0.7) else 3.15,
    )


def ring(rng: np.random.Generator, material: Material) -> Drawing:
    """An O-ring, seal or bangle."""
    r, thick = 0.8, uniform(rng, 0.06, 0.2)
    colour = material.colour(rng)
    parts = []
    for side, height in ((1.0, 0.25), (0.8, 0.6), (0.5, 0.8), (0.25, 0.9)):
        outer, inner = ellipse(0, 0, r + thick * side, count=56), ellipse(0, 0, r - thick * side, count=56)
        band = np.concatenate([outer, outer[:1], inner[:1], inner[::-1]])
        parts.append(Part(band, colour, height))
    return Drawing(tuple(parts), repeats=True)


def casting(rng: np.random.Generator, material: Material) -> Drawing:
    """A lumpy cast or moulded body with bosses and a bore."""
    colour = material.colour(rng)
    body = blob(rng, 0, 0, 0.85, 0.12)
    parts = [Part(body, colour, 0.4, dome(body, 0.3, 0.7, 11, 0.3))]
    for k in range(int(rng.integers(1, 5))):
        a = k * 1.7 + uniform(rng, 0, 0.5)
        boss = ellipse(0.5 * float(np.cos(a)), 0.5 * float(np.sin(a)), uniform(rng, 0.1, 0.2))
        parts.append(Part(boss, shade(colour, 1.05), 0.8, noun="boss", group=k))
        parts.append(
            Part((boss - boss.mean(0)) * np.float32(0.5) + boss.mean(0), shade(colour, 0.2), 0.3, noun="boss", group=k)
        )
    return Drawing(tuple(parts))
