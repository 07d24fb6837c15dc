"""Electrical objects: connectors, boards, chips, cables, panels, dials."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import Colour, Material, any_colour, near, shade
from zsad.synthetic.shapes import Drawing, Part, box, dome, ellipse, line, points, ribbon, rounded, tube

_METAL: tuple[Colour, ...] = ((0.75, 0.75, 0.76), (0.82, 0.68, 0.35), (0.6, 0.6, 0.62))


def _metal(rng: np.random.Generator) -> Colour:
    return near(rng, _METAL[int(rng.integers(len(_METAL)))])


def text(
    rng: np.random.Generator,
    cx: float,
    cy: float,
    wide: float,
    high: float,
    colour: Colour,
    group: int = -1,
    noun: str = "",
) -> list[Part]:
    """A printed line of letter-like strokes inside a box given by centre and half sizes."""
    pitch = high * 1.3
    places = np.arange(cx - wide, cx + wide - pitch, pitch)
    nodes = rng.integers(0, 3, (len(places), 4, 2)) * np.array([pitch * 0.35, high])
    drawn, short = rng.random(len(places)) < 0.85, rng.random(len(places)) < 0.5
    nodes[:, :, 0] += places[:, None]
    nodes[:, :, 1] += cy - high
    letters = [glyph[: 3 if few else 4] for glyph, few in zip(nodes.astype(np.float32), short, strict=True)]
    pen = high * 0.28
    return [
        Part(letter, colour, flat=True, pen=pen, group=group, noun=noun)
        for letter, there in zip(letters, drawn, strict=True)
        if there
    ]


def connector(rng: np.random.Generator, material: Material) -> Drawing:
    """A plug or header: a housing with rows of pins or sockets."""
    colour = material.colour(rng)
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(4, 16))
    high = min(0.95, max(0.2, 1.9 / columns * rows * 0.8))
    body = rounded(0, 0, 0.98, high, uniform(rng, 0.02, 0.2))
    parts = [Part(body, colour, 0.5, dome(body, 0.4, 0.6, 2, 0.9))]
    if chance(rng, 0.6):
        parts.append(Part(rounded(0, 0, 0.92, high * 0.82, 0.05), shade(colour, 0.5), 0.25))
    metal = _metal(rng)
    r = 0.9 / columns * uniform(rng, 0.3, 0.5)
    square = chance(rng, 0.5)
    for row in range(rows):
        for column in range(columns):
            x, y = -0.86 + 1.72 * (column + 0.5) / columns, (-high + 2 * high * (row + 0.5) / rows) * 0.75
            outline = box(x, y, r, r * 1.3) if square else ellipse(x, y, r, count=14)
            parts.append(
                Part(
                    outline,
                    metal,
                    0.6,
                    ((outline * np.float32(0.5) + outline.mean(0) * np.float32(0.5), 0.9),),
                    "pin",
                    row * columns + column,
                )
            )
    return Drawing(tuple(parts))


def chip(rng: np.random.Generator, material: Material) -> Drawing:
    """An integrated circuit: body, two or four rows of leads, marking, dot."""
    colour = near(rng, (0.13, 0.13, 0.14), 0.15)
    wide, high = uniform(rng, 0.5, 0.8), uniform(rng, 0.3, 0.75)
    parts = []
    count, metal = int(rng.integers(4, 14)), _metal(rng)
    number = 0
    for side in (-1, 1):
        for x in np.linspace(-wide * 0.9, wide * 0.9, count):
            lead = line((float(x), side * high * 0.95), (float(x), side * (high + 0.17)), count=5)
            half = wide / count * 0.45
            parts.append(Part(ribbon(lead, half), metal, 0.3, tube(lead, half, 0.2, 0.5), "lead", number))
            number += 1
    if chance(rng, 0.3):
        for side in (-1, 1):
            for y in np.linspace(-high * 0.85, high * 0.85, max(int(count * high / wide), 2)):
                lead = line((side * wide * 0.95, float(y)), (side * (wide + 0.15), float(y)), count=5)
                parts.append(Part(ribbon(lead, wide / count * 0.45), metal, 0.3, noun="lead", group=number))
                number += 1
    body = rounded(0, 0, wide, high, 0.03)
    parts.append(Part(body, colour, 0.7, dome(body, 0.5, 0.75, 3, 0.9)))
    parts.append(Part(ellipse(-wide * 0.8, high * 0.65, 0.05), shade(colour, 0.6), 0.6))
    ink = shade(colour, 4.0)
    for y in (-0.25, 0.15)[: int(rng.integers(1, 3))]:
        parts += text(rng, 0, y * high, wide * 0.65, high * 0.12, ink, 200, "marking")
    return Drawing(tuple(parts))


def board(rng: np.random.Generator, material: Material) -> Drawing:
    """A populated circuit board seen close: tracks, pads, chips, passives, legends."""
    ground = material.colour(rng)
    parts = [Part(box(0, 0, 1.6, 1.6), ground, 0.3)]
    track = shade(ground, float(rng.choice([1.3, 1.5, 0.75])))
    for _ in range(int(rng.integers(6, 16))):
        x, y = rng.uniform(-1, 1, 2)
        d, e = rng.uniform(-0.6, 0.6, 2)
        bundle = int(rng.integers(1, 4))
        for k in range(bundle):
            o = k * 0.045
            path = line((x, y + o), (x + d, y + o), (x + d + e, y + abs(e) + o), (x + d + e, y + 1.2))
            parts.append(Part(path, track, 0.32, pen=0.02))
    pad, silk = _metal(rng), (0.92, 0.92, 0.9)
    slots = [(x, y) for x in np.linspace(-0.85, 0.85, 5) for y in np.linspace(-0.85, 0.85, 5)]
    for number, (x, y) in enumerate(slots):
        kind = rng.random()
        jx, jy = x + float(rng.normal(0, 0.02)), y + float(rng.normal(0, 0.02))
        if kind < 0.14:
            parts += _package(rng, jx, jy, number, pad)
        elif kind < 0.55:
            upright = chance(rng, 0.5)
            a, b = uniform(rng, 0.07, 0.12), uniform(rng, 0.035, 0.06)
            w, h = (b, a) if upright else (a, b)
            parts.append(Part(box(jx, jy, w * 1.25, h * 1.25), pad, 0.4, noun="component", group=number))
            inner = box(jx, jy, w * (1.25 if upright else 0.75), h * (0.75 if upright else 1.25))
            tone = near(rng, ((0.1, 0.1, 0.1), (0.65, 0.5, 0.35), (0.75, 0.72, 0.65))[int(rng.integers(3))])
            parts.append(Part(inner, tone, 0.6, noun="component", group=number))
        elif kind < 0.72:
            for k in range(int(rng.integers(2, 5))):
                via = ellipse(jx - 0.12 + 0.09 * k, jy, 0.035, count=16)
                parts += [
                    Part(via, pad, 0.4),
                    Part(ellipse(jx - 0.12 + 0.09 * k, jy, 0.016, count=10), (0.03, 0.03, 0.03), 0.1),
                ]
        elif kind < 0.82:
            can = ellipse(jx, jy, 0.12, count=30)
            parts.append(Part(can, (0.75, 0.75, 0.77), 0.8, dome(can, 0.7, 0.9, 3, 0.7), "capacitor", number))
            parts.append(Part(can[:15], (0.15, 0.15, 0.2), flat=True, noun="capacitor", group=number))
        if chance(rng, 0.5):
            parts += text(rng, jx, jy + 0.17, 0.1, 0.022, silk)
    return Drawing(tuple(parts), covers=True)


def _package(rng: np.random.Generator, x: float, y: float, number: int, pad: Colour) -> list[Part]:
    wide, high = uniform(rng, 0.13, 0.18), uniform(rng, 0.09, 0.15)
    parts = []
    for px in np.linspace(-wide * 0.85, wide * 0.85, int(rng.integers(4, 8))):
        parts += [
            Part(box(x + float(px), y + side * (high + 0.02), 0.012, 0.035), pad, 0.4, noun="chip", group=number)
            for side in (-1, 1)
        ]
    parts.append(Part(box(x, y, wide, high), (0.1, 0.1, 0.11), 0.7, noun="chip", group=number))
    return parts + text(rng, x, y, wide * 0.7, 0.025, (0.6, 0.6, 0.6), number, "chip")


def cable(rng: np.random.Generator, material: Material) -> Drawing:
    """A cable cut across: jacket, insulated cores, copper strands."""
    jacket = material.colour(rng)
    parts = [Part(ellipse(0, 0, 0.95), jacket, 0.5), Part(ellipse(0, 0, 0.82), shade(jacket, 0.5), 0.3)]
    count = int(rng.integers(2, 6))
    r = {2: 0.38, 3: 0.36, 4: 0.32, 5: 0.28}[count]
    copper = near(rng, (0.78, 0.48, 0.3) if chance(rng, 0.7) else (0.75, 0.75, 0.75))
    for k in range(count):
        a = k * TAU / count
        cx, cy = (0.8 - r) * float(np.cos(a)), (0.8 - r) * float(np.sin(a))
        parts.append(Part(ellipse(cx, cy, r), any_colour(rng, 0.9), 0.6, noun="wire", group=k))
        parts.append(Part(ellipse(cx, cy, r * 0.66), shade(copper, 0.45), 0.4, noun="wire", group=k))
        for ring, n in ((0.0, 1), (0.24, 6), (0.47, 12)):
            for j in range(n):
                b = j * TAU / n + ring
                dot = ellipse(
                    cx + r * ring * float(np.cos(b)) * 1.1, cy + r * ring * float(np.sin(b)) * 1.1, r * 0.12, count=8
                )
                parts.append(Part(dot, copper, 0.7, noun="wire", group=k))
    return Drawing(tuple(parts))


def transistor(rng: np.random.Generator, material: Material) -> Drawing:
    """A component with three long leads and a tab or round body."""
    metal = _metal(rng)
    parts = []
    for k, x in enumerate((-0.22, 0.0, 0.22)):
        lead = line((x, 0.1), (x, 0.98), count=14)
        parts.append(Part(ribbon(lead, 0.045), metal, 0.3, tube(lead, 0.045), "lead", k))
    if chance(rng, 0.5):
        tab = box(0, -0.55, 0.42, 0.4)
        parts += [Part(tab, metal, 0.4), Part(ellipse(0, -0.7, 0.13), metal, hole=True)]
    body = rounded(0, -0.1, 0.42, 0.35, uniform(rng, 0.03, 0.3))
    parts.append(Part(body, near(rng, (0.12, 0.12, 0.13)), 0.7, dome(body, 0.4, 0.8, 3, 0.7)))
    parts += text(rng, 0, -0.1, 0.32, 0.05, (0.7, 0.7, 0.7), 20, "marking")
    return Drawing(tuple(parts), repeats=True)


def panel(rng: np.random.Generator, material: Material) -> Drawing:
    """A control panel, keypad or remote: keys in rows with legends, lamps, a display."""
    colour = material.colour(rng)
    high = uniform(rng, 0.6, 1.0)
    covers = chance(rng, 0.3)
    body = box(0, 0, 1.6, 1.6) if covers else rounded(0, 0, 0.97, high, 0.12)
    parts = [Part(body, colour, 0.4)]
    columns, rows = int(rng.integers(2, 7)), int(rng.integers(2, 6))
    wide, tall = 0.85 / columns * uniform(rng, 0.55, 0.85), high * 0.85 / rows * uniform(rng, 0.5, 0.85)
    round_key = chance(rng, 0.35)
    key = any_colour(rng, 0.3)
    ink = shade(key, 0.2) if max(key) > 0.5 else shade(key, 4)
    top = 0
    if rows > 3 and chance(rng, 0.5):
        parts.append(Part(box(0, -high * 0.7, 0.75, high * 0.15), (0.1, 0.16, 0.12), 0.3))
        parts += text(rng, 0, -high * 0.7, 0.65, high * 0.08, (0.5, 0.9, 0.5))
        top = 1
    for row in range(top, rows):
        for column in range(columns):
            x, y = -0.85 + 1.7 * (column + 0.5) / columns, high * (-0.85 + 1.7 * (row + 0.5) / rows)
            outline = ellipse(x, y, min(wide, tall), count=28) if round_key else rounded(x, y, wide, tall, 0.04)
            number = row * columns + column
            parts.append(Part(outline, key, 0.7, dome(outline, 0.55, 0.8, 2, 0.8), "key", number))
            parts += text(rng, x, y, min(wide, tall) * 0.7, min(wide, tall) * 0.35, ink, number, "key")
    return Drawing(tuple(parts), covers=covers, spin=0.2)


def dial(rng: np.random.Generator, material: Material) -> Drawing:
    """A gauge or clock: ticks, figures, a needle."""
    rim, face = material.colour(rng), (0.93, 0.93, 0.9) if chance(rng, 0.7) else (0.1, 0.1, 0.12)
    ink = (0.08, 0.08, 0.08) if face[0] > 0.5 else (0.9, 0.9, 0.9)
    parts = [Part(ellipse(0, 0, 0.97), rim, 0.8), Part(ellipse(0, 0, 0.86), face, 0.4)]
    first, span, count = (uniform(rng, 0, TAU), float(rng.choice([0.75, 1.0])) * TAU, int(rng.choice([12, 20, 30, 40])))
    for k in range(count):
        a = first + span * k / count
        reach = 0.62 if k % 5 == 0 else 0.7
        tick = line(
            (reach * float(np.cos(a)), reach * float(np.sin(a))), (0.78 * float(np.cos(a)), 0.78 * float(np.sin(a)))
        )
        parts.append(Part(tick, ink, flat=True, pen=0.035 if k % 5 == 0 else 0.018, noun="mark", group=k))
        if k % 5 == 0:
            parts += text(rng, 0.5 * float(np.cos(a)), 0.5 * float(np.sin(a)), 0.09, 0.05, ink, k, "mark")
    a = first + span * float(rng.random())
    tip, wing = (0.68 * np.cos(a), 0.68 * np.sin(a)), (0.05 * np.sin(a), -0.05 * np.cos(a))
    needle = points(
        (float(tip[0]), float(tip[1])), (float(wing[0]), float(wing[1])), (-float(wing[0]), -float(wing[1]))
    )
    parts += [Part(needle, (0.75, 0.1, 0.1), 0.6, noun="needle", group=90), Part(ellipse(0, 0, 0.08), ink, 0.7)]
    return Drawing(tuple(parts), spin=0.3)


def fins(rng: np.random.Generator, material: Material) -> Drawing:
    """A heat sink or comb: a base with many parallel fins."""
    colour = material.colour(rng)
    count = int(rng.integers(6, 24))
    parts = [Part(box(0, 0, 0.97, 0.8), shade(colour, 0.5), 0.2)]
    for k, x in enumerate(np.linspace(-0.9, 0.9, count)):
        fin = line((float(x), -0.8), (float(x), 0.8), count=8)
        half = 0.9 / count * 0.5
        parts.append(Part(ribbon(fin, half), colour, 0.7, tube(fin, half, 0.6, 0.9), "fin", k))
    return Drawing(tuple(parts))
