"""Line-like defects: scratch, crack, cut, crease, fibre, loose or missing thread, scuff."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from zsad.synthetic.noise import TAU, chance, grain, log_uniform, slopes, smooth, uniform
from zsad.synthetic.palette import any_colour
from zsad.synthetic.sites import Site, Window, blob, extent, stroke, wander
from zsad.types import FloatArray

Marked = tuple[FloatArray, FloatArray]  # the changed image (3, h, w) and where it changed (h, w)


def local_colour(image: FloatArray, box: Window) -> FloatArray:
    """Mean colour of a window, ``(3, 1, 1)``."""
    mean: FloatArray = image[:, box[0], box[1]].mean((1, 2), keepdims=True)
    return mean


def blend(
    image: FloatArray, box: Window, alpha: FloatArray, target: FloatArray | np.float32, site: Site, *, stay: bool = True
) -> Marked:
    """Move a window towards ``target`` by ``alpha``; with ``stay`` only where the object is."""
    if stay and site.cover is not None and site.cover[int(site.y), int(site.x)] > 0.5:
        alpha = alpha * site.cover[box]
    out = image.copy()
    part = out[:, box[0], box[1]]
    part += (target - part) * alpha
    cover = np.zeros(image.shape[1:], np.float32)
    cover[box] = alpha > 0.04
    return out, cover


def _darker_or_lighter(rng: np.random.Generator, image: FloatArray, box: Window, p_dark: float = 0.6) -> FloatArray:
    base = local_colour(image, box)
    return (
        base * np.float32(rng.uniform(0.1, 0.6))
        if chance(rng, p_dark)
        else base + (1 - base) * np.float32(rng.uniform(0.4, 0.95))
    )


def scratch(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """One or a few nearly straight thin lines, bright, dark, or bright beside dark."""
    h, w = image.shape[1:]
    length = max(6.0, site.size * uniform(rng, 1.5, 5))
    width = max(0.6, log_uniform(rng, 0.7, 2.6) * max(h, w) / 256)
    paths = []
    for k in range(int(rng.choice([1, 1, 1, 2, 3]))):
        path = wander(rng, site, length * uniform(rng, 0.6, 1), turn=float(rng.choice([0.005, 0.03, 0.08])))
        paths.append((path + np.float32(rng.normal(0, width * 3, 2) * (k > 0)), width))
    box, alpha = stroke(image, paths)
    if chance(rng, 0.5):
        alpha = alpha * np.clip(0.7 + 0.5 * smooth(rng, *extent(box), 8), 0.15, 1)
    target = _darker_or_lighter(rng, image, box, 0.45)
    out, cover = blend(image, box, alpha * np.float32(0.3 + 0.7 * site.strength), target, site)
    if chance(rng, 0.4):
        lip = np.roll(alpha, 1 + int(width), axis=int(rng.integers(2)))
        lighter, more = blend(
            out, box, lip * np.float32(0.5 * site.strength), local_colour(image, box) * np.float32(1.5), site
        )
        return lighter, np.maximum(cover, more)
    return out, cover


def scuff(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """An abraded patch: many short parallel marks."""
    h, w = image.shape[1:]
    size = max(site.size, 5.0)
    width = max(0.6, uniform(rng, 0.5, 1.2) * max(h, w) / 256)
    paths = []
    for _ in range(int(rng.integers(6, 26))):
        mark = Site(
            site.x + float(rng.normal(0, size / 2)),
            site.y + float(rng.normal(0, size / 2)),
            size,
            site.angle + float(rng.normal(0, 0.12)),
            1,
        )
        paths.append((wander(rng, mark, size * uniform(rng, 0.4, 1.4), turn=0.03), width))
    box, alpha = stroke(image, paths)
    return blend(
        image, box, alpha * np.float32(0.3 + 0.6 * site.strength), _darker_or_lighter(rng, image, box, 0.3), site
    )


def crack(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A wandering dark line with branches, thin to wide, ragged at its sides; at times across the whole view."""
    h, w = image.shape[1:]
    length = max(8.0, site.size * uniform(rng, 2, 6))
    if chance(rng, 0.3):
        length = max(h, w) * uniform(rng, 0.6, 1.8)
    width = min(max(0.8, log_uniform(rng, 0.8, 7.0) * max(h, w) / 256), max(1.0, length / 6))
    turn = uniform(rng, 0.12, 0.5)
    main = wander(rng, site, length, turn=turn, pace=max(2.5, width))
    paths = [(main[k : k + 3], width * uniform(rng, 0.5, 1.3)) for k in range(0, len(main) - 1, 2)]
    for _ in range(int(rng.integers(0, 4))):
        start = main[int(rng.integers(len(main)))]
        side = Site(
            float(start[0]),
            float(start[1]),
            site.size,
            site.angle + float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.3)),
            1,
        )
        branch = wander(rng, side, length * uniform(rng, 0.15, 0.5), turn=turn, pace=max(2.5, width))
        paths.append((branch - branch[0] + start, width * 0.6))
    box, alpha = stroke(image, paths)
    if width > 2:
        alpha = np.clip(alpha * (1 + 0.5 * smooth(rng, *extent(box), extent(box)[0] / 3)), 0, 1)
    dark = (
        local_colour(image, box) * np.float32(rng.uniform(0.05, 0.5))
        if chance(rng, 0.88)
        else local_colour(image, box) * np.float32(1.6)
    )
    return blend(image, box, alpha * np.float32(0.35 + 0.65 * site.strength), dark, site)


