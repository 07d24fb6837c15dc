"""Noise fields, coordinate grids and cells: the raw material of every texture, at a few microseconds each."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from zsad.types import FloatArray

TAU = float(2 * np.pi)
_ALONE = 250_000
"""Multiplications up to which OpenBLAS keeps a product on the calling thread; its own limit is 262,144."""


def chance(rng: np.random.Generator, p: float) -> bool:
    """True with probability ``p``."""
    return bool(rng.random() < p)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high``."""
    return float(rng.uniform(low, high))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform between those of ``low`` and ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


@cache
def keep_memory() -> None:
    """Let the process keep the memory of freed fields instead of returning it with each and asking for it again.

    Freeing one large block raises, in glibc, the size from which memory is mapped and returned; elsewhere nothing
    happens. No page of the block is touched.
    """
    np.empty(31 << 20, np.uint8)


def enlarge(field: FloatArray, h: int, w: int, *, linear: bool = False) -> FloatArray:
    """Resize a small ``(a, b)`` float32 field smoothly to ``(h, w)``: bicubic, or bilinear."""
    return _product(_spread(len(field), h, linear), _product(field, _spread(field.shape[1], w, linear).T))


def _product(left: FloatArray, right: FloatArray) -> FloatArray:
    """The matrix product on one thread, by blocks that are too small for BLAS to share out."""
    out = np.empty((len(left), right.shape[1]), np.float32)
    rows = max(1, _ALONE // right.size)
    for top in range(0, len(left), rows):
        np.matmul(left[top : top + rows], right, out=out[top : top + rows])
    return out


@lru_cache(maxsize=2048)
def _spread(few: int, many: int, linear: bool) -> FloatArray:
    """The matrix ``(many, few)`` that interpolates between samples at the centres of ``few`` equal cells.

    Source: cubic convolution (Keys, 1981), a = -1/2; what falls beyond the border is left out, the rest scaled up.
    """
    centre = (np.arange(many) + 0.5) * (few / many) - 0.5
    d = np.abs(centre[:, None] - np.arange(few))  # (many, few), in cells
    if linear:
        weight = np.maximum(1 - d, 0)
    else:
        weight = np.where(d < 1, (1.5 * d - 2.5) * d * d + 1, np.where(d < 2, ((2.5 - 0.5 * d) * d - 4) * d + 2, 0))
    matrix: FloatArray = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    return matrix


def slopes(field: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Central differences down and to the right, zero at the border, each like ``field``."""
    down, right = np.zeros_like(field), np.zeros_like(field)
    half = np.float32(0.5)
    np.multiply(field[2:] - field[:-2], half, out=down[1:-1])
    np.multiply(field[:, 2:] - field[:, :-2], half, out=right[:, 1:-1])
    return down, right


def smooth(rng: np.random.Generator, h: int, w: int, cells_y: float, cells_x: float | None = None) -> FloatArray:
    """Band-limited noise ``(h, w)``, about standard normal, with so many cells down and across the field."""
    cells_x = cells_y * w / h if cells_x is None else cells_x
    a, b = int(np.clip(np.ceil(cells_y), 1, h)) + 2, int(np.clip(np.ceil(cells_x), 1, w)) + 2
    small = rng.standard_normal((a, b), dtype=np.float32)
    return enlarge(small, h, w)


def fractal(
    rng: np.random.Generator,
    h: int,
    w: int,
    base: float = 3.0,
    octaves: int = 3,
    gain: float = 0.55,
    aspect: float = 1.0,
) -> FloatArray:
    """Sum of octaves of smooth noise ``(h, w)``, about standard normal; ``aspect`` > 1 stretches it along x."""
    low_h, low_w = max(h // 4, 1), max(w // 4, 1)
    low: FloatArray | None = None  # coarse octaves are summed at a quarter of the size
    high: FloatArray | None = None
    amplitude, total = 1.0, 0.0
    for octave in range(octaves):
        cells = base * 2**octave
        if cells > h and octave:
            break
        coarse = cells <= h / 10
        a, b = (low_h, low_w) if coarse else (h, w)
        layer = smooth(rng, a, b, cells, max(cells / aspect * w / h, 1.0)) * np.float32(amplitude)
        if coarse:
            low = layer if low is None else low + layer
        else:
            high = layer if high is None else high + layer
        total += amplitude**2
        amplitude *= gain
    out = np.zeros((h, w), np.float32) if low is None else enlarge(low, h, w)
    if high is not None:
        out += high
    out *= np.float32(1.4 / np.sqrt(total))
    return out


def grain(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """White noise ``(h, w)`` per pixel, standard normal to the eye (sum of two uniform bytes)."""
    raw = np.frombuffer(rng.bytes(2 * h * w), np.uint8).reshape(2, h, w)
    out: FloatArray = np.add(raw[0], raw[1], dtype=np.float32)
    out -= np.float32(255.0)
    out *= np.float32(1 / 104.5)
    return out


def unit(field: FloatArray) -> FloatArray:
    """Rescale a field to [0, 1]."""
    low, high = float(field.min()), float(field.max())
    return (field - np.float32(low)) * np.float32(1.0 / max(high - low, 1e-6))


def step(field: FloatArray, edge: float, width: float) -> FloatArray:
    """0 below ``edge``, 1 above, with a linear ramp of ``width`` between."""
    out: FloatArray = np.clip((field - np.float32(edge)) * np.float32(1.0 / max(width, 1e-6)) + np.float32(0.5), 0, 1)
    return out


def fraction(field: FloatArray) -> FloatArray:
    """The fractional part, in [0, 1)."""
    return field - np.floor(field)


def grid(h: int, w: int, angle: float = 0.0, shear: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Pixel coordinates ``(x, y)`` as two ``(h, w)`` fields, turned about the centre by ``angle``."""
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(h / 2)
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(w / 2)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * c + y * s, y * (c + np.float32(shear) * s) - x * (s - np.float32(shear) * c)


def radius(h: int, w: int, cx: float, cy: float, aspect: float = 1.0, angle: float = 0.0) -> FloatArray:
    """Distance in pixels to ``(cx, cy)``, ``(h, w)``; ``aspect`` < 1 makes the level lines ellipses."""
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(cy)
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(cx)
    squared: FloatArray = x * x + y * y
    if aspect == 1.0:
        return np.sqrt(squared)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = x * c + y * s, (y * c - x * s) * np.float32(1 / aspect)
    squared = u * u + v * v
    return np.sqrt(squared)


def warped(rng: np.random.Generator, x: FloatArray, y: FloatArray, amount: float, cells: float = 3.0) -> None:
    """Shift coordinates in place by smooth noise of ``amount`` pixels: a hand-made look for regular patterns."""
    h, w = x.shape
    x += smooth(rng, h, w, cells) * np.float32(amount)
    y += smooth(rng, h, w, cells) * np.float32(amount)


def cells(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, pitch: float, jitter: float = 0.9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Irregular cells around a jittered lattice of points.

    Args:
        rng: the source of chance.
        x: coordinates in pixels, ``(h, w)``.
        y: as ``x``.
        pitch: mean distance of the points in pixels.
        jitter: 0 for squares, 1 for fully irregular.

    Returns:
        Distance to the nearest point and to the second nearest, in units of ``pitch``, and a random tone in [0, 1)
        per cell; each ``(h, w)``.
    """
    u, v = x * np.float32(1 / pitch), y * np.float32(1 / pitch)
    u -= np.floor(u.min()) - 1
    v -= np.floor(v.min()) - 1
    rows, columns = int(v.max()) + 3, int(u.max()) + 3
    points = rng.random((3, rows * columns), dtype=np.float32)
    points[:2] = (points[:2] - 0.5) * jitter + 0.5
    cell_x, cell_y = u.astype(np.intp), v.astype(np.intp)
    flat = cell_y * columns + cell_x
    u -= cell_x
    v -= cell_y
    first = np.full(u.shape, 9.0, np.float32)
    second = first.copy()
    tone = np.zeros(u.shape, np.float32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            index = flat + (dy * columns + dx)
            d = np.square(np.take(points[0], index, mode="clip") + np.float32(dx) - u)
            d += np.square(np.take(points[1], index, mode="clip") + np.float32(dy) - v)
            nearer = d < first
            np.minimum(second, np.maximum(first, d), out=second)
            np.minimum(first, d, out=first)
            np.copyto(tone, np.take(points[2], index, mode="clip"), where=nearer)
    return np.sqrt(first), np.sqrt(second), tone
