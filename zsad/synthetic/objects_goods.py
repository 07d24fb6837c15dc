"""Goods: bottles, packaging, pharmacy, textile hardware."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import chance, uniform
from zsad.synthetic.objects_electric import text
from zsad.synthetic.palette import Colour, Material, any_colour, near, shade
from zsad.synthetic.shapes import Drawing, Part, blob, box, dome, ellipse, line, points, ribbon, rounded, tube


def bottle(rng: np.random.Generator, material: Material) -> Drawing:
    """A bottle or vial upright: liquid to a level, cap, label with a picture and text."""
    glass = material.colour(rng)
    r, neck = uniform(rng, 0.28, 0.45), uniform(rng, 0.09, 0.2)
    ys = np.array([-0.95, -0.6, uniform(rng, -0.45, -0.2), 0.9, 0.97])
    spine = line(*[(0.0, float(y)) for y in np.linspace(-0.95, 0.97, 24)])
    width = np.interp(spine[:, 1], ys, [neck, neck, r, r, r * 0.9]).astype(np.float32)
    parts = [Part(ribbon(spine, width), glass, 0.2, tube(spine, width, 0.1, 0.8, 13))]
    level = uniform(rng, -0.6, -0.1)
    inside = spine[spine[:, 1] >= level]
    drink = any_colour(rng, 0.9)
    parts.append(Part(ribbon(inside, width[spine[:, 1] >= level] * 0.93), drink, flat=True, noun="liquid", group=1))
    cap = rounded(0, -0.95, neck * 1.15, 0.09, 0.03)
    parts.append(
        Part(cap, any_colour(rng, 0.7), 0.6, tube(line((0, -1.03), (0, -0.87)), neck * 1.15, 0.2, 0.8), "cap", 2)
    )
    if chance(rng, 0.8):
        paper = any_colour(rng, 0.4) if chance(rng, 0.5) else (0.93, 0.92, 0.88)
        top, high = uniform(rng, 0.1, 0.35), uniform(rng, 0.15, 0.35)
        parts.append(Part(box(0, top + high / 2, r * 0.98, high), paper, flat=True, noun="label", group=3))
        ink = shade(paper, 0.3)
        picture = ellipse(0, top + high * 0.35, r * 0.3, high * 0.3, int(rng.choice([3, 4, 6, 30])))
        parts.append(Part(picture, any_colour(rng, 0.95), flat=True, noun="label", group=3))
        parts += text(rng, 0, top + high * 1.05, r * 0.7, high * 0.12, ink, 3, "label")
    return Drawing(tuple(parts), spin=0.06)


def jar(rng: np.random.Generator, material: Material) -> Drawing:
    """A can, jar or bottle mouth from above: concentric rims."""
    colour = material.colour(rng)
    parts = []
    r = 0.97
    for _ in range(int(rng.integers(3, 8))):
        parts.append(Part(ellipse(0, 0, r, count=64), shade(colour, uniform(rng, 0.5, 1.2)), uniform(rng, 0.2, 0.9)))
        r *= uniform(rng, 0.75, 0.95)
    if chance(rng, 0.4):
        tab = rounded(0.1, 0, r * 0.5, r * 0.22, 0.1)
        parts += [
            Part(tab, shade(colour, 1.15), 0.8, noun="tab", group=1),
            Part(ellipse(0.1 + r * 0.25, 0, r * 0.12), shade(colour, 0.5), 0.4, noun="tab", group=1),
        ]
    return Drawing(tuple(parts))


def capsule(rng: np.random.Generator, material: Material) -> Drawing:
    """A pill, tablet or two-coloured capsule, some with an imprint or a score line."""
    first = any_colour(rng, 0.6) if chance(rng, 0.5) else (0.92, 0.91, 0.88)
    r = uniform(rng, 0.28, 0.45)
    if chance(rng, 0.5):
        body = rounded(0, 0, 0.92, r, r)
        axis = line((-0.92, 0), (0.92, 0), count=16)
        width = r * np.sqrt(np.clip(1 - np.square(np.clip((np.abs(axis[:, 0]) - 0.92 + r) / r, 0, 1)), 0.01, 1))
        parts = [Part(body, first, 0.2, tube(axis, width.astype(np.float32), steps=16))]
        right = body[body[:, 0] >= 0]
        if chance(rng, 0.7) and len(right) > 3:
            cap = np.concatenate([right, points((0, -r), (0, r))])
            cap = cap[np.argsort(np.arctan2(cap[:, 1], cap[:, 0] - 0.3))]
            parts.append(Part(cap, any_colour(rng, 0.8), flat=True, noun="half", group=1))
    else:
        body = ellipse(0, 0, 0.85, 0.85 if chance(rng, 0.6) else 0.5, 48)
        parts = [Part(body, first, 0.3, dome(body, 0.3, 0.8, 10, 0.5))]
        if chance(rng, 0.5):
            parts.append(Part(line((0, -0.5), (0, 0.5)), shade(first, 0.75), 0.5, pen=0.05))
    if chance(rng, 0.6):
        parts += text(rng, -0.1, 0, 0.4, 0.1, shade(first, 0.4), 2, "imprint")
    return Drawing(tuple(parts), repeats=True)


def blister(rng: np.random.Generator, material: Material) -> Drawing:
    """A blister pack or tray: cavities in rows, each with a pill."""
    foil: Colour = near(rng, (0.72, 0.73, 0.75)) if chance(rng, 0.6) else any_colour(rng, 0.3)
    columns, rows = int(rng.integers(3, 7)), int(rng.integers(2, 5))
    high = min(0.95, 0.95 * rows / columns)
    sheet = rounded(0, 0, 0.97, high, 0.08)
    parts = [Part(sheet, foil, 0.3)]
    pill = any_colour(rng, 0.6)
    rx = 0.97 / columns * 0.72
    ry = high / rows * 0.72
    long = chance(rng, 0.4)
    for k in range(columns * rows):
        x, y = -0.97 + 1.94 * (k % columns + 0.5) / columns, -high + 2 * high * (k // columns + 0.5) / rows
        well = ellipse(x, y, rx * 1.1, ry * 1.1, 28)
        parts.append(Part(well, shade(foil, 0.85), 0.2))
        body = ellipse(x, y, rx * (0.9 if long else 0.8), ry * (0.6 if long else 0.8), 24)
        parts.append(Part(body, pill, 0.4, dome(body, 0.3, 0.9, 4, 0.4), "pill", k))
    return Drawing(tuple(parts))


def zipper(rng: np.random.Generator, material: Material) -> Drawing:
    """A closed zip: two tapes and interlocking teeth."""
    tape, metal = any_colour(rng), material.colour(rng)
    parts = [Part(box(0, 0, 1.6, 0.75), tape, 0.3), Part(box(0, 0, 1.6, 0.3), shade(tape, 0.75), 0.3)]
    pitch = uniform(rng, 0.07, 0.14)
    for k, x in enumerate(np.arange(-1.5, 1.5, pitch)):
        side = 1 if k % 2 else -1
        tooth = box(float(x), side * 0.07, pitch * 0.4, 0.14)
        parts.append(Part(tooth, metal, 0.6, ((box(float(x), side * 0.07, pitch * 0.2, 0.11), 0.85),), "tooth", k))
    parts += [Part(line((-1.6, y), (1.6, y)), shade(tape, 1.25), 0.35, pen=0.02) for y in (-0.5, 0.5)]
    return Drawing(tuple(parts), covers=True)


def brush(rng: np.random.Generator, material: Material) -> Drawing:
    """A toothbrush or tufted pad: a grid of bristle bundles."""
    colour = material.colour(rng)
    body = rounded(0, 0, 0.97, 0.5, 0.4)
    parts = [Part(body, colour, 0.3, dome(body, 0.2, 0.4, 3, 0.8))]
    columns, rows = int(rng.integers(5, 10)), int(rng.integers(3, 5))
    shades = [any_colour(rng, 0.5), any_colour(rng, 0.8)]
    for k in range(columns * rows):
        x, y = -0.85 + 1.7 * (k % columns + 0.5) / columns, -0.42 + 0.84 * (k // columns + 0.5) / rows
        tone = shades[(k // columns) % 2]
        tuft = blob(rng, x, y, 0.85 / columns * 0.9, 0.08, 16)
        parts.append(Part(tuft, tone, 0.7, dome(tuft, 0.5, 0.8, 3), "tuft", k))
        for _ in range(4):
            dx, dy = rng.normal(0, 0.02, 2)
            parts.append(
                Part(
                    line((x, y), (x + float(dx) * 3, y + float(dy) * 3)),
                    shade(tone, float(rng.choice([0.7, 1.3]))),
                    flat=True,
                    pen=0.012,
                    noun="tuft",
                    group=k,
                )
            )
    return Drawing(tuple(parts), spin=0.4)


def package(rng: np.random.Generator, material: Material) -> Drawing:
    """A carton or pouch: flaps, tape, label, bar code, lettering."""
    card, high = material.colour(rng), uniform(rng, 0.55, 0.95)
    body = box(0, 0, 0.95, high)
    parts = [Part(body, card, 0.5)]
    if chance(rng, 0.6):
        parts.append(Part(line((-0.95, 0), (0.95, 0)), shade(card, 0.7), 0.4, pen=0.015))
        parts.append(
            Part(box(0, 0, 0.95, 0.09), shade(near(rng, (0.8, 0.7, 0.5)), 1.0), flat=True, noun="tape", group=1)
        )
    paper = (0.94, 0.94, 0.92) if chance(rng, 0.6) else any_colour(rng, 0.7)
    x, y = rng.uniform(-0.35, 0.35), rng.uniform(-0.3, 0.3) * high
    parts.append(Part(box(float(x), float(y), 0.42, high * 0.4), paper, flat=True, noun="label", group=2))
    ink = shade(paper, 0.2)
    for k in range(3):
        parts += text(rng, float(x), float(y) + high * (-0.25 + 0.16 * k), 0.35, high * 0.045, ink, 2, "label")
    bar = float(x) - 0.3
    while bar < float(x) + 0.3:
        wide = 0.006 * int(rng.integers(1, 4))
        parts.append(Part(box(bar, float(y) + high * 0.28, wide, high * 0.07), ink, flat=True, noun="label", group=2))
        bar += wide + 0.01 * int(rng.integers(1, 4))
    if chance(rng, 0.5):
        logo = ellipse(0.6, -high * 0.65, 0.16, count=int(rng.choice([3, 4, 5, 30])))
        parts.append(Part(logo, any_colour(rng, 0.95), flat=True, noun="logo", group=3))
    return Drawing(tuple(parts), spin=0.5)


def card(rng: np.random.Generator, material: Material) -> Drawing:
    """A label, name plate or sticker with lettering, frame and symbol."""
    paper, high = material.colour(rng), uniform(rng, 0.35, 0.8)
    ink = shade(paper, 0.2) if max(paper) > 0.4 else (0.9, 0.9, 0.9)
    body = rounded(0, 0, 0.95, high, 0.08)
    parts = [Part(body, paper, 0.45)]
    if chance(rng, 0.5):
        frame = rounded(0, 0, 0.88, high * 0.88, 0.06)
        parts.append(Part(np.concatenate([frame, frame[:1]]), ink, flat=True, pen=0.02))
    rows = int(rng.integers(2, 6))
    for k in range(rows):
        y = high * (-0.7 + 1.4 * (k + 0.5) / rows)
        parts += text(rng, 0.12 * (k % 2), y, uniform(rng, 0.4, 0.75), high * 0.4 / rows, ink, k, "letter")
    if chance(rng, 0.5):
        symbol = ellipse(-0.65, 0, 0.18, count=int(rng.choice([3, 4, 6, 30])))
        parts.append(Part(symbol, any_colour(rng, 0.95), flat=True, noun="symbol", group=30))
    return Drawing(tuple(parts), spin=0.3, repeats=True)


def tray(rng: np.random.Generator, material: Material) -> Drawing:
    """A box with compartments holding the same thing many times: candles, chocolates, parts."""
    frame = any_colour(rng, 0.4)
    columns, rows = int(rng.integers(2, 6)), int(rng.integers(2, 5))
    parts = [Part(box(0, 0, 1.0, 1.0), frame, 0.6)]
    colour = material.colour(rng)
    sides = int(rng.choice([4, 6, 30, 30]))
    for k in range(columns * rows):
        x, y = -0.97 + 1.94 * (k % columns + 0.5) / columns, -0.97 + 1.94 * (k // columns + 0.5) / rows
        wide, tall = 0.97 / columns * 0.9, 0.97 / rows * 0.9
        parts.append(Part(box(x, y, wide, tall), shade(frame, 0.55), 0.2))
        r = min(wide, tall) * 0.85
        piece = ellipse(x, y, r, count=sides)
        parts.append(Part(piece, near(rng, colour, 0.03), 0.4, dome(piece, 0.3, 0.8, 4, 0.4), "piece", k))
        parts.append(Part(ellipse(x, y, r * 0.15, count=10), shade(colour, 0.4), 0.9, noun="piece", group=k))
    return Drawing(tuple(parts), covers=chance(rng, 0.3), spin=0.15)


def pipe(rng: np.random.Generator, material: Material) -> Drawing:
    """A pipe, hose or rod that crosses the view, with joints, clamps or rings."""
    colour, r = material.colour(rng), uniform(rng, 0.15, 0.5)
    bend = uniform(rng, -0.3, 0.3) if chance(rng, 0.5) else 0.0
    xs = np.linspace(-2.2, 2.2, 40)
    spine = np.stack([xs, bend * xs * xs * 0.4], 1).astype(np.float32)
    parts = [Part(ribbon(spine, r), colour, 0.1, tube(spine, r, 0.05, 0.9, 14))]
    for k in range(int(rng.integers(0, 4))):
        at = int(rng.integers(8, 30))
        piece = spine[at : at + 4]
        parts.append(
            Part(
                ribbon(piece, r * 1.1),
                shade(colour, 0.8) if chance(rng, 0.5) else (0.6, 0.6, 0.62),
                0.2,
                tube(piece, r * 1.1, 0.15, 1.0, 14),
                "clamp",
                k,
            )
        )
    return Drawing(tuple(parts))
