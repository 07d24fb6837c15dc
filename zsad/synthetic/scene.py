"""Scenes: background, object or surface, harmless incidents, defects, camera, caption."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from zsad.synthetic import captions
from zsad.synthetic.camera import Camera, draw_camera, expose, tone
from zsad.synthetic.noise import chance, keep_memory
from zsad.synthetic.scans import SCANS
from zsad.synthetic.spoil import spoil
from zsad.synthetic.stages import Stage, draw_stage
from zsad.types import ByteArray


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
    return _draw(rng, size, split, anomalous)[0]


def pair_at(index: int, size: int = 256, *, seed: int = 0, split: str = "train") -> tuple[Scene, Scene]:
    """The scene with a number, and its faultless twin: the same stage, light and camera, with other noise.

    Args:
        index: number of the scene, 0 or more.
        size: side in pixels, 32 or more.
        seed: number of the world, 0 or more.
        split: "train" or "valid"; the twin of a scene whose only held-out family is its defect has none.

    Returns:
        ``(scene, twin)``: what ``scene_at`` gives, and the same without defects; where the scene has none, the twin
        is a second picture of it.

    Raises:
        ValueError: for another split, or a size below 32.
    """
    rng = np.random.default_rng([seed, index])
    item, stage, camera = _draw(rng, size, split, None)
    twin = replace(
        item,
        image=expose(rng, camera, tone(camera, stage.image)),
        mask=np.zeros_like(item.mask),
        caption=captions.normal_caption(rng, stage.family, stage.material, camera.look),
        label=0,
        defects=(),
        hard_normal=bool(stage.incidents),
    )
    return item, twin


def _draw(rng: np.random.Generator, size: int, split: str, anomalous: bool | None) -> tuple[Scene, Stage, Camera]:
    if split not in ("train", "valid"):
        raise ValueError(f"split must be 'train' or 'valid', not {split!r}")
    if size < 32:
        raise ValueError(f"size must be at least 32 pixels, not {size}")
    keep_memory()
    wanted = chance(rng, 0.5) if anomalous is None else anomalous
    kinds = ("texture", "object", "defect") if wanted else ("texture", "object")
    forced = "" if split == "train" else captions.pick(rng, kinds)
    stage = draw_stage(rng, size, forced)
    camera = _camera_for(rng, stage, size)
    image, mask = stage.image, np.zeros((size, size), np.uint8)
    names: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    if wanted:
        image, names, nouns, mask = spoil(rng, stage, camera, forced)
        if not names and forced == "defect":  # a normal scene without any held-out family would break the split
            return _draw(rng, size, split, False)
    picture = expose(rng, camera, tone(camera, image))
    if names:
        caption = captions.anomalous_caption(
            rng, stage.family, stage.material, names, nouns, camera.look, _size_word(mask)
        )
    else:
        caption = captions.normal_caption(rng, stage.family, stage.material, camera.look)
    item = Scene(
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
    return item, stage, camera


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
