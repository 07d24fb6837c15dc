"""The registry of texture families: name -> ``(rng, h, w) -> planar RGB (3, h, w) float32`` around [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zsad.synthetic import textures_organic as organic
from zsad.synthetic import textures_random as random
from zsad.synthetic import textures_regular as regular
from zsad.synthetic import textures_stone as stone
from zsad.types import FloatArray

Texture = Callable[[np.random.Generator, int, int], FloatArray]

TEXTURES: dict[str, Texture] = {
    "woven": regular.woven,
    "knit": regular.knit,
    "mesh": regular.mesh,
    "tiled": regular.tiled,
    "printed": regular.printed,
    "perforated": regular.perforated,
    "ribbed": regular.ribbed,
    "treadplate": regular.treadplate,
    "honeycomb": regular.honeycomb,
    "legend": regular.legend,
    "scales": regular.scales,
    "brushed": stone.brushed,
    "ground": stone.ground,
    "granular": stone.granular,
    "concrete": stone.concrete,
    "marble": stone.marble,
    "terrazzo": stone.terrazzo,
    "hammered": stone.hammered,
    "cast": stone.cast,
    "plain": stone.plain,
    "foam": stone.foam,
    "speckled": stone.speckled,
    "wood": organic.wood,
    "leather": organic.leather,
    "skin": organic.skin,
    "tissue": organic.tissue,
    "carpet": organic.carpet,
    "fibrous": organic.fibrous,
    "crumb": organic.crumb,
    "camouflage": organic.camouflage,
    "speckle": organic.speckle,
    "program": random.program,
}
