"""Which families are held out of training, how often families are drawn, and what defects a medical look can have."""

from __future__ import annotations

HELD_OUT: dict[str, frozenset[str]] = {
    "texture": frozenset({"knit", "terrazzo", "treadplate", "marble", "hammered"}),
    "object": frozenset({"bearing", "transistor", "jar", "tool", "retina"}),
    "defect": frozenset({"gouge", "smear", "blister", "crazing", "turned_part"}),
}
"""Whole families that the split "train" never draws and of which every scene of the split "valid" draws one."""

WEIGHTS: dict[str, float] = {
    "ground": 5.0,
    "concrete": 4.0,
    "granular": 2.5,
    "brushed": 2.0,
    "woven": 2.0,
    "leather": 2.0,
    "wood": 2.0,
    "tiled": 2.0,
    "carpet": 2.0,
    "plain": 1.5,
    "program": 8.0,
    "camouflage": 0.6,
    "speckle": 0.5,
    "scales": 0.6,
    "screw": 4.0,
    "assembly": 5.0,
    "slab": 2.5,
    "cookie": 2.5,
    "bottle": 2.0,
    "board": 2.0,
    "kernel": 1.5,
    "capsule": 1.5,
    "cable": 1.5,
    "tray": 1.5,
    "nut": 1.5,
    "brain_scan": 2.0,
    "ultrasound": 1.5,
    "endoscopy": 8.0,
    "dermoscopy": 2.0,
    "crack": 2.0,
    "uneven": 2.0,
    "scratch": 2.0,
    "contamination": 1.5,
    "pits": 1.5,
    "stain": 1.5,
    "dent": 1.5,
    "blotch": 1.3,
    "notch": 1.6,
    "broken": 1.6,
    "missing_part": 1.6,
}
"""How often a family is drawn, relative to the others of its kind; 1 for all that have no row."""

FITTING: dict[str, tuple[str, ...]] = {
    "brain_scan": ("lesion", "lesion", "lesion", "lesion", "lesion", "blotch", "distortion"),
    "chest_scan": ("lesion", "lesion", "blotch", "bump"),
    "endoscopy": ("polyp", "polyp", "polyp", "polyp", "polyp", "polyp", "bump", "lesion", "discoloration", "drip"),
    "ultrasound": ("lesion", "lesion", "hole", "blotch"),
    "dermoscopy": ("mole", "mole", "mole", "lesion", "lesion", "cut", "discoloration"),
    "retina": ("lesion", "pits", "blotch", "stain"),
}
"""Defects that a medical look can have; any other object can have any."""

TYPICAL: dict[str, tuple[str, ...]] = {
    "concrete": ("crack", "crack", "crack", "hole", "stain", "discoloration"),
    "granular": ("crack", "crack", "hole", "stain"),
    "plain": ("crack", "scratch", "stain", "contamination"),
    "ground": ("uneven", "uneven", "pits", "crack", "scratch"),
    "brushed": ("uneven", "scratch", "scratch", "dent", "corrosion"),
    "tiled": ("crack", "discoloration", "stain"),
    "wood": ("hole", "crack", "scratch", "stain"),
    "leather": ("cut", "hole", "crease", "discoloration"),
    "woven": ("cut", "hole", "thread", "contamination"),
    "carpet": ("cut", "hole", "thread", "contamination", "discoloration"),
}
"""Defects that half of the faulty surfaces of a texture have; the others have any."""
