"""Defects of colour and cover: stains, foreign matter, burns, rust, discoloration, misprints, wear."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from zsad.synthetic.defects_line import Marked, blend, local_colour
from zsad.synthetic.noise import TAU, chance, enlarge, fractal, grid, log_uniform, smooth, step, uniform, unit
from zsad.synthetic.palette import any_colour, hsv, tint
from zsad.synthetic.sites import Site, blob, extent, stroke, wander
from zsad.types import FloatArray


def stain(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A dried spot: translucent, uneven, often darker at its rim."""
    box, alpha = blob(
        rng,
        image,
        site.at_least(2.5),
        rough=uniform(rng, 0.1, 0.5),
        aspect=uniform(rng, 0.5, 1),
        soft=2.0 + site.size * 0.2,
    )
    ch, cw = extent(box)
    body = alpha * (np.float32(0.7) + np.float32(0.25) * smooth(rng, ch, cw, 4))
    if chance(rng, 0.5):
        body = body * np.float32(0.6) + (4 * alpha * (1 - alpha)) * np.float32(0.5)
    colour = np.asarray(any_colour(rng, 0.6), np.float32)[:, None, None]
    part = image[:, box[0], box[1]]
    target = part * (colour * np.float32(0.8) + np.float32(0.1)) if chance(rng, 0.6) else colour
    return blend(image, box, np.clip(body, 0, 1) * np.float32(0.2 + 0.75 * site.strength), target, site)


