"""Small drawn parts: a grey disc with a hole on a dark ground, and defects on it."""

from __future__ import annotations

import numpy as np
from PIL import Image


def part(seed, spot=False, size=(72, 80)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    middle = np.array(size) / 2 + rng.normal(0, 1, 2)
    away = np.hypot(y - middle[0], x - middle[1])
    pixels = np.where((away < 26) & (away > 9), 170.0, 40.0)
    if spot:
        pixels[(np.abs(y - middle[0] - 16) < 5) & (np.abs(x - middle[1]) < 6)] = 235
    pixels = np.repeat(pixels[..., None], 3, axis=2) + rng.normal(0, 6, (*size, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def folder(place, count, *, first=0, spot=False, name="part"):
    place.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        part(i, spot).save(place / f"{name}{i:03d}.png")
    return place
