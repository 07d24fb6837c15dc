"""Defects of shape: dents, bumps, holes, displaced or missing regions, damaged edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from zsad.synthetic.defects_line import Marked, blend, local_colour
from zsad.synthetic.noise import TAU, chance, grain, log_uniform, slopes, smooth, uniform
from zsad.synthetic.sites import Site, blob, extent, oval, stroke, wander, window
from zsad.types import FloatArray


def _relief(rng: np.random.Generator, image: FloatArray, site: Site, sign: float) -> Marked:
    """Light a hump (``sign`` 1) or hollow (-1) from one side, as if the surface itself were bent."""
    size = max(site.size, 3.0)
    box, d = oval(rng, image, site, size)
    d += smooth(rng, *extent(box), 3) * np.float32(0.08)
    hump = np.square(np.clip(1 - d * d, 0, 1))
    down, right = slopes(hump)
    light = (right * np.float32(np.cos(site.angle)) + down * np.float32(np.sin(site.angle))) * np.float32(sign * size)
    amount = np.float32(0.12 + 0.5 * site.strength)
    part = image[:, box[0], box[1]]
    target = part * (1 + light * amount) + np.square(np.clip(light, 0, 1)) * np.float32(
        0.4 * site.strength * rng.random()
    )
    return blend(image, box, (d < 1).astype(np.float32), np.clip(target, 0, 1), site)


def dent(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A hollow pressed into the surface, shaded from one side."""
    return _relief(rng, image, site, -1.0)


