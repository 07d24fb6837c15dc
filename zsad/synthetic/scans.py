"""Medical looks that fill the view: name -> ``(rng, size) -> (planar image, region where a lesion may lie)``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zsad.synthetic.noise import chance, fractal, grid, radius, smooth, step, uniform
from zsad.synthetic.palette import hsv, tint, tones
from zsad.synthetic.scans_head import brain_scan
from zsad.synthetic.scans_tube import endoscopy
from zsad.synthetic.textures_organic import skin, speckle
from zsad.types import FloatArray

Scan = Callable[[np.random.Generator, int], tuple[FloatArray, FloatArray]]


def chest_scan(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A chest radiograph: dark lungs, ribs, bright spine and heart."""
    x, y = grid(size, size, float(rng.normal(0, 0.03)))
    u, v = x / np.float32(size / 2), y / np.float32(size / 2)
    side = np.abs(u)
    lung = np.sqrt(
        np.square((side - np.float32(0.42)) / np.float32(0.3))
        + np.square((v + side * np.float32(0.1)) / np.float32(0.68))
    )
    lungs = step(-lung + smooth(rng, size, size, 3) * np.float32(0.04), -0.95, 0.25)
    ribs = np.sin((v - np.square(side) * np.float32(rng.uniform(0.4, 0.9))) * np.float32(rng.uniform(16, 24)))
    grey = np.float32(rng.uniform(0.55, 0.7)) - lungs * np.float32(rng.uniform(0.3, 0.45))
    grey += ribs * np.float32(rng.uniform(0.02, 0.06)) * (lungs * np.float32(0.7) + np.float32(0.3))
    grey += np.exp(-np.square(u * np.float32(9))) * np.float32(0.15)
    heart = np.sqrt(
        np.square((u - np.float32(0.12)) / np.float32(0.28)) + np.square((v - np.float32(0.3)) / np.float32(0.32))
    )
    grey += step(-heart, -1.0, 0.3) * np.float32(0.2)
    grey += fractal(rng, size, size, 10, 3) * np.float32(0.015)
    grey *= np.clip(1.3 - np.square(u) * 0.5, 0, 1)
    return np.repeat(grey[None], 3, 0), lungs


def ultrasound(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A sector or strip of grey speckle with layered tissue."""
    image = speckle(rng, size, size)
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    layers = np.sin((y + smooth(rng, size, size, 2) * np.float32(0.02)) * np.float32(rng.uniform(8, 25)))
    image *= np.float32(0.8) + layers * np.float32(rng.uniform(0.1, 0.4))
    inside = np.ones((size, size), np.float32)
    if chance(rng, 0.5):
        x = np.linspace(-1, 1, size, dtype=np.float32)[None, :]
        reach = np.sqrt(np.square(x) + np.square(y + np.float32(0.15)))
        inside = step(-np.abs(x) / (y + np.float32(0.2)), -rng.uniform(0.7, 1.0), 0.02) * step(-reach, -1.1, 0.01)
        image *= inside
    return image, inside


def dermoscopy(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """Skin under a lens: bright middle, dark round border."""
    image = skin(rng, size, size)
    d = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
    image *= np.clip(1.15 - np.square(d) * np.float32(rng.uniform(0.1, 0.5)), 0, 2)
    inside = step(-d, -rng.uniform(0.95, 1.5), 0.06)
    return image * inside, inside


def retina(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """The back of an eye: an orange disc with vessels, a bright optic disc, a dark macula."""
    d = radius(size, size, size / 2, size / 2) * np.float32(2 / size)
    inside = step(-d, -rng.uniform(0.88, 0.99), 0.03)
    base = hsv(uniform(rng, 0.02, 0.09), uniform(rng, 0.6, 0.85), uniform(rng, 0.5, 0.9))
    field = fractal(rng, size, size, 2, 4) * np.float32(0.06) + np.float32(0.55) - d * np.float32(0.2)
    vessels = step(1 - np.abs(fractal(rng, size, size, 3, 2, 0.5)), rng.uniform(0.93, 0.96), 0.05)
    out = tint(field - vessels * np.float32(0.25), tones(rng, base, 0.7, 3, 0.02))
    x, y = size * float(rng.choice([0.28, 0.72])), size * uniform(rng, 0.42, 0.58)
    disc = step(-radius(size, size, x, y), -size * rng.uniform(0.05, 0.08), size * 0.02)
    out += (np.array([0.98, 0.88, 0.6], np.float32)[:, None, None] - out) * disc * np.float32(0.85)
    return out * inside, inside * (1 - disc)


SCANS: dict[str, Scan] = {
    "brain_scan": brain_scan,
    "chest_scan": chest_scan,
    "endoscopy": endoscopy,
    "ultrasound": ultrasound,
    "dermoscopy": dermoscopy,
    "retina": retina,
}
