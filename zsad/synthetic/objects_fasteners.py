"""What holds things together: screws, nuts, rivets, nails."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import Colour, Material, any_colour, shade
from zsad.synthetic.shapes import Drawing, Part, Points, box, dome, ellipse, line, points, ribbon, rounded, tube, turned


def screw(rng: np.random.Generator, material: Material) -> Drawing:
    """A screw or bolt on its side, at times seen a little from above its head: head, neck, slanted threads, tip."""
    colour = material.colour(rng)
    r = uniform(rng, 0.09, 0.2)
    head = r * uniform(rng, 1.6, 2.4)
    start, neck, end = -1.0, uniform(rng, -0.75, -0.2), uniform(rng, 0.75, 0.98)
    head_end = start + head * uniform(rng, 0.4, 0.9)
    pointed = chance(rng, 0.6)
    axis = line((head_end, 0), (end, 0), count=24)
    coarse = chance(rng, 0.5)  # for wood: few sharp threads far apart on a thin core
    sharp = end - uniform(rng, 0.15, 0.7)
    taper = np.interp(axis[:, 0], [head_end, sharp, end], [1, 1, 0.1 if pointed else 0.85]).astype(np.float32) * r
    core = taper * float(rng.uniform(0.5, 0.75) if coarse else rng.uniform(0.7, 0.9))
    parts = [Part(ribbon(axis, core), colour, 0.2, tube(axis, core, 0.1, 0.6))]
    smooth_axis = line((head_end, 0), (neck, 0), count=6)
    parts.append(Part(ribbon(smooth_axis, r * 0.9), colour, 0.2, tube(smooth_axis, r * 0.9, 0.1, 0.7)))
    parts += _streaks(rng, head_end, neck, r * 0.8, colour)
    pitch = r * float(rng.uniform(0.7, 1.5) if coarse else rng.uniform(0.32, 0.65))
    slant = pitch * uniform(rng, 0.3, 0.9) * (1 if chance(rng, 0.5) else -1)
    bright = shade(colour, uniform(rng, 1.05, 1.35))
    thick = np.float32(pitch * (rng.uniform(0.12, 0.25) if coarse else 0.3))
    for k, x in enumerate(np.arange(neck, end - pitch * (0.4 if coarse else 1), pitch)):
        reach = float(np.interp(x, axis[:, 0], taper))
        thread = line((x - slant / 2, -reach), (x + slant / 2, reach), count=6)
        half = thick * np.array([0.3, 0.9, 1, 1, 0.9, 0.3], np.float32)
        if coarse:  # the flank that falls to the core lies in shadow
            flank = thread + np.array([thick * 1.2, 0], np.float32)
            parts.append(Part(ribbon(flank, half), shade(colour, 0.6), 0.4, (), "thread", k))
        parts.append(Part(ribbon(thread, half), bright, 0.75, ((ribbon(thread, half, 0.4), 0.95),), "thread", k))
    kind = int(rng.integers(4))
    if kind == 0:  # countersunk
        outline = points((start, -head), (head_end, -r), (head_end, r), (start, head))
    elif kind == 1:  # hexagon
        outline = box((start + head_end) / 2, 0, (head_end - start) / 2, head)
        parts += [
            Part(box((start + head_end) / 2, y, (head_end - start) / 2, head * 0.32), shade(colour, f), 0.8)
            for y, f in ((-head * 0.66, 0.8), (head * 0.66, 0.9))
        ]
    else:
        bow = ellipse(head_end, 0, head_end - start, head, 40)
        outline = bow[(bow[:, 0] <= head_end + 1e-4)]
        outline = outline[np.argsort(np.arctan2(outline[:, 1], outline[:, 0] - head_end - 0.01) % TAU)]
    middle = line((start, 0), (head_end, 0))
    parts.append(Part(outline, colour, 0.4, tube(middle, head * 0.85, 0.3, 0.95) if kind != 1 else ()))
    if kind == 0 and chance(rng, 0.6):
        parts += _face(rng, start, head, colour)
    return Drawing(tuple(parts), repeats=True)


def _streaks(rng: np.random.Generator, left: float, right: float, reach: float, colour: Colour) -> list[Part]:
    """Bright and dark reflections along a round shank."""
    streaks = []
    for _ in range(int(rng.choice([0, 0, 1, 2, 4]))):
        y, inset = uniform(rng, -reach, reach), (right - left) * rng.uniform(0, 0.3, 2)
        middle = line((left + float(inset[0]), y), (right - float(inset[1]), y + float(rng.normal(0, reach * 0.05))))
        tone = shade(colour, float(rng.choice([0.6, 1.3, 1.8])))
        streaks.append(Part(ribbon(middle, reach * uniform(rng, 0.03, 0.15)), tone, flat=True))
    return streaks


def _face(rng: np.random.Generator, x: float, head: float, colour: Colour) -> list[Part]:
    """The end of a head seen at a slant, with the drive that a tool fits in."""
    squeeze = uniform(rng, 0.1, 0.45)
    rim = ellipse(x, 0, head * squeeze, head * 0.98, 32)
    parts = [Part(rim, shade(colour, uniform(rng, 0.8, 1.3)), 0.9)]
    apart = 900  # a group of its own, beyond those of the threads
    spokes, turn = int(rng.choice([2, 4, 4, 6, 6])), uniform(rng, 0, TAU)
    angle = np.arange(spokes * 8) * (TAU / (spokes * 8)) + turn
    star = head * uniform(rng, 0.35, 0.6) * (0.65 + 0.35 * np.cos(spokes * (angle - turn)))
    recess = np.stack([x + star * np.cos(angle) * squeeze, star * np.sin(angle)], 1).astype(np.float32)
    parts.append(Part(recess, shade(colour, uniform(rng, 0.25, 0.6)), 0.5, noun="slot", group=apart))
    return parts


def nut(rng: np.random.Generator, material: Material) -> Drawing:
    """A nut or washer from above: a hexagon or ring with a threaded hole."""
    colour = material.colour(rng)
    sides = int(rng.choice([6, 6, 4, 40, 40]))
    outer = ellipse(0, 0, 0.95, count=sides)
    inner = uniform(rng, 0.35, 0.65)
    parts = [Part(outer, colour, 0.6, dome(outer, 0.3, 0.7, 3, 0.85))]
    if sides < 10 or chance(rng, 0.4):
        parts.append(Part(ellipse(0, 0, 0.78), shade(colour, 1.08), 0.8))
        rings = int(rng.integers(1, 5))
        parts += [
            Part(ellipse(0, 0, inner * (1.15 - 0.06 * k)), shade(colour, 0.5 + 0.12 * (k % 2)), 0.7 - 0.12 * k)
            for k in range(rings)
        ]
    parts.append(Part(ellipse(0, 0, inner * 0.88), colour, hole=True))
    return Drawing(tuple(parts), repeats=True)


def riveted(rng: np.random.Generator, material: Material) -> Drawing:
    """A panel of sheets with a lap joint and rows of rivets or screws, seen close."""
    colour = material.colour(rng)
    parts = [Part(box(0, 0, 1.6, 1.6), colour, 0.4)]
    if chance(rng, 0.7):
        y = uniform(rng, -0.5, 0.5)
        parts.append(
            Part(points((-1.6, y), (1.6, y), (1.6, 1.6), (-1.6, 1.6)), shade(colour, uniform(rng, 0.85, 1.1)), 0.55)
        )
    pitch, r = uniform(rng, 0.25, 0.6), uniform(rng, 0.04, 0.1)
    slotted = int(rng.integers(3))
    number = 0
    for y in rng.choice([-0.7, -0.35, 0.0, 0.35, 0.7], int(rng.integers(1, 4)), replace=False):
        for x in np.arange(-1.3, 1.3, pitch):
            head = ellipse(float(x), float(y), r, count=24)
            parts.append(
                Part(
                    head,
                    shade(colour, 1.1),
                    0.6,
                    dome(head, 0.6, 0.95, 4),
                    "rivet" if slotted == 0 else "screw",
                    number,
                )
            )
            turn = uniform(rng, 0, TAU)
            for bar in range(slotted):
                cross: Points = turned(line((-r * 0.7, 0), (r * 0.7, 0)), turn + bar * TAU / 4) + np.array(
                    [x, y], np.float32
                )
                parts.append(Part(cross, shade(colour, 0.3), 0.5, noun="screw", group=number, pen=r * 0.28))
            number += 1
    return Drawing(tuple(parts), covers=True)


def nail(rng: np.random.Generator, material: Material) -> Drawing:
    """A pin, nail, pen or dowel: a slim rod with a head and a tip."""
    colour, r = material.colour(rng), uniform(rng, 0.04, 0.12)
    rod = line((-0.85, 0), (0.98, 0), count=16)
    taper = np.interp(rod[:, 0], [-0.85, 0.7, 0.98], [r, r, r * 0.15]).astype(np.float32)
    parts = [Part(ribbon(rod, taper), colour, 0.3, tube(rod, taper))]
    head = rounded(-0.9, 0, 0.07, r * uniform(rng, 1.2, 3), 0.05)
    parts.append(Part(head, any_colour(rng, 0.9) if chance(rng, 0.4) else colour, 0.7, dome(head, 0.4, 0.9, 3)))
    if chance(rng, 0.4):
        parts.append(Part(box(uniform(rng, -0.5, 0.3), 0, 0.05, r), shade(colour, 0.6), flat=True))
    return Drawing(tuple(parts), repeats=True)
