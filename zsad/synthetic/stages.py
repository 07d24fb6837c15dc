"""Faultless scenes before the camera: a surface, a medical look, or an object in front of a background."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zsad.synthetic import captions, vocabulary
from zsad.synthetic.drawing import Light, draw_light, frame, place, render, shadow
from zsad.synthetic.families import DRAWN, HELD_OUT, TEXTURES, WEIGHTS
from zsad.synthetic.incidents import IN_FRONT, INCIDENTS, ON_SCANS
from zsad.synthetic.noise import TAU, chance, grid, smooth, step, uniform
from zsad.synthetic.palette import MATERIALS, any_colour, tint, tones
from zsad.synthetic.scans import SCANS
from zsad.synthetic.shapes import Drawing
from zsad.synthetic.sites import Window
from zsad.types import FloatArray


@dataclass
class Stage:
    """A scene before the camera: all that is needed to make its faulty twin.

    Attributes:
        image: the faultless image, planar ``(3, S, S)``.
        cover: coverage of the object ``(S, S)``, None when a surface fills the image.
        behind: the background alone, None where there is none.
        texture: texture family of the surface, the skin or the background; "" for none.
        family: object family or "surface".
        material: the word for the material.
        drawing: the placed drawing of an object.
        light: its light.
        skin: factors of the object's texture ``(3, a, b)`` within ``skin_box``.
        skin_box: the window of the skin.
        incidents: names of the harmless incidents.
        in_front: those of them that come on top of the object.
        seed: source of chance of ``in_front``, so that both twins get the same ones.
    """

    image: FloatArray
    cover: FloatArray | None
    behind: FloatArray | None
    texture: str
    family: str
    material: str
    drawing: Drawing | None = None
    light: Light | None = None
    skin: FloatArray | None = None
    skin_box: Window = (slice(None), slice(None))
    incidents: tuple[str, ...] = ()
    in_front: tuple[str, ...] = ()
    seed: int = 0


def compose(stage: Stage, drawing: Drawing) -> tuple[FloatArray, FloatArray]:
    """Render a drawing over the background of its stage: the image ``(3, S, S)`` and the object's coverage."""
    assert stage.light is not None
    assert stage.behind is not None
    h, w = stage.behind.shape[1:]
    image, cover = render(drawing, h, w, stage.light)
    if stage.skin is not None:
        image[:, stage.skin_box[0], stage.skin_box[1]] *= stage.skin
    keep = 1 - cover
    if stage.light.shadow:
        keep *= 1 - shadow(cover, stage.light)
    image += stage.behind * keep
    return with_front(stage, image), cover


def with_front(stage: Stage, image: FloatArray) -> FloatArray:
    """Put the harmless incidents that come on top of everything into the image, in place."""
    rng = np.random.default_rng(stage.seed)
    for name in stage.in_front:
        INCIDENTS[name](rng, image)
    return image


def draw_stage(rng: np.random.Generator, size: int, forced: str = "") -> Stage:
    """A faultless scene before the camera; ``forced`` "texture" or "object" asks for a held-out family of that kind."""
    if forced == "texture" or (forced != "object" and chance(rng, 0.42)):
        return _surface(rng, size, forced)
    family = draw_name(rng, [*DRAWN, *SCANS], "object", held=forced == "object")
    return _scan(rng, size, family) if family in SCANS else _object(rng, size, family)


def draw_name(rng: np.random.Generator, names: Iterable[str], kind: str, *, held: bool) -> str:
    """A family name by its weight: a held-out one, or never one."""
    names = [name for name in names if (name in HELD_OUT[kind]) == held]
    steps = np.cumsum([WEIGHTS.get(name, 1.0) for name in names])
    return names[int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))]


def _draw_incidents(rng: np.random.Generator, choice: Iterable[str], counts: tuple[int, ...]) -> tuple[str, ...]:
    names = list(choice)
    return tuple(captions.pick(rng, names) for _ in range(counts[int(rng.integers(len(counts)))]))


def _dust(rng: np.random.Generator) -> tuple[str, ...]:
    """Dust in a fifth of the views, beside the other incidents."""
    return ("dust",) if chance(rng, 0.2) else ()


def _surface(rng: np.random.Generator, size: int, forced: str) -> Stage:
    texture = draw_name(rng, TEXTURES, "texture", held=forced == "texture")
    image = TEXTURES[texture](rng, size, size)
    word = captions.material_word(rng, captions.pick(rng, vocabulary.TEXTURE_MATERIALS[texture]))
    incidents = _draw_incidents(rng, INCIDENTS, (0, 0, 1, 1, 2, 3)) + _dust(rng)
    for name in incidents:
        INCIDENTS[name](rng, image)
    stage = Stage(image, None, None, texture, "surface", word, incidents=incidents)
    if chance(rng, 0.25):
        stage.cover, beyond = _piece(rng, size)
        if chance(rng, 0.5):  # rounded, cut and bevelled edges are brighter or darker
            rim = step(beyond, -float(rng.choice([2.0, 4.0, 9.0])), 4.0)
            image *= 1 + rim * np.float32(rng.choice([-0.6, -0.3, 0.4, 1.0]))
        stage.behind = np.empty_like(image)
        stage.behind[:] = np.float32(rng.choice([0.02, 0.08, 0.3, 0.6, 0.9, 0.98]))
        stage.image = stage.behind + (image - stage.behind) * stage.cover
    return stage


