"""Making the faulty twin of a scene: which defects suit it, where they go, and whether they can be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zsad.synthetic.camera import Camera, tone
from zsad.synthetic.families import EDGE_DEFECTS, FITTING, HELD_OUT, PART_DEFECTS, SURFACE_DEFECTS, TYPICAL
from zsad.synthetic.noise import chance
from zsad.synthetic.shapes import Drawing
from zsad.synthetic.sites import choose
from zsad.synthetic.stages import Stage, compose, draw_name
from zsad.synthetic.visible import difference, visible_change
from zsad.types import ByteArray, FloatArray


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
            grown = stage.family in FITTING
            changed, where = apply(rng, image, stage.cover, stage.behind, name, boost, grown=grown)
        seen = visible_change(image, changed, where, toned, camera.noise)
        if seen is None or float((seen | mask).mean()) > 0.45:
            continue
        image, mask = changed, mask | seen
        names.append(name)
        nouns.append(noun)
    return image, tuple(names), tuple(nouns), mask


def draw_family(rng: np.random.Generator, stage: Stage, *, held: bool, first: bool) -> str:
    """A defect family that suits the stage; ``held`` asks for a held-out one, otherwise none of those is drawn."""
    suits = FITTING.get(stage.family)
    if suits is None and stage.family == "surface" and not held and chance(rng, 0.5):
        suits = TYPICAL.get(stage.texture)
    if suits is None:
        suits = tuple(name for name in SURFACE_DEFECTS if stage.cover is not None or name not in EDGE_DEFECTS)
        if stage.drawing is not None and first and chance(rng, 0.5):
            suits = tuple(PART_DEFECTS)
        if stage.drawing is not None and not first:
            suits = tuple(name for name in suits if name in SURFACE_DEFECTS)
    if not any((name in HELD_OUT["defect"]) == held for name in suits):
        suits = tuple(SURFACE_DEFECTS)
    return draw_name(rng, suits, "defect", held=held)


def apply(
    rng: np.random.Generator,
    image: FloatArray,
    cover: FloatArray | None,
    behind: FloatArray | None,
    name: str,
    boost: float = 1.0,
    *,
    grown: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Put one surface defect on a planar image, ``grown`` as in ``choose``: the changed image and where, ``(h, w)``."""
    h, w = image.shape[1:]
    site = choose(
        rng,
        h,
        w,
        cover,
        behind,
        edge=name in EDGE_DEFECTS or (cover is not None and name in _NEAR_EDGE and not grown and chance(rng, 0.3)),
        grown=grown,
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
    return compose(stage, drawing)[0], noun
