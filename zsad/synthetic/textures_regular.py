"""Textures with a lattice: woven, knitted, meshed, tiled, printed, perforated, ribbed."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic import marks
from zsad.synthetic.noise import (
    TAU,
    cells,
    chance,
    fractal,
    fraction,
    grain,
    grid,
    log_uniform,
    smooth,
    step,
    uniform,
    unit,
    warped,
)
from zsad.synthetic.palette import any_colour, near, shade, tint, tones
from zsad.types import FloatArray


def _lattice(rng: np.random.Generator, h: int, w: int, tilt: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Coordinates of a pattern: mostly upright, sometimes turned, sometimes made by hand."""
    unit_px = max(h, w) / 256
    angle = float(rng.choice([0.0, rng.normal(0, 0.05), rng.uniform(0, TAU)], p=[0.35, 0.3, 0.35])) * tilt
    x, y = grid(h, w, angle)
    x, y = x + np.zeros_like(y), y + np.zeros_like(x)
    x += np.float32(rng.uniform(0, 64))
    y += np.float32(rng.uniform(0, 64))
    if chance(rng, 0.4):
        warped(rng, x, y, uniform(rng, 0.3, 2.5) * unit_px)
    return x, y


def woven(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Plain weave, twill or satin: threads that pass over and under each other."""
    x, y = _lattice(rng, h, w)
    pitch = log_uniform(rng, 3.0, 22.0) * max(h, w) / 256
    u, v = x * np.float32(1 / pitch), y * np.float32(1 / (pitch * rng.uniform(0.7, 1.3)))
    column, row = np.floor(u), np.floor(v)
    period = int(rng.choice([2, 2, 3, 4]))
    stride = 1 if period < 4 or chance(rng, 0.5) else 2
    over = np.mod(column + stride * row, period) < max(period // 2, 1)
    across, along = u - column - np.float32(0.5), v - row - np.float32(0.5)
    roundness = np.float32(rng.uniform(1.5, 3.5))
    warp_height = (1 - roundness * across * across) * (0.72 + 0.28 * np.cos(np.float32(TAU / 2) * along))
    weft_height = (1 - roundness * along * along) * (0.72 + 0.28 * np.cos(np.float32(TAU / 2) * across))
    height = np.where(over, warp_height, weft_height)
    height += fractal(rng, h, w, 40, 2) * np.float32(rng.uniform(0.02, 0.12))
    base = any_colour(rng)
    contrast = rng.uniform(0.1, 0.7)
    if chance(rng, 0.35):
        other = any_colour(rng)
        first, second = tint(height, tones(rng, base, contrast)), tint(height, tones(rng, other, contrast))
        return np.where(over, first, second)
    return tint(height, tones(rng, base, contrast))


def knit(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Stocking stitch: columns of slanted loops."""
    x, y = _lattice(rng, h, w, 0.5)
    pitch = log_uniform(rng, 7.0, 26.0) * max(h, w) / 256
    u = x * np.float32(1 / pitch)
    column = np.floor(u)
    across = u - column - np.float32(0.5)
    v = y * np.float32(1 / (pitch * 0.75)) + np.abs(across) * np.float32(rng.uniform(1.2, 2.0))
    loop = np.float32(0.5) + np.float32(0.5) * np.cos(np.float32(TAU) * v)
    height = loop * (1 - np.square(np.abs(across) * 4 - 1) * np.float32(0.8)) + grain(rng, h, w) * np.float32(0.05)
    return tint(height, tones(rng, any_colour(rng), rng.uniform(0.3, 0.7)))


def mesh(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A wire grid or net in front of a plain ground."""
    x, y = _lattice(rng, h, w)
    pitch = log_uniform(rng, 9.0, 48.0) * max(h, w) / 256
    if chance(rng, 0.4):
        x, y = x + y, x - y
    thick = rng.uniform(0.1, 0.35)
    wires = []
    for coordinate in (x, y):
        t = np.abs(fraction(coordinate * np.float32(1 / pitch)) - np.float32(0.5))
        wires.append(np.clip(1 - t * np.float32(2 / thick), 0, 1))
    relief = np.sqrt(np.maximum(wires[0], wires[1]))
    cover = step(relief, 0.2, 0.4)
    ground = tint(unit(smooth(rng, h, w, 2)), tones(rng, any_colour(rng, 0.3), rng.uniform(0, 0.15)))
    wire = tint(
        relief + smooth(rng, h, w, 12) * np.float32(0.05), tones(rng, any_colour(rng, 0.2), rng.uniform(0.2, 0.7))
    )
    return ground + (wire - ground) * cover


def tiled(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Tiles, bricks or planks with joints; each piece has its own tone."""
    x, y = _lattice(rng, h, w, 0.6)
    px = log_uniform(rng, 26.0, 130.0) * max(h, w) / 256
    py = px * float(rng.choice([1.0, 0.5, 0.33]))
    v = y * np.float32(1 / py)
    row = np.floor(v)
    u = x * np.float32(1 / px) + (row * np.float32(rng.choice([0.0, 0.5, 0.33])))
    column = np.floor(u)
    joint = rng.uniform(0.8, 4.0) * max(h, w) / 256
    edge_x = (np.float32(0.5) - np.abs(u - column - np.float32(0.5))) * np.float32(px)
    edge_y = (np.float32(0.5) - np.abs(v - row - np.float32(0.5))) * np.float32(py)
    inside = step(np.minimum(edge_x, edge_y), joint, 1.5 + rng.uniform(0, 2))
    table = rng.random((64, 64), dtype=np.float32)
    piece = table[np.mod(row, 64).astype(np.int32), np.mod(column, 64).astype(np.int32)]
    variety = rng.uniform(0.0, 0.35)
    surface = piece * np.float32(variety) + fractal(rng, h, w, rng.uniform(3, 30), 3) * np.float32(
        rng.uniform(0.02, 0.12)
    )
    base = any_colour(rng, 0.4)
    face = tint(surface + np.float32(0.4), tones(rng, base, rng.uniform(0.15, 0.5), 4))
    grout = np.asarray(near(rng, shade(base, float(rng.choice([0.45, 0.7, 1.4]))), 0.1), np.float32)[:, None, None]
    return grout + (face - grout) * inside


def printed(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A motif printed again and again: dots, checks, stripes, plaid, or a small figure."""
    x, y = _lattice(rng, h, w)
    pitch = log_uniform(rng, 10.0, 70.0) * max(h, w) / 256
    u, v = fraction(x * np.float32(1 / pitch)), fraction(y * np.float32(1 / pitch))
    kind = int(rng.integers(5))
    soft = 1.5 / pitch
    if kind == 0:
        ink = step(-np.sqrt(np.square(u - 0.5) + np.square(v - 0.5)), -rng.uniform(0.15, 0.42), soft)
    elif kind == 1:
        ink = np.abs(step(np.abs(u - 0.5), 0.25, soft) - step(np.abs(v - 0.5), 0.25, soft))
    elif kind == 2:
        ink = step(np.abs(u - 0.5), rng.uniform(0.1, 0.4), soft)
    elif kind == 3:
        widths = rng.uniform(0.05, 0.35, 2)
        ink = (step(np.abs(u - 0.5), widths[0], soft) + step(np.abs(v - 0.5), widths[1], soft)) * np.float32(0.5)
    else:
        side = 48
        motif = np.asarray(marks.glyph(rng, side), np.float32) * np.float32(1 / 255)
        ink = motif[(v * side).astype(np.int32), (u * side).astype(np.int32)]
    paper = any_colour(rng, 0.3)
    out = tint(
        ink, [paper, any_colour(rng)] if chance(rng, 0.7) else [paper, shade(paper, float(rng.choice([0.6, 0.8, 1.2])))]
    )
    out *= 1 + fractal(rng, h, w, rng.uniform(4, 60), 2) * np.float32(rng.uniform(0.0, 0.05))
    return out


def perforated(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A sheet with a regular field of holes, studs or slots."""
    x, y = _lattice(rng, h, w)
    pitch = log_uniform(rng, 9.0, 60.0) * max(h, w) / 256
    v = y * np.float32(1 / pitch)
    row = np.floor(v)
    u = x * np.float32(1 / pitch) + row * np.float32(rng.choice([0.0, 0.5]))
    du, dv = fraction(u) - np.float32(0.5), fraction(v) - np.float32(0.5)
    long = np.float32(rng.choice([1.0, 1.0, 0.5]))
    d = np.sqrt(np.square(du * long) + np.square(dv))
    size = rng.uniform(0.15, 0.4)
    hole = step(-d, -size, 1.5 / pitch)
    rim = np.exp(-np.square((d - np.float32(size)) * np.float32(8))) * (du + dv) * np.float32(rng.uniform(0, 1.2))
    base = any_colour(rng, 0.35)
    sheet = tint(
        fractal(rng, h, w, 3, 4) * np.float32(rng.uniform(0.02, 0.12)) + np.float32(0.5) + rim, tones(rng, base, 0.4)
    )
    bottom = np.asarray(shade(base, float(rng.choice([0.1, 0.3, 0.6, 1.5]))), np.float32)[:, None, None]
    return sheet + (bottom - sheet) * hole


def ribbed(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Ribs, corrugation, fins, cords or a fine pitch of grooves."""
    x, _ = _lattice(rng, h, w)
    pitch = log_uniform(rng, 4.0, 45.0) * max(h, w) / 256
    wave = np.float32(0.5) + np.float32(0.5) * np.sin(x * np.float32(TAU / pitch))
    kind = int(rng.integers(3))
    if kind == 1:
        wave = step(wave, 0.5, rng.uniform(0.2, 1.0))
    elif kind == 2:
        wave = fraction(x * np.float32(1 / pitch))
    wave += fractal(rng, h, w, 6, 3) * np.float32(rng.uniform(0.01, 0.08))
    return tint(wave, tones(rng, any_colour(rng, 0.4), rng.uniform(0.1, 0.6)))


def treadplate(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Raised lozenges in two alternating directions."""
    x, y = _lattice(rng, h, w, 0.5)
    pitch = log_uniform(rng, 16.0, 60.0) * max(h, w) / 256
    u, v = x * np.float32(1 / pitch), y * np.float32(1 / pitch)
    odd = np.mod(np.floor(u) + np.floor(v), 2)
    du, dv = fraction(u) - np.float32(0.5), fraction(v) - np.float32(0.5)
    a, b = np.where(odd > 0, du + dv, du - dv), np.where(odd > 0, du - dv, du + dv)
    lump = np.clip(1 - np.square(a * np.float32(1.5)) - np.square(b * np.float32(rng.uniform(4, 7))), 0, 1)
    light = np.gradient(np.sqrt(lump), axis=0) * np.float32(rng.uniform(0.8, 2.0) * pitch / 12)
    tone = np.float32(0.5) - light + lump * np.float32(0.15) + fractal(rng, h, w, 10, 3) * np.float32(0.05)
    return tint(tone, tones(rng, any_colour(rng, 0.15), rng.uniform(0.3, 0.7)))


def honeycomb(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Hexagonal cells with thin walls."""
    x, y = _lattice(rng, h, w)
    pitch = np.float32(log_uniform(rng, 10.0, 48.0) * max(h, w) / 256)
    best = np.full(x.shape, 9.0, np.float32)
    second = best.copy()
    for offset in (0.0, 0.5):
        u, v = x / pitch + np.float32(offset), y / (pitch * np.float32(1.732)) + np.float32(offset)
        for shift in (-1.0, 0.0, 1.0):
            du = u - np.floor(u + np.float32(0.5)) + np.float32(shift)
            dv = (v - np.floor(v + np.float32(0.5))) * np.float32(1.732)
            d = np.square(du) + np.square(dv)
            np.minimum(second, np.maximum(best, d), out=second)
            np.minimum(best, d, out=best)
    wall = step(-(np.sqrt(second) - np.sqrt(best)), -rng.uniform(0.08, 0.25), 2.0 / float(pitch))
    base = any_colour(rng, 0.4)
    inner = tint(
        np.sqrt(best) * np.float32(1.4) + grain(rng, h, w) * np.float32(0.03), tones(rng, base, rng.uniform(0.1, 0.5))
    )
    edge = np.asarray(shade(base, float(rng.choice([0.4, 1.5, 1.8]))), np.float32)[:, None, None]
    return inner + (edge - inner) * wall


def legend(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """A sheet printed with lines of text, tables, bars or a form."""
    paper = any_colour(rng, 0.15) if chance(rng, 0.5) else (0.93, 0.92, 0.9)
    ink = any_colour(rng, 0.3) if chance(rng, 0.3) else shade(paper, 0.15)
    page = Image.new("L", (w, h), 0)
    pen = ImageDraw.Draw(page)
    line = int(log_uniform(rng, 9, 34) * max(h, w) / 256) + 3
    y = int(rng.integers(0, line))
    while y < h:
        x = int(rng.integers(2, max(w // 6, 4)))
        if chance(rng, 0.12):
            pen.line((x, y + line // 2, w - x, y + line // 2), fill=255, width=max(1, line // 12))
        elif chance(rng, 0.08):
            marks.barcode(rng, pen, (x, y, min(x + w // 2, w), y + line))
        else:
            marks.write(rng, pen, x, y, int(line * 0.62), max_x=int(w * rng.uniform(0.5, 1.0)))
        y += line
    alpha = np.asarray(page, np.float32) * np.float32(1 / 255)
    out = tint(alpha, [paper, ink])
    out *= 1 + grain(rng, h, w) * np.float32(0.012)
    return out


def scales(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Overlapping scales or shingles."""
    x, y = _lattice(rng, h, w, 0.5)
    pitch = np.float32(log_uniform(rng, 12.0, 44.0) * max(h, w) / 256)
    v = y / (pitch * np.float32(0.6))
    row = np.floor(v)
    u = x / pitch + np.mod(row, 2) * np.float32(0.5)
    across = fraction(u) - np.float32(0.5)
    depth = fraction(v) + np.square(across) * np.float32(rng.uniform(1.0, 2.4))
    tone = depth - np.floor(depth)
    tone += cells(rng, x, y, float(pitch) * 3)[2] * np.float32(0.05) if chance(rng, 0.3) else np.float32(0)
    return tint(tone + grain(rng, h, w) * np.float32(0.02), tones(rng, any_colour(rng, 0.5), rng.uniform(0.2, 0.6)))
