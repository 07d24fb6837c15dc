"""Drawn videos as folders of numbered frames, and a cheap encoder: nothing here needs PyAV or a model."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image


def write_frames(folder: Path, levels, size=(32, 24)) -> Path:
    """Write a folder with one grey level per frame."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, level in enumerate(levels):
        Image.new("RGB", size, (int(level),) * 3).save(folder / f"{i:04d}.png")
    return folder


class Levels:
    """Vectors of pictures by their grey level, and of texts by their hash."""

    name, has_texts = "levels", True

    def images(self, images):
        means = [np.asarray(image.convert("L"), np.float64).mean() / 255 for image in images]
        return np.array([[m, 1 - m, 0.1] for m in means], np.float32)

    def texts(self, texts):
        made = []
        for text in texts:
            digest = hashlib.sha256(text.encode()).digest()
            grey = float(text.split()[-1]) / 255 if text.split()[-1].isdigit() else digest[0] / 255
            made.append([grey, 1 - grey, 0.1])
        return np.array(made, np.float32)
