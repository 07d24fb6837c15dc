"""Drawn good and defective parts for calibration: grey noise, and what is brighter."""

import numpy as np
from PIL import Image

from tests import fakes


class BrightDetector(fakes.BrightDetector):
    """The fake that also judges."""

    def __call__(self, image):
        return super().__call__(image).with_thresholds(self.thresholds)


def write_parts(folder, count, *, seed=0, spots=0, size=(16, 20)):
    """Write images whose brightness differs from part to part; ``spots`` of them have a bright square."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        top = int(rng.integers(60, 160))
        pixels = rng.integers(0, top, (*size, 3), dtype=np.uint8)
        if index < spots:
            pixels[4:9, 4:9] = 240
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    return folder
