"""The procedural world: images with masks and captions, drawn from nothing but a random generator.

``scene(rng)`` draws one; ``scene_at(index)`` is the same for any number of workers; ``pair_at(index)`` gives it with
its faultless twin. ``add_defect`` spoils a user's
own good image. Families are plain functions in the dicts ``TEXTURES``, ``OBJECTS`` and ``DEFECTS``; ``HELD_OUT``
names those that training never sees. ``python -m zsad.synthetic --out sheet.png`` draws a contact sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zsad.synthetic.additions import add_defect
from zsad.synthetic.defects import DEFECTS
from zsad.synthetic.families import HELD_OUT
from zsad.synthetic.objects import OBJECTS as _DRAWN
from zsad.synthetic.scans import SCANS as _SCANS
from zsad.synthetic.scene import Scene, pair_at, scene, scene_at
from zsad.synthetic.textures import TEXTURES

GENERATOR_VERSION = "1.9"
"""Changes whenever the same seed gives another image."""

OBJECTS: dict[str, Callable[..., Any]] = {**_DRAWN, **_SCANS}
"""Drawn objects ``(rng, material) -> Drawing`` and medical looks ``(rng, size) -> (image, region)``."""

__all__ = [
    "DEFECTS",
    "GENERATOR_VERSION",
    "HELD_OUT",
    "OBJECTS",
    "TEXTURES",
    "Scene",
    "add_defect",
    "pair_at",
    "scene",
    "scene_at",
]
