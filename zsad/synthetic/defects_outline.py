"""Faults of a whole body's outline: broken, deformed, burred or notched drawings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zsad.synthetic.noise import TAU, chance, log_uniform, uniform
from zsad.synthetic.palette import Colour, shade
from zsad.synthetic.shapes import Drawing, Part, Points, blob
from zsad.types import FloatArray

Fault = tuple[Drawing, str]  # the faulty drawing and the word for the part, "" for the whole


def densified(part: Part, pitch: float) -> Part:
    """The part with vertices at most ``pitch`` pixels apart where it can be, so that it bends smoothly."""
    if part.pen:
        return part
    relief = tuple((_densify(p, pitch), z) for p, z in part.relief)
    return replace(part, outline=_densify(part.outline, pitch), relief=relief)


def _densify(outline: Points, pitch: float) -> Points:
    nxt = np.roll(outline, -1, axis=0)
    long = float(np.linalg.norm(nxt - outline, axis=1).max())
    count = int(np.clip(long / max(pitch, 1.0), 1, 16))
    if count == 1:
        return outline
    t = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[None, :, None]
    return (outline[:, None] * (1 - t) + nxt[:, None] * t).reshape(-1, 2)


def _jagged(rng: np.random.Generator, start: FloatArray, end: FloatArray, rough: float, count: int = 14) -> Points:
    t = np.linspace(0, 1, count)[:, None]
    path = start * (1 - t) + end * t
    normal = np.array([-(end - start)[1], (end - start)[0]])
    normal = normal / max(float(np.linalg.norm(normal)), 1e-6)
    return (path + normal * np.cumsum(rng.normal(0, rough / 3, (count, 1)), axis=0)).astype(np.float32)


def broken(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """A piece has come off along a ragged line, or it has cracked open and the halves gape."""
    everything = np.concatenate([part.outline for part in drawing.parts]).clip(0, size)
    centre = everything.mean(0)
    angle = uniform(rng, 0, TAU)
    axis, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    reach = float(((everything - centre) @ axis).max())
    at = centre + axis * reach * uniform(rng, 0.35, 0.92)
    wide = float(np.ptp(everything, axis=0).max()) + 4
    rough = reach * uniform(rng, 0.02, 0.25)
    edge = _jagged(rng, at - across * wide, at + across * wide, rough, 22)
    if chance(rng, 0.4):
        gone = _gape(rng, centre + axis * reach * uniform(rng, -0.4, 0.5), across, reach, rough)
    else:
        gone = np.concatenate(
            [edge, np.array([at + across * wide + axis * wide * 2, at - across * wide + axis * wide * 2], np.float32)]
        )
    body = drawing.parts[0].colour
    if drawing.covers:
        return replace(drawing, parts=(*drawing.parts, Part(gone, shade(body, 0.3), 0.1))), ""
    parts = [*drawing.parts, Part(gone, (0.0, 0.0, 0.0), hole=True)]
    if chance(rng, 0.3):
        parts += _crumbs(rng, gone.clip(0, size), body, size)
    return replace(drawing, parts=tuple(parts)), ""


def _gape(rng: np.random.Generator, at: FloatArray, across: FloatArray, reach: float, rough: float) -> Points:
    """The gap between two broken halves: open to one side at least, its two walls ragged alike."""
    start, end = at - across * reach * 1.6, at + across * reach * uniform(rng, 0.0, 1.6)
    wall = _jagged(rng, start, end, rough, 24)
    apart = np.array([across[1], -across[0]]) * reach * log_uniform(rng, 0.05, 0.4)
    wide = np.linspace(1.0, uniform(rng, 0.05, 1.0), len(wall))[:, None]
    other = wall + apart * wide + rng.normal(0, rough / 5, wall.shape)
    return np.asarray(np.concatenate([wall, other[::-1]]), np.float32)


def _crumbs(rng: np.random.Generator, gone: Points, colour: Colour, size: int) -> list[Part]:
    """Bits of the broken body, beside where they came from."""
    crumbs = []
    for _ in range(int(rng.integers(1, 9))):
        x, y = gone[int(rng.integers(len(gone)))] + rng.normal(0, size * 0.03, 2)
        crumb = blob(rng, float(x), float(y), size * log_uniform(rng, 0.003, 0.02), 0.3, 10)
        crumbs.append(Part(crumb, shade(colour, uniform(rng, 0.5, 1.1)), 0.2))
    return crumbs


def _on_outline(rng: np.random.Generator, drawing: Drawing, size: int) -> tuple[Part, FloatArray, FloatArray] | None:
    """A body, a point on its outline inside the view, and the outward direction there."""
    bodies = [part for part in drawing.parts if not part.flat and not part.hole and not part.pen]
    if not bodies:
        return None
    areas = np.array([float(np.ptp(part.outline, axis=0).prod()) for part in bodies])
    body = bodies[int(np.argmax(areas))] if chance(rng, 0.7) else bodies[int(rng.integers(len(bodies)))]
    outline = _densify(body.outline, size / 40)
    inside = np.flatnonzero(((outline > size * 0.02) & (outline < size * 0.98)).all(1))
    if not len(inside):
        return None
    point = outline[int(inside[int(rng.integers(len(inside)))])]
    out = point - body.outline.mean(0)
    return body, point, out / max(float(np.linalg.norm(out)), 1e-6)


def deformed(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """The outline is squashed in or bulged out at a place."""
    spot = _on_outline(rng, drawing, size)
    if spot is None:
        return None
    _, point, out = spot
    r = size * log_uniform(rng, 0.04, 0.22)
    push = (out * r * float(rng.uniform(0.3, 0.7) * rng.choice([-1, -1, 1]))).astype(np.float32)

    def move(outline: Points) -> Points:
        near = np.clip(1 - np.square(outline - point).sum(1) / r**2, 0, 1)[:, None]
        return np.asarray(outline + push * near * near, np.float32)

    pitch = max(r / 4, 2.0)
    parts = []
    for part in drawing.parts:
        if np.square(part.outline.mean(0) - point).sum() > (float(np.ptp(part.outline, axis=0).max()) + r) ** 2:
            parts.append(part)
            continue
        parts.append(densified(part, pitch).moved(move))
    return replace(drawing, parts=tuple(parts)), ""


def burr(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """Excess material stands out of an edge: spikes, flash, a tag."""
    spot = _on_outline(rng, drawing, size)
    if spot is None:
        return None
    body, point, out = spot
    across = np.array([-out[1], out[0]])
    half, tall = size * log_uniform(rng, 0.01, 0.07), size * log_uniform(rng, 0.012, 0.06)
    count = int(rng.integers(3, 9))
    t = np.linspace(-1, 1, count)
    rise = np.where((t > -0.95) & (t < 0.95), rng.uniform(0.2, 1.0, count), -0.3)
    outline = point + across * (t[:, None] * half) + out * (rise[:, None] * tall)
    base = point - out * tall * 0.6
    foot = np.stack([base + across * half, base - across * half])
    flash = Part(
        np.concatenate([outline, foot]).astype(np.float32),
        shade(body.colour, uniform(rng, 0.8, 1.25)),
        min(body.height + 0.1, 1.0),
    )
    return replace(drawing, parts=(*drawing.parts, flash)), ""


def notch(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """A nick in an edge or thread: a small ragged bite."""
    spot = _on_outline(rng, drawing, size)
    if spot is None or drawing.covers:
        return None
    _, point, _ = spot
    r = size * log_uniform(rng, 0.012, 0.07)
    count = int(rng.integers(5, 12))
    angle = np.linspace(0, TAU, count, endpoint=False)
    reach = r * rng.uniform(0.5, 1.2, count)
    outline = (point + np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1)).astype(np.float32)
    return replace(drawing, parts=(*drawing.parts, Part(outline, (0.0, 0.0, 0.0), hole=True))), ""
