"""Detectors without a network, for tests of everything that takes a detector."""

import numpy as np
from PIL import Image

from zsad.card import ModelCard
from zsad.detector.base import BATCH, Detector
from zsad.types import Features, Result


class BrightDetector(Detector):
    """Finds what is bright: the map is the red channel, the score its highest value. Deterministic, per image.

    Unlike a network it looks at the image in its own size, so that tests can work out its maps by themselves.
    """

    def __init__(self, image_size=28, **options):
        card = ModelCard.of(name="bright", image_size=image_size, patch_size=14, layers=(1,))
        super().__init__(card, **options)
        self.calls = []  # shared by copies

    def _network(self, x):
        red = np.clip(x[:, 0] * self.card.input.std[0] + self.card.input.mean[0], 0, 1)
        return red, red.max(axis=(1, 2))

    def __call__(self, image):
        decoded = self.decode(image)
        self.calls.append(decoded.name)
        values = np.asarray(decoded.image.convert("RGB"), np.float32)[..., 0] / 255
        return Result(float(values.max()), values, self.thresholds, decoded.name)

    def batch(self, images, *, errors="raise", batch_size=BATCH):
        return [self(image) for image in images]

    def raw(self, image):
        result = self(image)
        S = self.card.input.image_size
        small = Image.fromarray(result.map).resize((S, S), Image.Resampling.BILINEAR)
        return np.asarray(small, np.float32), result.score


class CellDetector(Detector):
    """Gives features without a network: the mean colour of each of 4 x 4 cells, and of the whole, in 3 dimensions."""

    def __init__(self, **options):
        super().__init__(ModelCard.of(name="cells", image_size=32, patch_size=8, embed_dim=3, layers=(1,)), **options)

    def _network(self, x):
        raise NotImplementedError

    def _read(self, x):
        cells = x.reshape(len(x), 3, 4, 8, 4, 8).mean(axis=(3, 5)).reshape(len(x), 3, 16)  # (B, 3, N)
        return Features(cells.mean(axis=2), np.ascontiguousarray(cells.transpose(0, 2, 1))[:, None], 4)


def write_class(root, n_good=3, n_bad=3, size=(40, 52), seed=0, kind="spot", faint=0.6):
    """Write an MVTec class whose defects are mostly bright squares. Return its folder."""
    rng = np.random.default_rng(seed)
    for split, label, n in (("good", 0, n_good), (kind, 1, n_bad)):
        for i in range(n):
            pixels = rng.integers(0, 140, (*size, 3), dtype=np.uint8)
            truth = np.zeros(size, np.uint8)
            if label:
                y, x = rng.integers(0, size[0] - 12), rng.integers(0, size[1] - 12)
                truth[y : y + 12, x : x + 12] = 255
                found = (truth > 0) & (rng.random(size) > faint)
                pixels[found] = 250
                path = root / "ground_truth" / kind / f"{i:03d}_mask.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(truth).save(path)
            path = root / "test" / split / f"{i:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root
