"""The families of textures, objects and defects, each a plain function, and how often which of them is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from zsad.synthetic import defects_area as area
from zsad.synthetic import defects_film as film
from zsad.synthetic import defects_growth as growths
from zsad.synthetic import defects_line as line
from zsad.synthetic import defects_outline as outline
from zsad.synthetic import defects_part as part
from zsad.synthetic import objects_electric as electric
from zsad.synthetic import objects_fasteners as fasteners
from zsad.synthetic import objects_food as food
from zsad.synthetic import objects_goods as goods
from zsad.synthetic import objects_metal as metal
from zsad.synthetic import objects_random, textures_random
from zsad.synthetic import textures_organic as organic
from zsad.synthetic import textures_regular as regular
from zsad.synthetic import textures_stone as stone
from zsad.synthetic.palette import Material
from zsad.synthetic.shapes import Drawing
from zsad.synthetic.sites import Site
from zsad.synthetic.vocabulary import read_tables
from zsad.types import FloatArray

Texture = Callable[[np.random.Generator, int, int], FloatArray]
ObjectFamily = Callable[[np.random.Generator, Material], Drawing]
SurfaceDefect = Callable[[np.random.Generator, FloatArray, Site], tuple[FloatArray, FloatArray]]
PartDefect = Callable[[np.random.Generator, Drawing, int], tuple[Drawing, str] | None]
Family = TypeVar("Family", bound=Callable[..., Any])


def _by_name(*families: Family) -> dict[str, Family]:
    return {family.__name__: family for family in families}


# The order counts: what is drawn is drawn by it.
TEXTURES: dict[str, Texture] = _by_name(
    regular.woven, regular.knit, regular.mesh, regular.tiled, regular.printed, regular.perforated, regular.ribbed,
    regular.treadplate, regular.honeycomb, regular.legend, regular.scales,
    stone.brushed, stone.ground, stone.granular, stone.concrete, stone.marble, stone.terrazzo, stone.hammered,
    stone.cast, stone.plain, stone.foam, stone.speckled,
    organic.wood, organic.leather, organic.skin, organic.tissue, organic.carpet, organic.fibrous, organic.crumb,
    organic.camouflage, organic.speckle,
    textures_random.program,
)  # fmt: skip
"""``(rng, h, w) -> planar RGB (3, h, w) float32`` around [0, 1]."""

DRAWN: dict[str, ObjectFamily] = _by_name(
    fasteners.screw, fasteners.nut,
    metal.gear, metal.bracket, metal.spring, metal.chain, metal.tool, metal.bearing,
    fasteners.riveted, metal.fan, metal.slab, metal.ring, fasteners.nail, metal.casting,
    electric.connector, electric.chip, electric.board, electric.cable, electric.transistor, electric.panel,
    electric.dial, electric.fins,
    food.cookie, goods.bottle, goods.jar, goods.capsule, goods.blister, goods.zipper, goods.brush, food.kernel,
    goods.package, goods.card, goods.tray, goods.pipe,
    objects_random.assembly,
)  # fmt: skip
"""Drawn objects: ``(rng, material) -> Drawing`` in unit coordinates."""

SURFACE_DEFECTS: dict[str, SurfaceDefect] = _by_name(
    line.scratch, line.scuff, line.crack, line.crazing, line.cut, line.fibre, line.crease, line.thread, line.gouge,
    area.dent, area.bump, area.blister, growths.polyp, growths.mole, area.hole, area.pits,
    film.stain, film.smear, film.drip, film.contamination, film.discoloration, film.burn, film.corrosion, film.blotch,
    growths.lesion, area.patch, area.distortion, film.uneven, film.worn, film.misprint,
    area.absence, area.chip, area.fray,
)  # fmt: skip
"""``(rng, image (3, h, w), site) -> (changed image, where)``: works on any image."""

PART_DEFECTS: dict[str, PartDefect] = _by_name(
    part.missing_part, part.misplaced_part, part.turned_part, part.wrong_part, part.extra_part, part.bent,
    outline.broken, outline.deformed, outline.burr, outline.notch,
    part.wrong_level,
)  # fmt: skip
"""``(rng, drawing, size) -> (faulty drawing, noun of the part)``, or None where the drawing has no such part."""

DEFECTS: dict[str, Callable[..., Any]] = {**SURFACE_DEFECTS, **PART_DEFECTS}

EDGE_DEFECTS = frozenset({"chip", "fray"})
"""Surface defects that sit on the outline of an object."""

_TABLES = read_tables("families.yaml")

HELD_OUT: dict[str, frozenset[str]] = {kind: frozenset(names) for kind, names in _TABLES["held_out"].items()}
"""Whole families that the split "train" never draws and of which every scene of the split "valid" draws one."""
WEIGHTS: dict[str, float] = _TABLES["weights"]
"""How often a family is drawn, relative to the others of its kind; 1 for all that have no row."""
FITTING: dict[str, tuple[str, ...]] = _TABLES["fitting"]
"""Defects that a medical look can have; any other object can have any."""
TYPICAL: dict[str, tuple[str, ...]] = _TABLES["typical"]
"""Defects that half of the faulty surfaces of a texture have; the others have any."""
