"""The registry of defect families, on surfaces and on parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zsad.synthetic import defects_area as area
from zsad.synthetic import defects_film as film
from zsad.synthetic import defects_growth as growths
from zsad.synthetic import defects_line as line
from zsad.synthetic import defects_outline as outline
from zsad.synthetic import defects_part as part
from zsad.synthetic.shapes import Drawing
from zsad.synthetic.sites import Site
from zsad.types import FloatArray

SurfaceDefect = Callable[[np.random.Generator, FloatArray, Site], tuple[FloatArray, FloatArray]]
PartDefect = Callable[[np.random.Generator, Drawing, int], tuple[Drawing, str] | None]

SURFACE_DEFECTS: dict[str, SurfaceDefect] = {
    "scratch": line.scratch,
    "scuff": line.scuff,
    "crack": line.crack,
    "crazing": line.crazing,
    "cut": line.cut,
    "fibre": line.fibre,
    "crease": line.crease,
    "thread": line.thread,
    "gouge": line.gouge,
    "dent": area.dent,
    "bump": area.bump,
    "blister": area.blister,
    "polyp": growths.polyp,
    "mole": growths.mole,
    "hole": area.hole,
    "pits": area.pits,
    "stain": film.stain,
    "smear": film.smear,
    "drip": film.drip,
    "contamination": film.contamination,
    "discoloration": film.discoloration,
    "burn": film.burn,
    "corrosion": film.corrosion,
    "blotch": film.blotch,
    "lesion": growths.lesion,
    "patch": area.patch,
    "distortion": area.distortion,
    "uneven": film.uneven,
    "worn": film.worn,
    "misprint": film.misprint,
    "absence": area.absence,
    "chip": area.chip,
    "fray": area.fray,
}
"""``(rng, image (3, h, w), site) -> (changed image, where)``: works on any image."""

PART_DEFECTS: dict[str, PartDefect] = {
    "missing_part": part.missing_part,
    "misplaced_part": part.misplaced_part,
    "turned_part": part.turned_part,
    "wrong_part": part.wrong_part,
    "extra_part": part.extra_part,
    "bent": part.bent,
    "broken": outline.broken,
    "deformed": outline.deformed,
    "burr": outline.burr,
    "notch": outline.notch,
    "wrong_level": part.wrong_level,
}
"""``(rng, drawing, size) -> (faulty drawing, noun of the part)``, or None where the drawing has no such part."""

DEFECTS: dict[str, Callable[..., Any]] = {**SURFACE_DEFECTS, **PART_DEFECTS}

EDGE_DEFECTS = frozenset({"chip", "fray"})
"""Surface defects that sit on the outline of an object."""
