"""How a figure came about: versions of what can change it, and which card was measured."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform

from zsad.card import ModelCard

PACKAGES = ("zsad", "numpy", "pillow", "scikit-image", "onnxruntime", "torch", "open_clip_torch", "timm")


def versions() -> dict[str, str]:
    """Versions of Python and of every package that can change a figure."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def card_hash(card: ModelCard) -> str:
    """SHA-256 of a card's JSON."""
    return hashlib.sha256(card.to_json().encode()).hexdigest()
