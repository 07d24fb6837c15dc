"""Small drawn datasets and a micro backbone, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MICRO = f"random:{Path(__file__).with_name('micro.json')}"


def draw(rng: np.random.Generator, defect: bool, side: int = 70) -> tuple[Image.Image, Image.Image]:
    """A grey surface, with a bright disc if it is defective."""
    pixels = rng.normal(110, 12, (side, side, 3))
    mask = np.zeros((side, side), np.uint8)
    if defect:
        y, x = rng.integers(15, side - 15, 2)
        yy, xx = np.mgrid[:side, :side]
        mask[(yy - y) ** 2 + (xx - x) ** 2 < 10**2] = 255
        pixels[mask > 0] += 120
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), Image.fromarray(mask)


def write_tree(root: Path, good: int = 6, bad: int = 6, classes: tuple[str, ...] = ("part",), seed: int = 0) -> Path:
    """A dataset in the MVTec form."""
    rng = np.random.default_rng(seed)
    for name in classes:
        for kind, count in (("good", good), ("spot", bad)):
            folder = root / name / "test" / kind
            folder.mkdir(parents=True)
            for i in range(count):
                image, mask = draw(rng, kind == "spot")
                image.save(folder / f"{i:03}.png")
                if kind == "spot":
                    truth = root / name / "ground_truth" / kind
                    truth.mkdir(parents=True, exist_ok=True)
                    mask.save(truth / f"{i:03}_mask.png")
    return root