def smear(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Grease, glue or ink wiped across: a translucent band with streaks."""
    size = max(site.size, 5.0)
    paths = []
    for _ in range(int(rng.integers(5, 14))):
        offset = float(rng.normal(0, size * 0.25))
        lane = Site(site.x - np.sin(site.angle) * offset, site.y + np.cos(site.angle) * offset, size, site.angle, 1)
        paths.append((wander(rng, lane, size * uniform(rng, 1, 3), turn=0.05), size * uniform(rng, 0.04, 0.2)))
    box, alpha = stroke(image, paths, level=int(rng.integers(90, 220)))
    colour = np.asarray(any_colour(rng, 0.5), np.float32)[:, None, None]
    return blend(image, box, alpha * np.float32(0.3 + 0.7 * site.strength), colour, site)


def drip(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Drops or a run of liquid, glue or weld splash: glossy beads with highlight and shade."""
    h, w = image.shape[1:]
    cover = np.zeros((h, w), np.float32)
    colour = np.asarray(any_colour(rng, 0.4), np.float32)[:, None, None]
    for k in range(int(rng.integers(1, 6))):
        size = max(1.8, site.size * uniform(rng, 0.25, 0.7))
        x, y = (
            (site.x, site.y)
            if k == 0
            else (site.x + float(rng.normal(0, site.size)), site.y + float(rng.normal(0, site.size)))
        )
        bead = replace(site, x=float(np.clip(x, 0, w - 1)), y=float(np.clip(y, 0, h - 1)), size=size)
        box, alpha = blob(rng, image, bead, rough=0.08, aspect=uniform(rng, 0.7, 1))
        part = image[:, box[0], box[1]]
        body = part * np.float32(0.5) + colour * np.float32(0.5) if chance(rng, 0.7) else colour + np.zeros_like(part)
        slope = np.gradient(enlarge(alpha, *extent(box)), axis=0)
        image, more = blend(
            image, box, alpha * np.float32(0.4 + 0.6 * site.strength), np.clip(body - slope * 2, 0, 1), bead, stay=False
        )
        spot, glint = blob(
            rng,
            image,
            replace(bead, x=bead.x - size * 0.3, y=bead.y - size * 0.3, size=max(size * 0.18, 0.8)),
            rough=0.1,
        )
        image, _ = blend(image, spot, glint * np.float32(0.9 * site.strength), np.float32(0.98), bead, stay=False)
        cover = np.maximum(cover, more)
    return image, cover


def contamination(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Foreign matter on top: a crumb, chip, shaving or dirt, opaque, textured, with a shadow."""
    site = site.at_least(1.8)
    box, alpha = blob(rng, image, site, rough=uniform(rng, 0.2, 0.6), aspect=uniform(rng, 0.3, 1), soft=1.3)
    ch, cw = extent(box)
    tone = unit(fractal(rng, ch, cw, uniform(rng, 2, 8), 3))
    first, second = any_colour(rng, 0.5), any_colour(rng, 0.5)
    body = tint(tone, [first, second if chance(rng, 0.3) else hsv(0.0, 0.0, float(max(first)) * 0.5)])
    step_px = max(1, int(site.size * 0.12))
    dark = np.roll(alpha, (step_px, step_px), (0, 1)) * np.float32(0.35)
    out, a = blend(image, box, dark, local_colour(image, box) * np.float32(0.2), site, stay=False)
    out, b = blend(out, box, alpha * np.float32(0.5 + 0.5 * site.strength), body, site, stay=False)
    return out, np.maximum(a, b)


def discoloration(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A region of another hue or tone with soft borders; the texture goes on underneath."""
    site = site.at_least(5.0)
    box, alpha = blob(
        rng,
        image,
        site,
        rough=uniform(rng, 0.1, 0.5),
        aspect=uniform(rng, 0.4, 1),
        soft=site.size * uniform(rng, 0.2, 0.9),
        cells=4,
    )
    tilt = rng.normal(0, 0.3, 3).astype(np.float32) if chance(rng, 0.6) else np.full(3, rng.normal(0, 0.35), np.float32)
    part = image[:, box[0], box[1]]
    target = np.clip(part * (1 + tilt[:, None, None]), 0, 1)
    return blend(image, box, alpha * np.float32(0.3 + 0.7 * site.strength), target, site)


def burn(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A scorched spot: brown halo, black centre."""
    site = site.at_least(4.0)
    box, alpha = blob(rng, image, site, rough=0.4, soft=site.size * 0.8)
    part = image[:, box[0], box[1]]
    brown = part * np.array([0.6, 0.4, 0.25], np.float32)[:, None, None]
    out, a = blend(image, box, np.clip(alpha * 1.4, 0, 1) * np.float32(0.3 + 0.7 * site.strength), brown, site)
    out, b = blend(out, box, np.square(alpha) * np.float32(0.2 + 0.75 * site.strength), part * np.float32(0.12), site)
    return out, np.maximum(a, b)


def corrosion(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Rust, mould, oxide or salt: a flecked crust thinning out at its border."""
    site = site.at_least(4.0)
    box, alpha = blob(rng, image, site, rough=0.6, soft=site.size * 0.7)
    ch, cw = extent(box)
    flecks = step(fractal(rng, ch, cw, max(ch / 6, 3), 3) + alpha * 3 - 2, 0.0, 0.5)
    hue = hsv(uniform(rng, 0.03, 0.09), uniform(rng, 0.5, 0.85), uniform(rng, 0.25, 0.6))
    if chance(rng, 0.35):
        hue = hsv(uniform(rng, 0.2, 0.5), uniform(rng, 0.05, 0.4), uniform(rng, 0.3, 0.9))
    crust = tint(unit(fractal(rng, ch, cw, 6, 3)), [hsv(0.05, 0.5, 0.2) if hue[0] > hue[1] else hue, hue])
    return blend(image, box, flecks * np.float32(0.35 + 0.65 * site.strength), crust, site)


def blotch(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """An uneven cloudy area, darker or lighter than it should be, with no clear border."""
    h, w = image.shape[1:]
    site = replace(site, size=max(site.size, max(h, w) * 0.05))
    box, alpha = blob(rng, image, site, rough=0.7, aspect=uniform(rng, 0.3, 1), soft=site.size * 1.2, cells=4)
    factor = np.float32(1 - rng.uniform(0.15, 0.6) if chance(rng, 0.7) else 1 + rng.uniform(0.15, 0.5))
    target = np.clip(image[:, box[0], box[1]] * factor, 0, 1)
    return blend(image, box, alpha * np.float32(0.4 + 0.6 * site.strength), target, site)


def worn(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Rubbed smooth: the texture is blurred away and slightly bleached."""
    site = site.at_least(6.0)
    box, alpha = blob(rng, image, site, rough=0.4, soft=site.size * 0.4)
    ch, cw = extent(box)
    block = max(4, int(site.size / 3))
    part = image[:, box[0], box[1]]
    target = np.stack([_coarse(channel, max(ch // block, 1), max(cw // block, 1)) for channel in part])
    target = np.clip(target * np.float32(rng.uniform(0.8, 1.3)), 0, 1)
    return blend(image, box, alpha * np.float32(0.5 + 0.5 * site.strength), target, site)


def uneven(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Another finish: a wide band or patch that is duller, finer or lighter, worked twice, or not worked at all."""
    h, w = image.shape[1:]
    site = replace(site, size=max(site.size * uniform(rng, 1, 2), max(h, w) * 0.06))
    soft = 1.5 if chance(rng, 0.5) else site.size * uniform(rng, 0.1, 0.6)
    if chance(rng, 0.5):
        box, alpha = (slice(0, h), slice(0, w)), _band(rng, h, w, site, soft)
    else:
        box, alpha = blob(rng, image, site, rough=uniform(rng, 0.1, 0.6), aspect=uniform(rng, 0.3, 1), soft=soft)
    part, (ch, cw) = image[:, box[0], box[1]], extent(box)
    if again := chance(rng, 0.4):  # worked a second time: other marks of the same kind
        part = np.roll(part, (int(rng.integers(ch)), int(rng.integers(cw))), (1, 2))
    few = max(int(rng.choice([4, 8, 16])) * max(h, w) // 256, 2)
    coarse = np.stack([_coarse(channel, max(ch // few, 1), max(cw // few, 1)) for channel in part])
    contrast = np.float32(rng.choice([0.6, 1.0, 1.0, 1.5] if again else [0.0, 0.3, 0.6, 1.6, 2.2]))
    factor = np.float32(np.exp(rng.normal(0, 0.3)))
    finish = (part - coarse) * contrast
    if chance(rng, 0.25):  # left out: the rough skin that was there before
        rough = fractal(rng, ch, cw, uniform(rng, 2, 30), 3, 0.7)
        finish = coarse * rough * np.float32(log_uniform(rng, 0.02, 0.2))
    target = np.clip((coarse + finish) * factor, 0, 1)
    return blend(image, box, alpha * np.float32(0.5 + 0.5 * site.strength), target, site)


def _band(rng: np.random.Generator, h: int, w: int, site: Site, soft: float) -> FloatArray:
    """Coverage ``(h, w)`` of a band across the view, or of all from a border inwards; nearly straight."""
    x, _ = grid(h, w, float(rng.choice([0.0, TAU / 4])) if chance(rng, 0.7) else site.angle)
    x += smooth(rng, h, w, rng.uniform(1, 5)) * np.float32(site.size * rng.uniform(0.01, 0.3))
    side = max(h, w)
    if chance(rng, 0.5):
        return step(x * np.float32(rng.choice([-1, 1])), side * uniform(rng, 0.1, 0.42), soft)
    return step(-np.abs(x - np.float32(side * rng.uniform(-0.5, 0.5))), -site.size, soft)


def _coarse(channel: FloatArray, a: int, b: int) -> FloatArray:
    """What is left of a field ``(h, w)`` at ``a`` x ``b`` samples, enlarged again."""
    h, w = channel.shape
    small = Image.fromarray(channel).resize((b, a), Image.Resampling.BOX)
    return enlarge(np.array(small, np.float32), h, w, linear=True)


def misprint(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """Print gone wrong: a shifted ghost, a smudge along one direction, or a faded place."""
    h, w = image.shape[1:]
    site = site.at_least(6.0)
    box, alpha = blob(rng, image, site, rough=0.2, aspect=uniform(rng, 0.4, 1), soft=2.0)
    reach = max(2, int(rng.uniform(2, 9) * max(h, w) / 256))
    sy, sx = int(rng.integers(-reach, reach + 1)), int(rng.choice([-1, 1]) * reach)
    rows = np.clip(np.arange(box[0].start, box[0].stop) + sy, 0, h - 1)
    columns = np.clip(np.arange(box[1].start, box[1].stop) + sx, 0, w - 1)
    ghost = image[:, rows[:, None], columns[None, :]]
    part = image[:, box[0], box[1]]
    kind = int(rng.integers(3))
    if kind == 0:
        target = np.minimum(part, ghost)
    elif kind == 1:
        far = image[:, rows[:, None], np.clip(columns + sx, 0, w - 1)[None, :]]
        target = (part + ghost + far) * np.float32(1 / 3)
    else:
        target = ghost
    return blend(image, box, alpha * np.float32(0.5 + 0.5 * site.strength), target, site)
