"""Random changes of training images, by albumentations: one file, so that it can be exchanged.

:class:`Augment` changes one decoded image. With ``by: batch`` the changes wait until the image has the network's
size, and :mod:`zsad.data.batch_augment` makes them on the batch.

albumentations 2.0.8 draws the same numbers in every loader worker and in every epoch; here each draw is
seeded by (seed, view, example), so that it is the same for any number of workers and runs.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from PIL import Image

from zsad.config import knob
from zsad.data.examples import Example, digest
from zsad.errors import MissingExtraError, UsageError
from zsad.types import BoolArray, ByteArray

VERSION = 1
"""Counted up when the same settings and seed give other pixels."""
BATCH_VERSION = 1
"""The same for what :mod:`zsad.data.batch_augment` draws."""


@dataclass(frozen=True)
class AugmentConfig:
    """What is changed at random, and how strongly; probabilities in [0, 1], zeros for nothing.

    ``by: image`` changes each image as it was decoded, with albumentations; ``by: batch`` changes resized images on
    the device, with kornia: faster where images are larger than the network's input. Both draw from the same
    distributions, but not the same numbers.
    """

    by: Literal["image", "batch"] = knob("image", "albumentations on decoded images, or kornia on resized batches")
    flip: float = knob(0.5, "probability of a left-right mirror", low=0, high=1)
    rotate90: float = knob(0.5, "probability of a turn by a multiple of 90 degrees", low=0, high=1)
    affine: float = knob(0.3, "probability of a small shift, turn and zoom", low=0, high=1)
    degrees: float = knob(10.0, "largest small turn", low=0, high=180, unit="degrees")
    shift: float = knob(0.05, "largest shift, as a fraction of the side", low=0, high=0.5)
    zoom: float = knob(0.1, "largest zoom in or out, as a fraction", low=0, high=0.9)
    brightness: float = knob(0.3, "probability of another brightness and contrast", low=0, high=1)
    blur: float = knob(0.1, "probability of a slight blur", low=0, high=1)
    noise: float = knob(0.1, "probability of slight noise", low=0, high=1)


class Augment:
    """Change an image and its mask alike, at random.

    Args:
        config: what is changed.

    Raises:
        MissingExtraError: albumentations is absent.
        UsageError: AlbumentationsX is installed in its place.
    """

    def __init__(self, config: AugmentConfig) -> None:
        self.config = config
        A = _albumentations()
        c = config
        self._compose = A.Compose(
            [
                A.HorizontalFlip(p=c.flip),
                A.RandomRotate90(p=c.rotate90),
                A.Affine(
                    scale=(1 - c.zoom, 1 + c.zoom),
                    translate_percent=(-c.shift, c.shift),
                    rotate=(-c.degrees, c.degrees),
                    border_mode=2,  # cv2.BORDER_REFLECT: no black corners that look like defects
                    p=c.affine,
                ),
                A.RandomBrightnessContrast(p=c.brightness),
                A.GaussianBlur(blur_limit=(3, 5), p=c.blur),
                A.GaussNoise(std_range=(0.01, 0.04), p=c.noise),
            ]
        )

    def __call__(self, image: ByteArray, mask: BoolArray, seed: int) -> tuple[ByteArray, BoolArray]:
        """Change image uint8 ``(H, W, 3)`` and mask ``(H, W)``; the same seed gives the same pixels."""
        self._compose.set_random_seed(seed)
        out = self._compose(image=image, mask=mask.astype(np.uint8))
        return np.ascontiguousarray(out["image"]), np.asarray(out["mask"] > 0)


@dataclass(frozen=True)
class _Changed:
    """An example and how it is changed at random."""

    base: Example
    config: AugmentConfig
    seed: int

    @property
    def name(self) -> str:
        """Name of the unchanged example."""
        return self.base.name

    @property
    def group(self) -> str:
        """Dataset and class."""
        return self.base.group

    @property
    def label(self) -> int:
        """0 normal, 1 anomalous."""
        return self.base.label

    @property
    def masked(self) -> bool:
        """Whether the pixel part learns from it."""
        return self.base.masked


class Augmented(_Changed):
    """An example, changed at random as it was decoded; a pure function of its seed."""

    def identity(self) -> str:
        """Hash the example, the settings and the seed."""
        return digest("augmented", str(VERSION), self.base.identity(), str(self.config), str(self.seed))

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Load the example and change it."""
        image, mask = self.base.load()
        pixels = np.asarray(image.convert("RGB"))
        empty = np.zeros(pixels.shape[:2], bool)
        changed, moved = _augment(self.config)(pixels, empty if mask is None else mask, self.seed)
        return Image.fromarray(changed), None if mask is None else moved


