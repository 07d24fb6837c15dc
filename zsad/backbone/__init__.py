"""Stage 2, image -> features: frozen vision towers, read through their parameters.

``load_backbone("ViT-L-14-336/openai", image_size=518)`` is all that the other stages call.
"""

from zsad.backbone.registry import LOADERS, backbone_of, load_backbone
from zsad.backbone.text_tower import TextTower
from zsad.backbone.tower import Backbone, BackboneInfo, Reading, VisionTower, default_vv_blocks

__all__ = [
    "LOADERS",
    "Backbone",
    "BackboneInfo",
    "Reading",
    "TextTower",
    "VisionTower",
    "backbone_of",
    "default_vv_blocks",
    "load_backbone",
]