def crazing(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A net of fine cracks that spread from a point."""
    h, w = image.shape[1:]
    size = max(site.size, 8.0)
    width = max(0.6, uniform(rng, 0.6, 1.4) * max(h, w) / 256)
    paths = []
    for _ in range(int(rng.integers(4, 10))):
        ray = Site(site.x, site.y, size, uniform(rng, 0, TAU), 1)
        path = wander(rng, ray, size * uniform(rng, 0.7, 2), turn=0.25)
        path += np.array([site.x, site.y], np.float32) - path[0]
        paths.append((path, width))
        if chance(rng, 0.6):
            at = path[len(path) // 2]
            cross = wander(rng, Site(float(at[0]), float(at[1]), size, ray.angle + TAU / 4, 1), size * 0.6, turn=0.25)
            paths.append((cross, width * 0.8))
    box, alpha = stroke(image, paths)
    return blend(
        image, box, alpha * np.float32(0.35 + 0.6 * site.strength), _darker_or_lighter(rng, image, box, 0.8), site
    )


def cut(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A slit or tear that gapes: a dark spindle with a bright lip."""
    size = max(site.size, 4.0)
    path = wander(rng, site, size * uniform(rng, 1.5, 3), turn=0.06, pace=2.0)
    gape = max(1.0, size * uniform(rng, 0.05, 0.25))
    profile = np.sin(np.linspace(0.05, np.pi - 0.05, len(path)))
    pieces = [(path[k : k + 2], float(gape * profile[k])) for k in range(len(path) - 1)]
    box, alpha = stroke(image, pieces)
    lip = np.clip(np.roll(alpha, 1 + int(gape / 4), axis=int(rng.integers(2))) - alpha, 0, 1)
    base = local_colour(image, box)
    if site.behind is not None and chance(rng, 0.5):
        base = site.behind[:, box[0], box[1]]
        out, cover = blend(image, box, alpha, base, site)
    else:
        out, cover = blend(
            image, box, alpha * np.float32(0.5 + 0.5 * site.strength), base * np.float32(rng.uniform(0.05, 0.5)), site
        )
    out, more = blend(out, box, lip * np.float32(0.6 * site.strength), np.clip(base * np.float32(1.5), 0, 1), site)
    return out, np.maximum(cover, more)


def fibre(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A hair, thread or wire lying on the surface, curled, with a faint shadow."""
    h, w = image.shape[1:]
    length = max(10.0, site.size * uniform(rng, 2, 6))
    width = max(0.7, log_uniform(rng, 0.7, 2.5) * max(h, w) / 256)
    curl = float(rng.normal(0, 0.08))
    path = wander(rng, site, length, turn=uniform(rng, 0.02, 0.15), pace=3.0)
    bend = np.linspace(-1, 1, len(path)) ** 2 * curl * length
    path = path + np.stack([-np.sin(site.angle) * bend, np.cos(site.angle) * bend], 1).astype(np.float32)
    box, alpha = stroke(image, [(path, width)])
    dark = np.roll(alpha, (1, 1), (0, 1))
    out, first = blend(image, box, dark * np.float32(0.3), local_colour(image, box) * np.float32(0.4), site, stay=False)
    colour = np.asarray(any_colour(rng, 0.5), np.float32)[:, None, None]
    out, second = blend(out, box, alpha * np.float32(0.5 + 0.5 * site.strength), colour, site, stay=False)
    return out, np.maximum(first, second)


def crease(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A fold or wrinkle: a bright ridge beside a dark valley, soft on both sides."""
    h, w = image.shape[1:]
    length = max(12.0, site.size * uniform(rng, 2, 6))
    path = wander(rng, site, length, turn=uniform(rng, 0.01, 0.12))
    half = max(1.2, uniform(rng, 1.2, 5) * max(h, w) / 256)
    box, ridge = stroke(
        image, [(path[k : k + 2], half * (0.4 + 1.2 * t)) for k, t in enumerate(_spindle(len(path) - 1))]
    )
    ridge = ndimage.uniform_filter(ridge, max(3, int(half) | 1), mode="constant")
    down, right = slopes(ridge)
    lit = (right * np.float32(-np.sin(site.angle)) + down * np.float32(np.cos(site.angle))) * np.float32(half)
    part = image[:, box[0], box[1]]
    target = np.clip(part * (1 + lit * np.float32(0.4 + 1.8 * site.strength)), 0, 1)
    return blend(image, box, np.clip(ridge * 6, 0, 1), target, site)


def _spindle(count: int) -> FloatArray:
    """Weights in [0, 1] that fade at both ends."""
    return np.sin(np.linspace(0.15, np.pi - 0.15, max(count, 1))).astype(np.float32)


def thread(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A pulled, missing or doubled thread: a thin straight band in which the pattern is out of step."""
    h, w = image.shape[1:]
    upright = chance(rng, 0.5)
    thick = max(2, int(log_uniform(rng, 2, 9) * max(h, w) / 256))
    length = int(max(site.size * uniform(rng, 2, 8), 3 * thick))
    a, b = (length, thick) if upright else (thick, length)
    top, left = int(np.clip(site.y - a / 2, 0, max(h - a, 0))), int(np.clip(site.x - b / 2, 0, max(w - b, 0)))
    box = (slice(top, min(top + a, h)), slice(left, min(left + b, w)))
    shift = (
        (thick * int(rng.integers(1, 4)), int(rng.integers(3, 20)))
        if not upright
        else (int(rng.integers(3, 20)), thick * int(rng.integers(1, 4)))
    )
    rows = np.clip(np.arange(box[0].start, box[0].stop) + shift[0], 0, h - 1)
    columns = np.clip(np.arange(box[1].start, box[1].stop) + shift[1], 0, w - 1)
    patch = image[:, rows[:, None], columns[None, :]]
    tone = np.float32(rng.choice([1.0, 0.6, 0.8, 1.25]))
    if chance(rng, 0.4):
        patch = patch.mean(1 if not upright else 2, keepdims=True) + np.zeros_like(patch)
    alpha = np.full(extent(box), 0.5 + 0.5 * site.strength, np.float32)
    return blend(image, box, alpha, np.clip(patch * tone, 0, 1), site)


def gouge(rng: np.random.Generator, image: FloatArray, site: Site) -> Marked:
    """A short deep furrow: dark in the middle, bright ragged sides."""
    size = max(site.size, 4.0)
    deep = Site(site.x, site.y, size, site.angle, site.strength, site.cover, site.behind)
    box, alpha = blob(rng, image, deep, rough=0.3, aspect=uniform(rng, 0.15, 0.35), soft=2.0)
    base = local_colour(image, box)
    side = slopes(alpha)[int(rng.integers(2))]
    out, a = blend(
        image, box, alpha * np.float32(0.5 + 0.5 * site.strength), base * np.float32(rng.uniform(0.2, 0.6)), site
    )
    bright = np.clip(np.abs(side) * 2 * (1 + 0.4 * grain(rng, *extent(box))), 0, 1)
    out, b = blend(out, box, bright * np.float32(site.strength), np.clip(base * np.float32(1.7), 0, 1), site)
    return out, np.maximum(a, b)
