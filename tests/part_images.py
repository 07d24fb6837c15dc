"""Pictures of parts for tests: grey, with a brighter square that the ``Contrast`` detector finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def part(path: Path, spot: int = 120, size: tuple[int, int] = (40, 30)) -> Path:
    """Write one picture of ``size`` (W, H); ``spot`` is how much brighter the square is, 0 for a good part."""
    pixels = np.full((*size[::-1], 3), 90, np.uint8)
    pixels[10:20, 10:20] += np.uint8(spot)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_parts(folder: Path, count: int, step: int = 10) -> Path:
    """Write ``p0.png`` and so on, each square brighter than the last by ``step``; returns the folder."""
    for i in range(count):
        part(folder / f"p{i}.png", spot=step * i)
    return folder