class BatchAugmented(_Changed):
    """An example that is changed at random after its resize, on the batch it goes through the tower with."""

    def identity(self) -> str:
        """Hash the example, the settings, the seed, and the library that makes the change."""
        return digest(
            "batch", str(BATCH_VERSION), _kornia_version(), self.base.identity(), str(self.config), str(self.seed)
        )

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Load the example unchanged; :func:`zsad.data.batch_augment.change` follows."""
        return self.base.load()


@dataclass(frozen=True)
class Mosaic:
    """Four examples of one group in a 2 x 2 square: class-aware, so that the normal look stays one product's."""

    parts: tuple[Example, ...]
    side: int

    @property
    def name(self) -> str:
        """Names of the four."""
        return "mosaic of " + ", ".join(part.name for part in self.parts)

    @property
    def group(self) -> str:
        """Dataset and class."""
        return self.parts[0].group

    @property
    def label(self) -> int:
        """1 if any of the four is anomalous."""
        return max(part.label for part in self.parts)

    @property
    def masked(self) -> bool:
        """Whether all four have masks."""
        return all(part.masked for part in self.parts)

    def identity(self) -> str:
        """Hash the four examples and the size."""
        return digest("mosaic", str(VERSION), str(self.side), *(part.identity() for part in self.parts))

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Load the four and resize each to one quarter."""
        half = self.side // 2
        canvas = Image.new("RGB", (2 * half, 2 * half))
        joined = np.zeros((2 * half, 2 * half), bool)
        for place, part in enumerate(self.parts):
            top, left = place // 2 * half, place % 2 * half
            image, mask = part.load()
            canvas.paste(image.convert("RGB").resize((half, half), Image.Resampling.BICUBIC), (left, top))
            if mask is not None:
                grey = Image.fromarray(mask.astype(np.uint8) * 255).resize((half, half), Image.Resampling.BILINEAR)
                joined[top : top + half, left : left + half] = np.asarray(grey) > 127
        return canvas, joined if self.label else None


def view(examples: Sequence[Example], number: int, config: AugmentConfig, mosaics: float, seed: int) -> list[Example]:
    """Return one augmented view of a list: each example changed, some of them joined with three of its group.

    By image, the parts of a mosaic are changed and then joined; by batch, they are joined and then changed as one.

    Args:
        examples: the examples; view 0 returns them unchanged.
        number: which view.
        config: what is changed.
        mosaics: fraction of the examples that become the first part of a mosaic, in [0, 1].
        seed: seed of the run.
    """
    if number == 0:
        return list(examples)
    rng = np.random.default_rng([seed, number])
    groups: dict[tuple[str, bool], list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault((example.group, example.masked), []).append(index)
    whole = config.by == "batch"
    kind = BatchAugmented if whole else Augmented
    changed = [kind(example, config, seed_of(seed, number, index)) for index, example in enumerate(examples)]
    out: list[Example] = []
    for index, example in enumerate(examples):
        mates = groups[(example.group, example.masked)]
        if rng.random() >= mosaics or len(mates) < 4:
            out.append(changed[index])
            continue
        # A mosaic keeps its first part's label: a normal one needs three normal mates.
        fitting = [m for m in mates if m != index and examples[m].label <= example.label]
        if len(fitting) < 3:
            out.append(changed[index])
            continue
        others = rng.choice(fitting, size=3, replace=False)
        source = examples if whole else changed
        parts = [source[index], *(source[int(m)] for m in others)]
        mosaic = Mosaic(tuple(parts[i] for i in rng.permutation(4)), side=1024)
        out.append(replace(changed[index], base=mosaic) if whole else mosaic)
    return out


def seed_of(seed: int, view: int, index: int) -> int:
    """Return a 32-bit seed for one draw; the same for any number of workers and processes.

    >>> seed_of(111, 1, 0) == seed_of(111, 1, 0) != seed_of(111, 2, 0)
    True
    """
    return int.from_bytes(hashlib.sha256(f"{seed},{view},{index}".encode()).digest()[:4], "little")


@lru_cache(maxsize=8)
def _augment(config: AugmentConfig) -> Augment:
    return Augment(config)


@lru_cache(maxsize=1)
def _kornia_version() -> str:
    try:
        return importlib.metadata.version("kornia")
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError("augment: {by: batch} (kornia)", "torch") from None


def _albumentations() -> Any:
    """Import albumentations 2.0.8 without its look-up of a newer version on the network."""
    try:
        importlib.metadata.version("albumentationsx")
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        raise UsageError(
            "AlbumentationsX is installed: it is AGPL and takes the import name of albumentations; "
            "pip uninstall albumentationsx && pip install --force-reinstall albumentations==2.0.8"
        )
    before = os.environ.get("NO_ALBUMENTATIONS_UPDATE")
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        import albumentations
    except ImportError:
        raise MissingExtraError("augmentation", "torch") from None
    finally:
        if before is None:
            del os.environ["NO_ALBUMENTATIONS_UPDATE"]
        else:
            os.environ["NO_ALBUMENTATIONS_UPDATE"] = before
    return albumentations