def bump(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A raised lump, weld bead or polyp, shaded from one side, at times of another tone."""
    out, cover = _relief(rng, image, site, 1.0)
    if chance(rng, 0.4):
        box, alpha = blob(rng, image, site, rough=0.1, soft=site.size * 0.5 + 1)
        target = np.clip(out[:, box[0], box[1]] * np.float32(rng.choice([0.75, 0.85, 1.2, 1.35])), 0, 1)
        out, more = blend(out, box, alpha, target, site)
        cover = np.maximum(cover, more)
    return out, cover


def blister(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """One or several bubbles under a skin, each with a small highlight."""
    cover = np.zeros(image.shape[1:], np.float32)
    h, w = image.shape[1:]
    for _ in range(int(rng.integers(1, 6))):
        size = max(2.5, site.size * uniform(rng, 0.2, 0.6))
        x, y = site.x + float(rng.normal(0, site.size * 0.5)), site.y + float(rng.normal(0, site.size * 0.5))
        spot = replace(site, x=float(np.clip(x, 0, w - 1)), y=float(np.clip(y, 0, h - 1)), size=size)
        image, more = _relief(rng, image, spot, 1.0)
        box, alpha = blob(rng, image, replace(spot, x=spot.x + size * 0.3, size=max(size * 0.2, 0.8)), rough=0.05)
        image, _ = blend(image, box, alpha * np.float32(site.strength * 0.8), np.float32(0.97), site)
        cover = np.maximum(cover, more)
    return image, cover


def hole(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A ragged hole: dark, or with the background in it, with a lit rim."""
    box, alpha = blob(rng, image, site, rough=uniform(rng, 0.1, 0.6), aspect=uniform(rng, 0.5, 1), soft=1.2)
    if site.behind is not None and chance(rng, 0.5):
        inner = site.behind[:, box[0], box[1]]
    else:
        inner = local_colour(image, box) * np.float32(rng.uniform(0.03, 0.35)) + smooth(
            rng, *extent(box), 5
        ) * np.float32(0.02)
    if chance(rng, 0.1):
        inner = np.full_like(inner, 0.95)
    rim = np.clip(np.roll(alpha, 1, axis=int(rng.integers(2))) - alpha, 0, 1)
    out, a = blend(image, box, alpha * np.float32(0.6 + 0.4 * site.strength), np.clip(inner, 0, 1), site)
    out, b = blend(
        out, box, rim * np.float32(0.7 * site.strength), np.clip(local_colour(image, box) * np.float32(1.6), 0, 1), site
    )
    return out, np.maximum(a, b)


def pits(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Pores or blowholes: one or a cluster of small dark dots, each with a bright side."""
    h, w = image.shape[1:]
    cover = np.zeros((h, w), np.float32)
    small = max(1.0, min(site.size * 0.25, log_uniform(rng, 1, 5) * max(h, w) / 256))
    for k in range(int(rng.choice([1, 1, 2, 3, 6, 10]))):
        x, y = (
            (site.x, site.y)
            if k == 0
            else (site.x + float(rng.normal(0, site.size)), site.y + float(rng.normal(0, site.size)))
        )
        spot = replace(
            site, x=float(np.clip(x, 1, w - 2)), y=float(np.clip(y, 1, h - 2)), size=small * uniform(rng, 0.7, 1.5)
        )
        box, alpha = blob(rng, image, spot, rough=0.3, aspect=uniform(rng, 0.5, 1), soft=1.2)
        base = local_colour(image, box)
        lit = np.clip(np.roll(alpha, 1, axis=0) - alpha, 0, 1) * np.float32(0.4 * site.strength)
        image, more = blend(
            image, box, alpha * np.float32(0.45 + 0.5 * site.strength), base * np.float32(rng.uniform(0.05, 0.5)), spot
        )
        image, _ = blend(image, box, lit, np.clip(base * np.float32(1.5), 0, 1), spot)
        cover = np.maximum(cover, more)
    return image, cover


def patch(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A piece of surface that does not belong: the same surface turned, mirrored or from another place."""
    h, w = image.shape[1:]
    site = site.at_least(5.0)
    box, alpha = blob(rng, image, site, rough=float(rng.choice([0.05, 0.4])), aspect=uniform(rng, 0.5, 1), soft=1.5)
    ch, cw = extent(box)
    side = min(max(ch, cw), h, w)
    top, left = int(rng.integers(0, h - side + 1)), int(rng.integers(0, w - side + 1))
    source = image[:, top : top + side, left : left + side]
    piece = np.rot90(source, int(rng.choice([1, 3])), (1, 2))
    if chance(rng, 0.4):
        flat = np.ascontiguousarray((np.clip(piece, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
        turned = Image.fromarray(flat).rotate(uniform(rng, 20, 70), Image.Resampling.BILINEAR)
        piece = np.asarray(turned, np.float32).transpose(2, 0, 1) * np.float32(1 / 255)
        inset = side // 6
        rows = np.clip(np.arange(ch), 0, None) % max(side - 2 * inset, 1) + inset
        columns = np.arange(cw) % max(side - 2 * inset, 1) + inset
    else:
        rows, columns = np.arange(ch) % side, np.arange(cw) % side
    return blend(image, box, alpha, piece[:, rows[:, None], columns[None, :]], site)


def distortion(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """The surface pushed aside: swirled, pinched or stretched within a round region."""
    h, w = image.shape[1:]
    site = site.at_least(8.0)
    box = window(h, w, site.x, site.y, site.size)
    dy = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - np.float32(site.y)
    dx = np.arange(box[1].start, box[1].stop, dtype=np.float32)[None, :] - np.float32(site.x)
    fade = np.square(np.clip(1 - (dx * dx + dy * dy) * np.float32(1 / site.size**2), 0, 1))
    kind = int(rng.integers(3))
    if kind == 0:
        a = fade * np.float32(rng.choice([-1, 1]) * (0.5 + 1.8 * site.strength))
        c, s = np.cos(a), np.sin(a)
        x, y = dx * c - dy * s, dx * s + dy * c
    elif kind == 1:
        factor = 1 + fade * np.float32(rng.choice([-0.6, 0.9]) * (0.4 + 0.6 * site.strength))
        x, y = dx * factor, dy * factor
    else:
        push = np.float32(site.size * 0.5 * (0.3 + 0.7 * site.strength))
        x, y = dx + fade * push * np.float32(np.cos(site.angle)), dy + fade * push * np.float32(np.sin(site.angle))
    rows = np.clip(y + np.float32(site.y + 0.5), 0, h - 1).astype(np.int32)
    columns = np.clip(x + np.float32(site.x + 0.5), 0, w - 1).astype(np.int32)
    return blend(image, box, (fade > 0.01).astype(np.float32), image[:, rows, columns], site)


def absence(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Something that should be there is not: the place shows what surrounds it."""
    h, w = image.shape[1:]
    site = site.at_least(4.0)
    if chance(rng, 0.5):
        box, alpha = blob(rng, image, site, rough=0.1, soft=1.5)
    else:
        box = window(h, w, site.x, site.y, site.size)
        alpha = np.ones(extent(box), np.float32)
    part = image[:, box[0], box[1]]
    edge = np.concatenate([part[:, 0], part[:, -1], part[:, :, 0], part[:, :, -1]], 1)
    fill = np.median(edge, axis=1)[:, None, None] + (grain(rng, *extent(box)) * np.float32(0.01))
    return blend(image, box, alpha, np.clip(fill, 0, 1), site)


def chip(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A piece broken out of the edge: background, or the raw inside, shows there."""
    site = site.at_least(2.0)
    box, alpha = blob(rng, image, site, rough=0.5, aspect=uniform(rng, 0.5, 1), soft=1.2, cells=6)
    inside = (
        local_colour(image, box)
        * np.float32(rng.choice([0.4, 0.6, 1.3, 1.5]))
        * (1 + smooth(rng, *extent(box), 6) * np.float32(0.08))
    )
    if site.behind is not None and chance(rng, 0.75):
        inside = site.behind[:, box[0], box[1]]
    if site.cover is not None:
        alpha = alpha * site.cover[box]
    return blend(image, box, alpha, np.clip(inside, 0, 1), site, stay=False)


def fray(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Frayed, crumbling or flashed edge: short ragged bits that stand out or bite in along the outline."""
    h, w = image.shape[1:]
    reach = max(3.0, site.size * 0.4)
    along = site.angle + TAU / 4
    paths = []
    for _ in range(int(rng.integers(4, 16))):
        offset = float(rng.normal(0, site.size * 0.6))
        start = Site(
            site.x + np.cos(along) * offset,
            site.y + np.sin(along) * offset,
            1,
            site.angle + float(rng.normal(0, 0.5)),
            1,
        )
        path = wander(rng, start, reach * uniform(rng, 0.5, 1.5), turn=0.3, pace=2)
        paths.append((path, max(0.7, uniform(rng, 0.6, 2.2) * max(h, w) / 256)))
    box, alpha = stroke(image, paths)
    inward = np.array([np.cos(site.angle), np.sin(site.angle)], np.float32) * -max(3.0, site.size * 0.5)
    y, x = int(np.clip(site.y + inward[1], 0, h - 1)), int(np.clip(site.x + inward[0], 0, w - 1))
    colour = image[:, y, x][:, None, None] * np.float32(rng.uniform(0.7, 1.2))
    if chance(rng, 0.35):
        colour = local_colour(image, box) * np.float32(rng.choice([0.35, 1.6]))
    return blend(image, box, alpha * np.float32(0.6 + 0.4 * site.strength), np.clip(colour, 0, 1), site, stay=False)
