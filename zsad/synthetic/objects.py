"""The registry of object families: name -> ``(rng, material) -> Drawing`` in unit coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zsad.synthetic import objects_electric as electric
from zsad.synthetic import objects_fasteners as fasteners
from zsad.synthetic import objects_food as food
from zsad.synthetic import objects_goods as goods
from zsad.synthetic import objects_metal as metal
from zsad.synthetic import objects_random as random
from zsad.synthetic.palette import Material
from zsad.synthetic.shapes import Drawing

ObjectFamily = Callable[[np.random.Generator, Material], Drawing]

OBJECTS: dict[str, ObjectFamily] = {
    "screw": fasteners.screw,
    "nut": fasteners.nut,
    "gear": metal.gear,
    "bracket": metal.bracket,
    "spring": metal.spring,
    "chain": metal.chain,
    "tool": metal.tool,
    "bearing": metal.bearing,
    "riveted": fasteners.riveted,
    "fan": metal.fan,
    "slab": metal.slab,
    "ring": metal.ring,
    "nail": fasteners.nail,
    "casting": metal.casting,
    "connector": electric.connector,
    "chip": electric.chip,
    "board": electric.board,
    "cable": electric.cable,
    "transistor": electric.transistor,
    "panel": electric.panel,
    "dial": electric.dial,
    "fins": electric.fins,
    "cookie": food.cookie,
    "bottle": goods.bottle,
    "jar": goods.jar,
    "capsule": goods.capsule,
    "blister": goods.blister,
    "zipper": goods.zipper,
    "brush": goods.brush,
    "kernel": food.kernel,
    "package": goods.package,
    "card": goods.card,
    "tray": goods.tray,
    "pipe": goods.pipe,
    "assembly": random.assembly,
}
