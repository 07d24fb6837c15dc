"""Making the faulty twin of a scene: which defects suit it, where they go, and whether they can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zsad.data.synthetic import captions
from zsad.data.synthetic.camera import Camera, tone
from zsad.data.synthetic.defects import EDGE_DEFECTS, PART_DEFECTS, SURFACE_DEFECTS
from zsad.data.synthetic.drawing import Light, render, shadow
from zsad.data.synthetic.families import FITTING, HELD_OUT
from zsad.data.synthetic.incidents import INCIDENTS
from zsad.data.synthetic.noise import chance
from zsad.data.synthetic.shapes import Drawing
from zsad.data.synthetic.sites import choose
from zsad.data.synthetic.visible import difference, visible_change
from zsad.types import ByteArray, FloatArray


@dataclass
class Stage:
    """A scene before the camera: all that is needed to make its faulty twin.

    Attributes:
        image: the faultless image, planar ``(3, S, S)``.
        cover: coverage of the object ``(S, S)``, None when a surface fills the image.
        behind: the background alone, None for surfaces.
        texture: texture family, "" for none.
        family: object family or "surface".
        material: the word for the material.
        drawing: the placed drawing of an object.
        light: its light.
        skin: factors of the object's texture ``(3, S, S)``.
        incidents: names of the harmless incidents.
        incident_seed: their source of chance, so that both twins get the same ones.
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
    incidents: tuple[str, ...] = ()
    incident_seed: int = 0


def compose(stage: Stage, drawing: Drawing) -> tuple[FloatArray, FloatArray]:
    """Render a drawing over the background of its stage: the image ``(3, S, S)`` and the object's coverage."""
    assert stage.light is not None
    assert stage.behind is not None
    h, w = stage.behind.shape[1:]
    layer, cover = render(drawing, h, w, stage.light)
    if stage.skin is not None:
        layer *= stage.skin
    keep = 1 - cover
    if stage.light.shadow:
        keep *= 1 - shadow(cover, stage.light)
    return layer + stage.behind * keep, cover


def with_incidents(stage: Stage, image: FloatArray) -> FloatArray:
    """The image with the harmless incidents of its stage put in."""
    if not stage.incidents:
        return image
    image = image.copy()
    rng = np.random.default_rng(stage.incident_seed)
    for name in stage.incidents:
        INCIDENTS[name](rng, image, stage.cover)
    return image


def spoil(
    rng: np.random.Generator, stage: Stage, camera: Camera, forced: str
) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...], ByteArray]:
    """Add one to three visible defects.

    Args:
        rng: the source of chance.
        stage: the faultless scene, incidents included in its image.
        camera: decides what can be seen.
        forced: "defect" when the first one must be of a held-out family.

    Returns:
        The faulty image, the defect families, for each the noun of the faulty part or "", and the mask ``(S, S)``
        uint8; without families when nothing visible came out.
    """
    image, size = stage.image, stage.image.shape[1]
    names: list[str] = []
    nouns: list[str] = []
    mask = np.zeros((size, size), np.uint8)
    wanted = int(rng.choice([1, 1, 1, 1, 2, 3]))

    def toned(part: FloatArray, box: tuple[slice, slice]) -> FloatArray:
        return tone(camera, part, box)

    for attempt in range(wanted + 4):
        if len(names) >= wanted:
            break
        name = draw_family(rng, stage, held=forced == "defect" and not names, first=not names)
        if name in PART_DEFECTS:
            found = _fault(rng, stage, name)
            if found is None:
                continue
            changed, noun = found
            where = difference(image, changed)
        else:
            noun = ""
            boost = 1.0 + 0.5 * attempt
            changed, where = apply(rng, image, stage.cover, stage.behind, name, boost)
        seen = visible_change(image, changed, where, toned, camera.noise)
        if seen is None or float((seen | mask).mean()) > 0.45:
            continue
        image, mask = changed, mask | seen
        names.append(name)
        nouns.append(noun)
    return image, tuple(names), tuple(nouns), mask


def draw_family(rng: np.random.Generator, stage: Stage, *, held: bool, first: bool) -> str:
    """A defect family that suits the stage; ``held`` asks for a held-out one, otherwise none of those is drawn."""
    out = HELD_OUT["defect"]
    suits = FITTING.get(stage.family)
    if suits is None:
        suits = tuple(name for name in SURFACE_DEFECTS if stage.cover is not None or name not in EDGE_DEFECTS)
        if stage.drawing is not None and first and chance(rng, 0.5):
            suits = tuple(PART_DEFECTS)
        if stage.drawing is not None and not first:
            suits = tuple(name for name in suits if name in SURFACE_DEFECTS)
    fitting = [name for name in suits if (name in out) == held]
    if not fitting:
        fitting = [name for name in SURFACE_DEFECTS if (name in out) == held]
    return captions.pick(rng, fitting)


def apply(
    rng: np.random.Generator,
    image: FloatArray,
    cover: FloatArray | None,
    behind: FloatArray | None,
    name: str,
    boost: float = 1.0,
) -> tuple[FloatArray, FloatArray]:
    """Put one surface defect on a planar image: the changed image and where, ``(h, w)``."""
    h, w = image.shape[1:]
    site = choose(
        rng,
        h,
        w,
        cover,
        behind,
        edge=name in EDGE_DEFECTS or (cover is not None and name in _NEAR_EDGE and chance(rng, 0.3)),
    )
    site = replace(
        site,
        x=min(max(site.x, 0.0), w - 1.0),
        y=min(max(site.y, 0.0), h - 1.0),
        strength=min(1.0, site.strength * boost),
    )
    return SURFACE_DEFECTS[name](rng, image, site)


_NEAR_EDGE = frozenset({"crack", "cut", "hole", "stain", "dent", "corrosion"})


def _fault(rng: np.random.Generator, stage: Stage, name: str) -> tuple[FloatArray, str] | None:
    assert stage.drawing is not None
    fault: Callable[..., tuple[Drawing, str] | None] = PART_DEFECTS[name]
    found = fault(rng, stage.drawing, stage.image.shape[1])
    if found is None:
        return None
    drawing, noun = found
    changed, _ = compose(stage, drawing)
    return with_incidents(stage, changed), noun
