"""Colour: ramps for grey fields, and the materials that objects are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zsad.synthetic.noise import chance, uniform
from zsad.types import FloatArray

Colour = tuple[float, float, float]


def hsv(h: float, s: float, v: float) -> Colour:
    """Hue, saturation and value in [0, 1] to RGB in [0, 1]."""
    i = int(h * 6) % 6
    f = h * 6 - int(h * 6)
    p, q, t = v * (1 - s), v * (1 - f * s), v * (1 - (1 - f) * s)
    return ((v, t, p), (q, v, p), (p, v, t), (p, q, v), (t, p, v), (v, p, q))[i]


def any_colour(rng: np.random.Generator, vivid: float = 0.5) -> Colour:
    """A random colour; ``vivid`` is the chance that it is strongly saturated, else it is near grey."""
    saturation = rng.uniform(0.3, 0.95) if chance(rng, vivid) else rng.uniform(0.0, 0.25)
    return hsv(float(rng.random()), float(saturation), uniform(rng, 0.12, 0.95))


def shade(colour: Colour, factor: float) -> Colour:
    """The colour multiplied by ``factor`` and clipped to [0, 1]."""
    r, g, b = (min(max(c * factor, 0.0), 1.0) for c in colour)
    return (r, g, b)


def near(rng: np.random.Generator, colour: Colour, spread: float = 0.06) -> Colour:
    """A colour close to the given one."""
    r, g, b = (np.asarray(colour) * rng.uniform(1 - 2 * spread, 1 + 2 * spread) + rng.normal(0, spread / 2, 3)).clip(
        0, 1
    )
    return (float(r), float(g), float(b))


def tint(field: FloatArray, stops: list[Colour]) -> FloatArray:
    """Colour a field in [0, 1] by a ramp of colours: ``(h, w)`` to planar RGB ``(3, h, w)`` float32."""
    levels = 256
    position = np.linspace(0, 1, len(stops))
    table = np.array([np.interp(np.linspace(0, 1, levels), position, channel) for channel in zip(*stops, strict=True)])
    index = (np.clip(field, 0, 1) * np.float32(levels - 1)).astype(np.intp)
    out = np.empty((3, *field.shape), np.float32)
    for channel in range(3):
        np.take(table[channel].astype(np.float32), index, out=out[channel], mode="clip")
    return out


def tones(rng: np.random.Generator, base: Colour, contrast: float, count: int = 3, hue: float = 0.03) -> list[Colour]:
    """A ramp from dark to light around a base colour; ``contrast`` is its span in brightness."""
    centre = max(base)
    low, high = max(centre - contrast / 2, 0.02), min(centre + contrast / 2, 0.99)
    stops = []
    for value in np.linspace(low, high, count):
        r, g, b = np.clip(np.asarray(base) / max(centre, 1e-3) * value + rng.normal(0, hue, 3) * value, 0, 1)
        stops.append((float(r), float(g), float(b)))
    return stops


@dataclass(frozen=True)
class Material:
    """What an object is made of.

    Attributes:
        colours: typical colours; empty for any colour.
        gloss: strength of highlights, 0 matte to 1 mirror-like.
        skin: texture families that may cover it, "" for a plain skin.
    """

    colours: tuple[Colour, ...]
    gloss: float
    skin: tuple[str, ...] = ("",)

    def colour(self, rng: np.random.Generator) -> Colour:
        """One colour of this material."""
        if not self.colours:
            return any_colour(rng, 0.7)
        return near(rng, self.colours[int(rng.integers(len(self.colours)))])


MATERIALS: dict[str, Material] = {
    "steel": Material(((0.55, 0.56, 0.58), (0.4, 0.41, 0.43), (0.7, 0.7, 0.72)), 0.8, ("", "", "brushed")),
    "iron": Material(((0.3, 0.3, 0.31), (0.2, 0.2, 0.21)), 0.4, ("", "cast", "granular")),
    "aluminium": Material(((0.75, 0.76, 0.78), (0.62, 0.63, 0.65)), 0.6, ("", "brushed", "ground")),
    "brass": Material(((0.72, 0.58, 0.28), (0.8, 0.66, 0.34)), 0.8, ("", "brushed")),
    "copper": Material(((0.72, 0.43, 0.28), (0.62, 0.35, 0.22)), 0.7, ("", "brushed")),
    "plastic": Material((), 0.5, ("", "", "plain")),
    "rubber": Material(((0.12, 0.12, 0.12), (0.2, 0.2, 0.21), (0.5, 0.12, 0.1)), 0.15, ("", "granular")),
    "wood": Material(((0.68, 0.5, 0.32), (0.5, 0.33, 0.2), (0.8, 0.66, 0.46)), 0.1, ("wood",)),
    "ceramic": Material(((0.9, 0.89, 0.85), (0.8, 0.72, 0.62), (0.3, 0.4, 0.55)), 0.7, ("", "plain")),
    "glass": Material(((0.6, 0.75, 0.7), (0.5, 0.35, 0.15), (0.75, 0.82, 0.85), (0.25, 0.45, 0.3)), 1.0),
    "paper": Material(((0.93, 0.92, 0.88), (0.85, 0.83, 0.78)), 0.0, ("", "plain")),
    "cardboard": Material(((0.68, 0.53, 0.37), (0.75, 0.6, 0.45)), 0.0, ("", "fibrous", "ribbed")),
    "fabric": Material((), 0.0, ("woven", "woven", "carpet")),
    "leather": Material(((0.4, 0.25, 0.16), (0.15, 0.12, 0.11), (0.6, 0.42, 0.3)), 0.2, ("leather",)),
    "foam": Material(((0.9, 0.85, 0.6), (0.35, 0.36, 0.4), (0.85, 0.86, 0.9)), 0.0, ("foam",)),
    "stone": Material(((0.55, 0.54, 0.52), (0.42, 0.41, 0.4)), 0.05, ("granular", "concrete")),
    "dough": Material(((0.74, 0.54, 0.32), (0.62, 0.42, 0.24), (0.82, 0.66, 0.42)), 0.05, ("crumb",)),
    "nutshell": Material(((0.5, 0.32, 0.2), (0.6, 0.42, 0.28)), 0.1, ("fibrous", "")),
    "fibreglass": Material(((0.1, 0.32, 0.18), (0.08, 0.2, 0.4), (0.12, 0.12, 0.14), (0.1, 0.4, 0.28)), 0.3),
    "wax": Material(((0.92, 0.88, 0.75), (0.8, 0.3, 0.3), (0.85, 0.85, 0.8)), 0.3),
}
"""The materials that single objects are made of; words for them are in ``captions``."""
