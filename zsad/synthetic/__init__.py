"""The procedural world: images with masks and captions, drawn from nothing but a number.

Draw a scene; its facts are attributes, see ``Scene``:

>>> item = scene_at(7, size=64)
>>> item.image.shape, item.image.dtype.name, item.mask.shape, item.label == int(item.mask.any())
((64, 64, 3), 'uint8', (64, 64), True)

The same number gives the same scene, in any process; ``pair_at`` gives its faultless twin too:

>>> faulty, good = pair_at(7, size=64)
>>> bool((faulty.image == item.image).all()), good.label
(True, 0)

Put a defect on an image of one's own, and look at what was drawn:

>>> spoilt, mask, family = add_defect(3, good.image, family="scratch")
>>> spoilt.shape, bool(mask.any()), family
((64, 64, 3), True, 'scratch')
>>> contact_sheet([faulty, good], side=80).mode
'RGB'

Families are plain functions in the dicts ``TEXTURES``, ``OBJECTS`` and ``DEFECTS``; ``HELD_OUT`` names those that the
split "train" never has. ``python -m zsad.synthetic --out sheet.png`` draws a contact sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zsad.synthetic.additions import add_defect
from zsad.synthetic.families import DEFECTS, DRAWN, HELD_OUT, TEXTURES
from zsad.synthetic.scans import SCANS as _SCANS
from zsad.synthetic.scene import Scene, pair_at, scene_at
from zsad.synthetic.sheet import contact_sheet

GENERATOR_VERSION = "1.9"
"""Changes whenever the same seed gives another image."""

OBJECTS: dict[str, Callable[..., Any]] = {**DRAWN, **_SCANS}
"""Drawn objects ``(rng, material) -> Drawing`` and medical looks ``(rng, size) -> (image, region)``."""

__all__ = [
    "DEFECTS",
    "GENERATOR_VERSION",
    "HELD_OUT",
    "OBJECTS",
    "TEXTURES",
    "Scene",
    "add_defect",
    "contact_sheet",
    "pair_at",
    "scene_at",
]
