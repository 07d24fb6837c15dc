"""What grows where it should not: lesions in soft matter, lumps on a wet wall, pigmented spots on skin."""

from __future__ import annotations

import numpy as np

from zsad.synthetic.defects_line import Marked, blend, local_colour
from zsad.synthetic.noise import TAU, chance, fractal, radius, slopes, smooth, step, uniform
from zsad.synthetic.palette import hsv
from zsad.synthetic.sites import Site, Window, blob, extent, oval
from zsad.types import FloatArray


def lesion(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A rounded growth or spot of another tone inside soft matter, brighter or darker, at times with a rim."""
    site = site.at_least(3.0)
    box, alpha = blob(
        rng,
        image,
        site,
        rough=uniform(rng, 0.1, 0.4),
        aspect=uniform(rng, 0.6, 1),
        soft=1.5 + site.size * uniform(rng, 0.05, 0.5),
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
    """One lump of the wall's own stuff or several in one: shaded as domes, redder or paler, with wet highlights.

    Its lit side rises out of the wall, its far side hides what lies behind it.
    """
    size = max(site.size, 4.0)
    box, d = oval(rng, image, site, size, reach=1.5, narrowest=0.55)
    ch, cw = extent(box)
    for _ in range(int(rng.choice([0, 0, 1, 2, 4]))):
        d = np.minimum(d, _lobe(rng, ch, cw, site, box, size))
    d += smooth(rng, ch, cw, rng.uniform(3, 6)) * np.float32(rng.uniform(0.02, 0.12))
    dome = np.clip(1 - np.square(d), 0.0, 1.0) ** np.float32(rng.uniform(0.5, 1.3))
    down, right = slopes(dome + fractal(rng, ch, cw, rng.uniform(4, 10), 2) * np.float32(rng.uniform(0, 0.05)) * dome)
    light = (right * np.float32(np.cos(site.angle)) + down * np.float32(np.sin(site.angle))) * np.float32(size)
    light = np.clip(light, -1.5, 1.5)
    facing = 1 + np.float32(0.1 + 0.35 * site.strength) * (
        light * np.float32(0.5) + (dome - np.float32(0.6)) * np.float32(rng.uniform(0, 1))
    )
    target = _stuff(rng, image, box, dome, site.strength) * facing
    if chance(rng, 0.75):
        ripples = smooth(rng, ch, cw, max(size / rng.uniform(2, 8), 3)) * np.float32(rng.uniform(0.3, 0.8))
        wet = step(light + ripples, rng.uniform(1.2, 2.4), 0.3)
        target = target + wet * np.float32(rng.uniform(0.2, 0.9))
    sharp, soft = np.float32(max(1.5 / size, 0.03)), np.float32(max(1.5 / size, uniform(rng, 0.03, 0.5)))
    wide = sharp + (soft - sharp) * np.clip(light + np.float32(0.5), 0, 1)
    alpha = np.clip((1 - d) / wide + np.float32(0.5), 0, 1)
    out, cover = blend(image, box, alpha, np.clip(target, 0, 1), site)
    # The wall behind the far side lies in its shadow.
    falls = np.clip(_along(site, box, ch, cw) * np.float32(1 / size), 0, 1)
    shade = np.exp(-np.clip(d - 1, 0, 9) * np.float32(1 / rng.uniform(0.05, 0.4))) * falls
    out[:, box[0], box[1]] *= 1 - shade * np.float32(rng.uniform(0.0, 0.6)) * (1 - alpha)
    return out, cover


def _lobe(rng: np.random.Generator, h: int, w: int, site: Site, box: Window, size: float) -> FloatArray:
    """The distance field of one more lump beside a site's own, ``(h, w)`` within its window, 1 at its border."""
    way, share = uniform(rng, 0, TAU), uniform(rng, 0.3, 0.7)
    x = site.x - box[1].start + size * 0.8 * float(np.cos(way))
    y = site.y - box[0].start + size * 0.8 * float(np.sin(way))
    return radius(h, w, x, y, uniform(rng, 0.6, 1), uniform(rng, 0, TAU)) * np.float32(1 / (size * share))


def _along(site: Site, box: Window, h: int, w: int) -> FloatArray:
    """How far each pixel of a window lies from the site in the direction of its angle, in pixels ``(h, w)``."""
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(site.y - box[0].start)
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(site.x - box[1].start)
    return x * np.float32(np.cos(site.angle)) + y * np.float32(np.sin(site.angle))


def _stuff(rng: np.random.Generator, image: FloatArray, box: Window, dome: FloatArray, strength: float) -> FloatArray:
    """What a polyp is made of before it is lit, ``(3, h, w)``: the stretched wall, tinted; pits, blood, a cap."""
    ch, cw = dome.shape
    part = image[:, box[0], box[1]]
    lump = local_colour(image, box) * np.float32(rng.uniform(0.9, 1.2))
    stuff = part + (lump - part) * np.float32(rng.uniform(0.2, 0.95))  # stretched: less of the wall's own pattern
    stuff = stuff * (1 + fractal(rng, ch, cw, rng.uniform(3, 14), 2) * np.float32(rng.uniform(0, 0.08)))
    green = uniform(rng, 0.7, 1.15)
    hue = np.array([rng.uniform(0.95, 1.15), green, green * rng.uniform(0.85, 1.1)], np.float32)
    stuff = stuff * (1 + (hue - 1) * np.float32(0.3 + 0.7 * strength))[:, None, None]
    if chance(rng, 0.4):  # pits, spots of blood
        spots = step(smooth(rng, ch, cw, max(ch / rng.uniform(4, 12), 3)), rng.uniform(0.6, 1.6), 0.5)
        red = np.array([0.25, 0.7, 0.6], np.float32)[:, None, None] * np.float32(rng.uniform(0.2, 0.9))
        stuff = stuff * (1 - spots * red)
    if chance(rng, 0.25):  # a pale cap
        cap = step(dome + smooth(rng, ch, cw, 4) * np.float32(0.15), rng.uniform(0.5, 0.9), 0.2)
        stuff = stuff + (np.array([0.9, 0.8, 0.75], np.float32)[:, None, None] - stuff) * cap * np.float32(0.5)
    return np.asarray(stuff, np.float32)


def mole(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A pigmented spot with an uneven border and several tones, at times with a network, a veil or a reddish zone."""
    site = site.at_least(3.0)
    box, alpha = blob(
        rng,
        image,
        site,
        rough=uniform(rng, 0.1, 0.6),
        aspect=uniform(rng, 0.6, 1),
        soft=1.5 + site.size * uniform(rng, 0.05, 0.6),
        cells=uniform(rng, 3, 9),
    )
    ch, cw = extent(box)
    part = image[:, box[0], box[1]]
    tones = np.float32(0.55) + fractal(rng, ch, cw, rng.uniform(2, 6), 3, 0.6) * np.float32(rng.uniform(0.05, 0.25))
    if chance(rng, 0.4):  # the network: fine dark meshes around paler holes
        mesh = np.abs(smooth(rng, ch, cw, max(ch / 9, 3)))
        tones = tones - step(-mesh, -0.35, 0.3) * np.float32(0.2)
    pigment = hsv(uniform(rng, 0.02, 0.09), uniform(rng, 0.4, 0.8), uniform(rng, 0.25, 0.75))
    filter_ = np.asarray(pigment, np.float32)[:, None, None]
    dark = np.float32(0.35 + 0.65 * site.strength)
    target = part * (1 - dark * (1 - filter_ * np.clip(tones * np.float32(1.8), 0.1, 1.3)))
    if chance(rng, 0.25):
        veil = step(smooth(rng, ch, cw, 3), 0.6, 0.8) * np.float32(rng.uniform(0.2, 0.6))
        tint = np.asarray((0.55, 0.6, 0.72) if chance(rng, 0.5) else (0.75, 0.35, 0.35), np.float32)[:, None, None]
        target = target + (tint * part.mean() - target) * veil
    return blend(image, box, alpha, np.clip(target, 0, 1), site)
