"""Faults of parts: drawings with one missing, misplaced, turned, wrong, extra or bent, or a wrong level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zsad.synthetic.defects_outline import Fault, densified
from zsad.synthetic.noise import TAU, chance, uniform
from zsad.synthetic.palette import any_colour, shade
from zsad.synthetic.shapes import Drawing, Part, Points, turned
from zsad.types import FloatArray


def _pick(
    rng: np.random.Generator, drawing: Drawing, size: int, *, printed: bool = True
) -> tuple[int, str, FloatArray, float] | None:
    """A group of parts well inside the view: its number, noun, centre and reach in pixels."""
    groups: dict[int, list[Part]] = {}
    for part in drawing.parts:
        if part.noun and (printed or not part.flat):
            groups.setdefault(part.group, []).append(part)
    numbers = sorted(groups)
    for _ in range(4):
        if not numbers:
            break
        number = numbers[int(rng.integers(len(numbers)))]
        everything = np.concatenate([part.outline for part in groups[number]])
        centre = everything.mean(0)
        reach = float(np.ptp(everything, axis=0).max()) / 2
        if np.all(centre > size * 0.03) and np.all(centre < size * 0.97) and reach > size * 0.006:
            return number, groups[number][0].noun, centre, reach
    return None


def _edit(drawing: Drawing, group: int, change: Callable[[Part], Part | None]) -> Drawing:
    parts = []
    for part in drawing.parts:
        new = change(part) if part.noun and part.group == group else part
        if new is not None:
            parts.append(new)
    return replace(drawing, parts=tuple(parts))


def missing_part(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """One part is not there, or only its neighbours are."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, _, _ = picked
    return _edit(drawing, group, lambda part: None), noun


def misplaced_part(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """One part is shifted, and a little turned."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, centre, reach = picked
    angle, turn = rng.uniform(0, TAU), float(rng.normal(0, 0.2))
    shift = (np.array([np.cos(angle), np.sin(angle)]) * reach * rng.uniform(0.4, 1.8)).astype(np.float32)
    return _edit(drawing, group, lambda part: part.moved(lambda p: turned(p - centre, turn) + centre + shift)), noun


def turned_part(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """One part is turned or tilted on the spot, or stands upside down."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, centre, _ = picked
    angle = float(rng.choice([rng.uniform(0.25, 1.2), TAU / 4, TAU / 2]) * rng.choice([-1, 1]))
    return _edit(drawing, group, lambda part: part.moved(lambda p: turned(p - centre, angle) + centre)), noun


def wrong_part(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """One part has another colour or size than it should."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, centre, _ = picked
    factor = np.float32(rng.choice([0.5, 0.7, 1.4, 1.0]))
    recolour = factor == 1.0 or chance(rng, 0.4)
    colour = any_colour(rng, 0.8)

    def change(part: Part) -> Part:
        new = part.moved(lambda p: ((p - centre) * factor + centre).astype(np.float32), float(factor))
        return replace(new, colour=shade(colour, 0.5 + max(part.colour) / 2)) if recolour else new

    return _edit(drawing, group, change), noun


def extra_part(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """A part too many, lying where none should be."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, centre, reach = picked
    angle, turn = rng.uniform(0, TAU), uniform(rng, 0, TAU)
    shift = (np.array([np.cos(angle), np.sin(angle)]) * reach * rng.uniform(0.8, 3)).astype(np.float32)
    copies = [
        part.moved(lambda p: turned(p - centre, turn) + centre + shift)
        for part in drawing.parts
        if part.noun and part.group == group
    ]
    return replace(drawing, parts=(*drawing.parts, *copies)), noun


def bent(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """The part, or one lead of it, is bent from a point on."""
    picked = _pick(rng, drawing, size, printed=False) if chance(rng, 0.5) else None
    chosen = [part for part in drawing.parts if picked is not None and part.noun and part.group == picked[0]]
    everything = np.concatenate([part.outline for part in (chosen or drawing.parts)])
    centre = everything.mean(0)
    spread = everything - centre
    _, vectors = np.linalg.eigh(spread.T @ spread)
    axis = vectors[:, 1] * (1 if chance(rng, 0.5) else -1)
    along = spread @ axis
    reach = float(along.max())
    if reach < size * 0.02:
        return None
    start, angle = reach * uniform(rng, -0.1, 0.8), float(rng.choice([-1, 1]) * rng.uniform(0.12, 0.9))
    hinge = centre + axis * start

    def move(outline: Points) -> Points:
        t = (outline - centre) @ axis
        turn = np.clip((t - start) / (reach * 0.25), 0, 1) * angle
        c, s, d = np.cos(turn), np.sin(turn), outline - hinge
        return np.stack([hinge[0] + d[:, 0] * c - d[:, 1] * s, hinge[1] + d[:, 0] * s + d[:, 1] * c], 1).astype(
            np.float32
        )

    pitch = max(reach / 12, 2.0)

    def change(part: Part) -> Part:
        return densified(part, pitch).moved(move)

    if picked is not None:
        return _edit(drawing, picked[0], change), picked[1]
    return replace(drawing, parts=tuple(change(part) for part in drawing.parts)), ""


def wrong_level(rng: np.random.Generator, drawing: Drawing, size: int) -> Fault | None:
    """Something filled, covered or inserted only in part: half of a group is cut away."""
    picked = _pick(rng, drawing, size)
    if picked is None:
        return None
    group, noun, centre, reach = picked
    cut = float(centre[1] + reach * rng.uniform(-0.6, 0.5))

    def change(part: Part) -> Part | None:
        def lower(outline: Points) -> Points:
            return np.stack([outline[:, 0], np.maximum(outline[:, 1], cut)], 1).astype(np.float32)

        return part.moved(lower)

    return _edit(drawing, group, change), noun
