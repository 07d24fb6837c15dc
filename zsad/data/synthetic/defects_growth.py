"""What grows where it should not: lesions in soft matter, lumps on a wet wall, pigmented spots on skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zsad.data.synthetic.defects_line import Marked, blend, local_colour
from zsad.data.synthetic.noise import chance, fractal, slopes, smooth, step
from zsad.data.synthetic.palette import hsv
from zsad.data.synthetic.sites import Site, blob, extent, oval
from zsad.types import FloatArray


def lesion(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A rounded growth or spot of another tone inside soft matter, brighter or darker, at times with a rim."""
    h, w = image.shape[1:]
    site = replace(site, size=max(site.size, 3.0))
    box, alpha = blob(
        rng,
        h,
        w,
        site,
        rough=float(rng.uniform(0.1, 0.4)),
        aspect=float(rng.uniform(0.6, 1)),
        soft=1.5 + site.size * float(rng.uniform(0.05, 0.5)),
    )
    part = image[:, box[0], box[1]]
    inner = np.float32(0.7) + np.float32(0.2) * smooth(rng, *extent(box), 4)
    if chance(rng, 0.3):
        inner = inner * np.clip(1.5 - alpha, 0, 1)
    if chance(rng, 0.5):
        target = part + (np.float32(rng.uniform(0.7, 1)) - part) * inner
    else:
        target = (
            part
            * np.float32(rng.uniform(0.2, 0.6))
            * np.array([1.0, rng.uniform(0.7, 1), rng.uniform(0.6, 1)], np.float32)[:, None, None]
        )
    return blend(image, box, alpha * np.float32(0.3 + 0.7 * site.strength), target, site)


def polyp(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A rounded lump of the surface's own stuff: shaded as a dome, a little redder or paler, with wet highlights."""
    h, w = image.shape[1:]
    size = max(site.size, 4.0)
    box, d = oval(rng, h, w, site, size, reach=1.35, narrowest=0.55)
    ch, cw = extent(box)
    d += smooth(rng, ch, cw, 4) * np.float32(rng.uniform(0.02, 0.1))
    dome = np.sqrt(np.clip(1 - np.square(d), 0.0, 1.0))
    down, right = slopes(dome)
    light = (right * np.float32(np.cos(site.angle)) + down * np.float32(np.sin(site.angle))) * np.float32(size)
    light = np.clip(light, -1.5, 1.5)
    facing = 1 + np.float32(0.15 + 0.35 * site.strength) * (light * np.float32(0.5) + dome - np.float32(0.6))
    green = float(rng.uniform(0.7, 1.2))
    hue = np.array([rng.uniform(0.95, 1.15), green, green * rng.uniform(0.85, 1.1)], np.float32)
    part = image[:, box[0], box[1]]
    lump = local_colour(image, box) * np.float32(rng.uniform(0.9, 1.2))
    stuff = part + (lump - part) * np.float32(rng.uniform(0.2, 0.8))  # stretched: less of the wall's own pattern
    stuff = stuff * (1 + smooth(rng, ch, cw, rng.uniform(4, 14)) * np.float32(rng.uniform(0, 0.08)))
    target = stuff * (1 + (hue - 1) * np.float32(0.3 + 0.7 * site.strength))[:, None, None] * facing
    if chance(rng, 0.7):
        wet = step(light + smooth(rng, ch, cw, rng.uniform(4, 12)) * np.float32(0.5), rng.uniform(1.2, 2.0), 0.3)
        target = target + wet * np.float32(rng.uniform(0.2, 0.8))
    alpha = step(-d, -1.0, max(1.5 / size, float(rng.uniform(0.02, 0.2))))
    out, cover = blend(image, box, alpha, np.clip(target, 0, 1), site)
    rim = np.exp(-np.square((d - np.float32(1.05)) * np.float32(9))) * np.clip(-light * 2 + np.float32(0.4), 0, 1)
    shade = 1 - rim * np.float32(rng.uniform(0.0, 0.5)) * (1 - alpha)
    out[:, box[0], box[1]] *= shade
    return out, cover


def mole(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A pigmented spot with an uneven border and several tones, at times with a network, a veil or a reddish zone."""
    h, w = image.shape[1:]
    site = replace(site, size=max(site.size, 3.0))
    box, alpha = blob(
        rng,
        h,
        w,
        site,
        rough=float(rng.uniform(0.1, 0.6)),
        aspect=float(rng.uniform(0.6, 1)),
        soft=1.5 + site.size * float(rng.uniform(0.05, 0.6)),
        cells=float(rng.uniform(3, 9)),
    )
    ch, cw = extent(box)
    part = image[:, box[0], box[1]]
    tones = np.float32(0.55) + fractal(rng, ch, cw, rng.uniform(2, 6), 3, 0.6) * np.float32(rng.uniform(0.05, 0.25))
    if chance(rng, 0.4):  # the network: fine dark meshes around paler holes
        mesh = np.abs(smooth(rng, ch, cw, max(ch / 9, 3)))
        tones = tones - step(-mesh, -0.35, 0.3) * np.float32(0.2)
    pigment = hsv(float(rng.uniform(0.02, 0.09)), float(rng.uniform(0.4, 0.8)), float(rng.uniform(0.25, 0.75)))
    filter_ = np.asarray(pigment, np.float32)[:, None, None]
    dark = np.float32(0.35 + 0.65 * site.strength)
    target = part * (1 - dark * (1 - filter_ * np.clip(tones * np.float32(1.8), 0.1, 1.3)))
    if chance(rng, 0.25):
        veil = step(smooth(rng, ch, cw, 3), 0.6, 0.8) * np.float32(rng.uniform(0.2, 0.6))
        tint = np.asarray((0.55, 0.6, 0.72) if chance(rng, 0.5) else (0.75, 0.35, 0.35), np.float32)[:, None, None]
        target = target + (tint * part.mean() - target) * veil
    return blend(image, box, alpha, np.clip(target, 0, 1), site)
