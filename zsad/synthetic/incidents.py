"""Hard normals: things that happen once in a good image and are no defect. Each changes a planar image in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from zsad.synthetic import marks
from zsad.synthetic.drawing import draw_light, place, render, shadow
from zsad.synthetic.families import DRAWN
from zsad.synthetic.noise import TAU, chance, enlarge, grid, log_uniform, radius, smooth, step, uniform
from zsad.synthetic.palette import MATERIALS, any_colour
from zsad.types import FloatArray


def _line(rng: np.random.Generator, h: int, w: int) -> FloatArray:
    """Signed distance in pixels from a straight line through the view, mostly upright or level."""
    angle = float(rng.choice([0.0, TAU / 4])) + float(rng.normal(0, 0.02)) if chance(rng, 0.7) else uniform(rng, 0, TAU)
    x, _ = grid(h, w, angle)
    return x - np.float32(rng.uniform(-0.35, 0.35) * max(h, w))


def glare(rng: np.random.Generator, image: FloatArray) -> None:
    """A reflection: a soft bright streak, spot or window."""
    h, w = image.shape[1:]
    kind = int(rng.integers(3))
    if kind == 0:
        d = np.abs(_line(rng, h, w))
        light = np.exp(-np.square(d * np.float32(1 / (log_uniform(rng, 0.01, 0.15) * max(h, w)))))
    elif kind == 1:
        r = log_uniform(rng, 0.06, 0.35) * max(h, w)
        light = np.exp(
            -np.square(
                radius(h, w, uniform(rng, 0, w), uniform(rng, 0, h), uniform(rng, 0.3, 1), uniform(rng, 0, TAU))
                * np.float32(1 / r)
            )
        )
    else:
        a, b = _line(rng, h, w), _line(rng, h, w)
        soft = uniform(rng, 2, 12)
        light = step(-np.abs(a), -rng.uniform(0.03, 0.2) * w, soft) * step(-np.abs(b), -rng.uniform(0.1, 0.4) * w, soft)
    image += light * np.float32(log_uniform(rng, 0.05, 0.6))


def cast_shadow(rng: np.random.Generator, image: FloatArray) -> None:
    """The shadow of something outside the view, with a soft or sharp edge."""
    h, w = image.shape[1:]
    dark = step(
        _line(rng, h, w) + smooth(rng, h, w, 2) * np.float32(rng.choice([0, 0, 4])), 0.0, log_uniform(rng, 2, 60)
    )
    image *= 1 - dark * np.float32(rng.uniform(0.1, 0.5))


def seam(rng: np.random.Generator, image: FloatArray) -> None:
    """A joint, weld line, parting line, edge or groove: straight, even, from border to border."""
    h, w = image.shape[1:]
    d = _line(rng, h, w)
    width = log_uniform(rng, 0.8, 6) * max(h, w) / 256
    for _ in range(1 if chance(rng, 0.7) else 2):
        alpha = step(-np.abs(d), -width / 2, 1.2) * np.float32(rng.uniform(0.25, 0.9))
        image += (np.float32(rng.choice([0.04, 0.15, 0.3, 0.85])) - image) * alpha
        d = d - np.float32(rng.uniform(2, 14) * width)
    if chance(rng, 0.3):
        image *= 1 + step(d, 0.0, 1.5) * np.float32(rng.normal(0, 0.12))


def lettering(rng: np.random.Generator, image: FloatArray) -> None:
    """Printed or engraved text, a serial number, a bar code, or a time stamp."""
    h, w = image.shape[1:]
    page = Image.new("L", (w, h))
    pen = ImageDraw.Draw(page)
    high = int(log_uniform(rng, 7, 40) * max(h, w) / 256) + 3
    x, y = float(rng.uniform(0, 0.6) * w), float(rng.uniform(0, 0.9) * h)
    if chance(rng, 0.2):
        marks.barcode(rng, pen, (x, y, x + high * 3, y + high))
    else:
        for row in range(int(rng.choice([1, 1, 2, 3]))):
            marks.write(rng, pen, x, y + row * high * 1.5, high, max_x=min(w, x + high * uniform(rng, 2, 9)))
    if chance(rng, 0.4):
        page = page.rotate(float(rng.choice([90, 180, rng.uniform(-30, 30)])), Image.Resampling.BILINEAR)
    alpha = np.asarray(page, np.float32) * np.float32(rng.uniform(0.25, 0.95) / 255)
    colour = np.asarray(any_colour(rng, 0.3), np.float32)[:, None, None]
    image += (colour - image) * alpha


def fixture(rng: np.random.Generator, image: FloatArray) -> None:
    """One regular thing that belongs there: a screw head, washer, sticker, dial, connector."""
    h, w = image.shape[1:]
    size = int(np.clip(log_uniform(rng, 44, 120) * max(h, w) / 256, 16, min(h, w)))
    top, left = int(rng.integers(0, h - size + 1)), int(rng.integers(0, w - size + 1))
    name = str(rng.choice(["nut", "nut", "card", "dial", "connector", "ring", "capsule", "bracket", "chip"]))
    names = sorted(MATERIALS)
    material = MATERIALS[names[int(rng.integers(len(names)))]]
    light = draw_light(rng, size, material.gloss)
    layer, alpha = render(place(rng, DRAWN[name](rng, material), size), size, size, light)
    part = image[:, top : top + size, left : left + size]
    part *= 1 - shadow(alpha, light) * np.float32(0.7)
    part *= 1 - alpha
    part += layer


def drilled(rng: np.random.Generator, image: FloatArray) -> None:
    """Clean round or slotted holes that belong there: one, a pair or a row, with a chamfer."""
    h, w = image.shape[1:]
    count, r = int(rng.choice([1, 2, 2, 3, 5])), log_uniform(rng, 5, 24) * max(h, w) / 256
    x, y = rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h
    angle, pitch = float(rng.choice([0, TAU / 4])), r * uniform(rng, 2.5, 6)
    dark = np.float32(rng.uniform(0.02, 0.25))
    rim = uniform(rng, 0.0, 0.35) * r
    bright = np.float32(rng.choice([0.6, 1.3]))
    for k in range(count):
        cx, cy = x + k * pitch * np.cos(angle), y + k * pitch * np.sin(angle)
        top, left = int(max(cy - r - rim - 3, 0)), int(max(cx - r - rim - 3, 0))
        part = image[:, top : int(cy + r + rim + 3), left : int(cx + r + rim + 3)]
        if part.size == 0 or cy < 0 or cx < 0:
            continue
        d = radius(part.shape[1], part.shape[2], cx - left, cy - top)
        part += (np.clip(part * bright, 0, 1) - part) * step(-d, -(r + rim), 1.5)
        part += (dark - part) * step(-d, -r, 1.5)


def tape(rng: np.random.Generator, image: FloatArray) -> None:
    """A strip across the view: tape, a painted stripe, a belt, the end of a table."""
    h, w = image.shape[1:]
    band = step(-np.abs(_line(rng, h, w)), -log_uniform(rng, 0.02, 0.2) * max(h, w), 1.5)
    colour = np.asarray(any_colour(rng, 0.5), np.float32)[:, None, None]
    image += (colour - image) * (band * np.float32(rng.uniform(0.15, 0.9)))


def stitching(rng: np.random.Generator, image: FloatArray) -> None:
    """A sewn seam: one or two even rows of stitches along a line, with a shallow valley."""
    h, w = image.shape[1:]
    angle = float(rng.choice([0.0, TAU / 4])) + float(rng.normal(0, 0.03))
    x, y = grid(h, w, angle)
    x = x - np.float32(rng.uniform(-0.35, 0.35) * max(h, w))
    pitch = log_uniform(rng, 5, 20) * max(h, w) / 256
    gap = pitch * uniform(rng, 0.4, 1.2)
    image *= 1 - np.exp(-np.square(x * np.float32(1 / gap))) * np.float32(rng.uniform(0.05, 0.3))
    across = np.abs(x) - np.float32(gap) if chance(rng, 0.6) else x
    dash = step(np.abs(y - np.round(y * np.float32(1 / pitch)) * np.float32(pitch)), pitch * 0.32, 1.2)
    thread = step(-np.abs(across), -max(0.7, pitch * 0.12), 1.2) * (1 - dash)
    colour = np.asarray(any_colour(rng, 0.5), np.float32)[:, None, None]
    image += (colour - image) * thread


def emblem(rng: np.random.Generator, image: FloatArray) -> None:
    """A printed symbol, once: an arrow, a star, a ring, a logo."""
    h, w = image.shape[1:]
    size = int(np.clip(log_uniform(rng, 30, 120) * max(h, w) / 256, 12, min(h, w)))
    top, left = int(rng.integers(0, h - size + 1)), int(rng.integers(0, w - size + 1))
    picture = marks.glyph(rng, size * 2).reduce(2)
    if chance(rng, 0.5):
        picture = picture.rotate(float(rng.choice([90, 180, 45])), Image.Resampling.BILINEAR)
    alpha = np.asarray(picture, np.float32) * np.float32(rng.uniform(0.25, 0.95) / 255)
    colour = np.asarray(any_colour(rng, 0.5), np.float32)[:, None, None]
    part = image[:, top : top + alpha.shape[0], left : left + alpha.shape[1]]
    part += (colour - part) * alpha


def mottling(rng: np.random.Generator, image: FloatArray) -> None:
    """Soft uneven tone over the whole view, as light and stock vary."""
    h, w = image.shape[1:]
    image *= 1 + enlarge(rng.normal(0, rng.uniform(0.02, 0.1), (4, 4)).astype(np.float32), h, w)


def dust(rng: np.random.Generator, image: FloatArray) -> None:
    """Specks of dust or crumbs all over the view: many, small, alike; one alone would be a defect."""
    h, w = image.shape[1:]
    page = Image.new("L", (w * 2, h * 2))
    pen = ImageDraw.Draw(page)
    largest = log_uniform(rng, 0.7, 3.0) * max(h, w) / 128
    for _ in range(int(log_uniform(rng, 8, 120))):
        x, y, r = rng.uniform(0, 2 * w), rng.uniform(0, 2 * h), largest * uniform(rng, 0.3, 1) ** 2
        flat = uniform(rng, 0.5, 1)
        pen.ellipse((x - r, y - r * flat, x + r, y + r * flat), fill=int(rng.integers(60, 256)))
    alpha = np.asarray(page.reduce(2), np.float32) * np.float32(log_uniform(rng, 0.1, 0.8) / 255)
    if chance(rng, 0.7):
        image *= 1 - alpha * np.float32(rng.uniform(0.3, 0.9))
    else:
        image += (np.float32(rng.uniform(0.7, 1.0)) - image) * alpha


def annotation(rng: np.random.Generator, image: FloatArray) -> None:
    """What a device writes into its pictures: rows of small bright text in corners, at times an arrow or a cursor."""
    h, w = image.shape[1:]
    page = Image.new("L", (w, h))
    pen = ImageDraw.Draw(page)
    high = max(4, int(rng.uniform(4, 9) * max(h, w) / 256))
    for _ in range(int(rng.choice([1, 1, 2]))):
        x = float(rng.choice([0.01, 0.03, 0.75]) * w)
        y = float(rng.choice([0.02, 0.2, 0.35, 0.8]) * h)
        for row in range(int(rng.integers(1, 6))):
            marks.write(rng, pen, x, y + row * high * 1.4, high, max_x=x + high * uniform(rng, 2, 7))
    if chance(rng, 0.2):
        x, y, long, angle = rng.uniform(0.2, 0.8) * w, rng.uniform(0.2, 0.8) * h, rng.uniform(0.05, 0.15) * w, TAU / 8
        turn = uniform(rng, 0, TAU)
        pen.line((x, y, x + long * np.cos(turn), y + long * np.sin(turn)), fill=255, width=max(1, high // 4))
        for side in (turn - angle, turn + angle):
            pen.line((x, y, x + high * np.cos(side), y + high * np.sin(side)), fill=255, width=max(1, high // 4))
    alpha = np.asarray(page, np.float32) * np.float32(rng.uniform(0.4, 0.95) / 255)
    image += (np.float32(rng.uniform(0.6, 1.0)) - image) * alpha


INCIDENTS: dict[str, Callable[[np.random.Generator, FloatArray], None]] = {
    "glare": glare,
    "cast_shadow": cast_shadow,
    "mottling": mottling,
    "seam": seam,
    "lettering": lettering,
    "fixture": fixture,
    "drilled": drilled,
    "tape": tape,
    "stitching": stitching,
    "emblem": emblem,
    "annotation": annotation,
    "dust": dust,
}

IN_FRONT = ("glare", "cast_shadow", "mottling", "dust")
"""Incidents that may lie over an object; the others come behind it, or on a surface."""

ON_SCANS = ("glare", "mottling", "lettering", "annotation", "annotation", "annotation")
"""Incidents that a medical look may have."""
