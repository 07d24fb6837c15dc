"""Scenes: background, object or surface, harmless incidents, defects, camera, caption."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zsad.data.synthetic import captions
from zsad.data.synthetic.camera import Camera, draw_camera, expose, tone
from zsad.data.synthetic.drawing import draw_light, place
from zsad.data.synthetic.families import HELD_OUT
from zsad.data.synthetic.incidents import INCIDENTS
from zsad.data.synthetic.noise import chance, smooth
from zsad.data.synthetic.objects import OBJECTS as DRAWN
from zsad.data.synthetic.palette import MATERIALS, any_colour, tint, tones
from zsad.data.synthetic.scans import SCANS
from zsad.data.synthetic.spoil import Stage, compose, spoil, with_incidents
from zsad.data.synthetic.textures import TEXTURES
from zsad.types import ByteArray, FloatArray

_NOT_ON_SCANS = frozenset({"drilled", "seam", "tape", "fixture", "border", "cast_shadow"})


@dataclass(frozen=True)
class Scene:
    """One image of the procedural world.

    Attributes:
        image: ``(S, S, 3)`` uint8 RGB.
        mask: ``(S, S)`` uint8, 1 where a defect is visible.
        caption: a sentence that names material, object, state and defect.
        label: 1 if the mask has any pixel, else 0.
        texture: texture family of the surface, of the object's skin or of the background; "" for none.
        object: object family, "surface" when a texture fills the image.
        defects: visible defect families, empty when normal.
        material: the word used for the material.
        incidents: harmless things that were put in, see ``incidents.INCIDENTS``.
        look: kind of picture: "colour", "grey", "infrared", "xray" or "thermal".
        hard_normal: True for a normal scene with at least one harmless incident.
    """

    image: ByteArray
    mask: ByteArray
    caption: str
    label: int
    texture: str
    object: str
    defects: tuple[str, ...]
    material: str
    incidents: tuple[str, ...]
    look: str
    hard_normal: bool


def scene_at(
    index: int, size: int = 256, *, seed: int = 0, split: str = "train", anomalous: bool | None = None
) -> Scene:
    """The scene with a number: a pure function of its arguments, the same in every process.

    Args:
        index: number of the scene, 0 or more.
        size: side in pixels, 32 or more.
        seed: number of the world, 0 or more.
        split: "train" or "valid".
        anomalous: True or False to ask for a label; None draws it.

    Returns:
        The scene.
    """
    return scene(np.random.default_rng([seed, index]), size, split=split, anomalous=anomalous)


def scene(rng: np.random.Generator, size: int = 256, *, split: str = "train", anomalous: bool | None = None) -> Scene:
    """Draw a scene.

    Args:
        rng: the only source of chance.
        size: side in pixels, 32 or more.
        split: "train" leaves the held-out families out, "valid" has at least one of them in every scene.
        anomalous: True or False to ask for a label; None draws one with equal chances. When no defect can be seen
            after several tries, a normal scene is returned.

    Returns:
        The scene.

    Raises:
        ValueError: for another split, or a size below 32.
    """
    if split not in ("train", "valid"):
        raise ValueError(f"split must be 'train' or 'valid', not {split!r}")
    if size < 32:
        raise ValueError(f"size must be at least 32 pixels, not {size}")
    wanted = chance(rng, 0.5) if anomalous is None else anomalous
    kinds = ("texture", "object", "defect") if wanted else ("texture", "object")
    forced = "" if split == "train" else captions.pick(rng, kinds)
    stage = draw_stage(rng, size, forced)
    camera = _camera_for(rng, stage, size)
    image, names, nouns, mask = stage.image, (), (), np.zeros((size, size), np.uint8)
    if wanted:
        image, names, nouns, mask = spoil(rng, stage, camera, forced)
        if not names and forced == "defect":  # a normal scene without any held-out family would break the split
            return scene(rng, size, split=split, anomalous=False)
    picture = expose(rng, camera, tone(camera, image))
    if names:
        caption = captions.anomalous_caption(
            rng, stage.family, stage.material, names, nouns, camera.look, _size_word(mask)
        )
    else:
        caption = captions.normal_caption(rng, stage.family, stage.material, camera.look)
    return Scene(
        image=picture,
        mask=mask,
        caption=caption,
        label=int(bool(names)),
        texture=stage.texture,
        object=stage.family,
        defects=names,
        material=stage.material,
        incidents=stage.incidents,
        look=camera.look,
        hard_normal=not names and bool(stage.incidents),
    )


def draw_stage(rng: np.random.Generator, size: int, forced: str = "") -> Stage:
    """A faultless scene before the camera; ``forced`` = "texture" or "object" asks for a held-out family of that kind."""
    if forced == "texture" or (forced != "object" and chance(rng, 0.45)):
        stage = _surface(rng, size, forced)
    else:
        family = _family(rng, [*DRAWN, *SCANS], "object", forced)
        stage = _scan(rng, size, family) if family in SCANS else _object(rng, size, family)
    scan = stage.family in SCANS
    chosen = []
    for _ in range(int(chance(rng, 0.3)) if scan else int(rng.choice([0, 1, 1, 2, 3]))):
        name = captions.pick(rng, list(INCIDENTS))
        if not (scan and name in _NOT_ON_SCANS) and not (stage.drawing is not None and name == "border"):
            chosen.append(name)
    stage.incidents = tuple(chosen)
    stage.incident_seed = int(rng.integers(2**62))
    stage.image = with_incidents(stage, stage.image)
    return stage


def _family(rng: np.random.Generator, names: Iterable[str], kind: str, forced: str) -> str:
    """A family name: a held-out one when that kind is forced, otherwise never one."""
    held = HELD_OUT[kind]
    return captions.pick(rng, [name for name in names if (name in held) == (forced == kind)])


def _surface(rng: np.random.Generator, size: int, forced: str) -> Stage:
    texture = _family(rng, TEXTURES, "texture", forced)
    if forced != "texture" and chance(rng, 0.14):
        texture = captions.pick(rng, ("ground", "ground", "concrete", "granular", "brushed"))
    image = TEXTURES[texture](rng, size, size)
    material = captions.pick(rng, captions.TEXTURE_MATERIALS[texture])
    return Stage(image, None, None, texture, "surface", captions.material_word(rng, material))


def _scan(rng: np.random.Generator, size: int, family: str) -> Stage:
    image, region = SCANS[family](rng, size)
    material = captions.pick(rng, captions.OBJECT_MATERIALS[family])
    return Stage(image, region, None, "", family, captions.material_word(rng, material))


def _object(rng: np.random.Generator, size: int, family: str) -> Stage:
    material = captions.pick(rng, captions.OBJECT_MATERIALS[family])
    stuff = MATERIALS[material]
    drawing = place(rng, DRAWN[family](rng, stuff), size)
    texture = captions.pick(rng, stuff.skin)
    skin: FloatArray | None = None
    if texture:
        pattern = TEXTURES[texture](rng, size, size)
        skin = pattern / np.maximum(pattern.mean((1, 2), keepdims=True), np.float32(0.05))
        skin = 1 + (skin - 1) * np.float32(rng.uniform(0.4, 1.0))
    behind, ground = _background(rng, size)
    light = draw_light(rng, size, stuff.gloss)
    word = captions.material_word(rng, material)
    stage = Stage(behind, None, behind, texture or ground, family, word, drawing, light, skin)
    stage.image, stage.cover = compose(stage, drawing)
    return stage


def _background(rng: np.random.Generator, size: int) -> tuple[FloatArray, str]:
    """What lies behind an object: a texture, bright or dark matte, or a plain colour; and the texture's family or ""."""
    kind = rng.random()
    if kind < 0.25:
        name = _family(rng, TEXTURES, "texture", "")
        return TEXTURES[name](rng, size, size), name
    base = any_colour(rng, 0.4)
    if kind < 0.65:
        value = float(rng.choice([0.03, 0.1, 0.85, 0.93, 0.97]))
        base = (value, value, value)
    field = smooth(rng, size, size, 1.5) * np.float32(rng.uniform(0.0, 0.08)) + np.float32(0.5)
    return tint(field, tones(rng, base, 0.3, 3, 0.01)), ""


def _camera_for(rng: np.random.Generator, stage: Stage, size: int) -> Camera:
    look = None
    if stage.family in ("brain_scan", "chest_scan", "ultrasound"):
        look = "grey"
    elif stage.family in SCANS:
        look = "colour"
    return draw_camera(rng, size, size, look)


def _size_word(mask: ByteArray) -> str:
    area = float(mask.mean())
    if area < 0.005:
        return "tiny" if area < 0.001 else "small"
    return "large" if area > 0.05 else ""
