"""Which families are held out of training, and which defects a medical look can have."""

from __future__ import annotations

HELD_OUT: dict[str, frozenset[str]] = {
    "texture": frozenset({"knit", "terrazzo", "treadplate", "marble", "hammered"}),
    "object": frozenset({"bearing", "transistor", "jar", "tool", "retina"}),
    "defect": frozenset({"gouge", "smear", "blister", "crazing", "turned_part"}),
}
"""Whole families that the split "train" never draws and of which every scene of the split "valid" draws one."""

FITTING: dict[str, tuple[str, ...]] = {
    "brain_scan": ("lesion", "lesion", "lesion", "blotch", "hole", "distortion"),
    "chest_scan": ("lesion", "lesion", "blotch", "bump"),
    "endoscopy": ("bump", "bump", "lesion", "discoloration", "hole", "blister", "drip"),
    "ultrasound": ("lesion", "lesion", "hole", "blotch"),
    "dermoscopy": ("lesion", "lesion", "lesion", "cut", "blister", "discoloration"),
    "retina": ("lesion", "pits", "blotch", "stain"),
}
"""Defects that a medical look can have; any other object can have any."""