def _piece(rng: np.random.Generator, size: int) -> tuple[FloatArray, FloatArray]:
    """A surface that ends inside the view at one to four straight, slightly uneven borders.

    Returns:
        Its coverage, and how far in pixels each place lies past the nearest border, negative inside.
    """
    turn = float(rng.normal(0, 0.03)) if chance(rng, 0.8) else uniform(rng, 0, TAU)
    x, y = grid(size, size, turn)
    wave = smooth(rng, size, size, 12) * np.float32(rng.uniform(0, 0.8))
    sides = rng.permutation(4)[: int(rng.choice([1, 1, 2, 2, 4]))]
    soft = float(rng.choice([1.5, 1.5, 4.0]))
    narrow = chance(rng, 0.5)  # slivers of the background, as where a piece nearly fills the view
    beyond = np.full((size, size), -np.inf, np.float32)  # pixels past the nearest border
    for side in sides:
        across = (x, y)[int(side) % 2] * np.float32(1 if side < 2 else -1)
        across += wave + np.float32(-size * float(rng.uniform(0.44, 0.5) if narrow else rng.uniform(0.25, 0.49)))
        np.maximum(beyond, across, out=beyond)
    return step(-beyond, 0.0, soft), beyond


def _scan(rng: np.random.Generator, size: int, family: str) -> Stage:
    image, region = SCANS[family](rng, size)
    word = captions.material_word(rng, captions.pick(rng, vocabulary.OBJECT_MATERIALS[family]))
    incidents = _draw_incidents(rng, ON_SCANS, (0, 0, 1))
    for name in incidents:
        INCIDENTS[name](rng, image)
    return Stage(image, region, None, "", family, word, incidents=incidents)


def _object(rng: np.random.Generator, size: int, family: str) -> Stage:
    material = captions.pick(rng, vocabulary.OBJECT_MATERIALS[family])
    stuff = MATERIALS[material]
    drawing = place(rng, DRAWN[family](rng, stuff), size)
    box = frame(drawing, size, size)
    texture = "program" if chance(rng, 0.08) else captions.pick(rng, stuff.skin)
    skin: FloatArray | None = None
    if texture:
        skin = TEXTURES[texture](rng, box[0].stop - box[0].start, box[1].stop - box[1].start)
        skin *= np.float32(rng.uniform(0.4, 1.0)) / np.maximum(skin.mean((1, 2), keepdims=True), np.float32(0.05))
        skin += 1 - skin.mean()
    covered = drawing.covers
    behind, ground = _background(rng, size, plain=covered or (family == "screw" and chance(rng, 0.6)))
    rear: tuple[str, ...] = ()
    if not covered:
        rear = _draw_incidents(rng, [name for name in INCIDENTS if name not in IN_FRONT], (0, 0, 0, 1, 2)) + _dust(rng)
        for name in rear:
            INCIDENTS[name](rng, behind)
    front = _draw_incidents(rng, IN_FRONT, (0, 0, 1, 1, 2))
    stage = Stage(
        image=behind,
        cover=None,
        behind=behind,
        texture=texture or ground,
        family=family,
        material=captions.material_word(rng, material),
        drawing=drawing,
        light=draw_light(rng, size, stuff.gloss),
        skin=skin,
        skin_box=box,
        incidents=rear + front,
        in_front=front,
        seed=int(rng.integers(2**62)),
    )
    stage.image, stage.cover = compose(stage, drawing)
    return stage


def _background(rng: np.random.Generator, size: int, *, plain: bool) -> tuple[FloatArray, str]:
    """What lies behind an object: a texture, bright or dark matte, or a plain colour; and the texture family or ""."""
    kind = 0.3 + 0.4 * rng.random() if plain else rng.random()
    if kind < 0.25:
        name = draw_name(rng, TEXTURES, "texture", held=False)
        return TEXTURES[name](rng, size, size), name
    base = any_colour(rng, 0.4)
    if kind < 0.65:
        value = float(rng.choice([0.03, 0.1, 0.75, 0.85, 0.93, 0.97]))
        base = (value, value, value)
    field = smooth(rng, size, size, 1.5) * np.float32(rng.uniform(0.0, 0.08)) + np.float32(0.5)
    return tint(field, tones(rng, base, 0.3, 3, 0.01)), ""
