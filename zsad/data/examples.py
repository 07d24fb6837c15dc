"""Examples: one image with its label and mask, wherever they come from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from zsad.data.masks import contradiction, mask_files, read_truth
from zsad.errors import DatasetError, InputError
from zsad.images.preprocess import check_aspect, decode
from zsad.types import BoolArray, Sample


class Example(Protocol):
    """One image to learn from.

    Attributes:
        name: what reports call it.
        group: its dataset and class; mosaics are made within one group.
        label: 0 normal, 1 anomalous.
        masked: whether it has a mask, or is normal in a set that has masks.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def group(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> int: ...  # noqa: D102
    @property
    def masked(self) -> bool: ...  # noqa: D102

    def identity(self) -> str:
        """Return a hash of all that :meth:`load` depends on; equal identities load equal pixels."""
        ...

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Return the image and its mask ``(H, W)``, or None for an all-zero one.

        Raises:
            InputError: the image or its mask can't be used.
        """
        ...


@dataclass(frozen=True)
class FileExample:
    """An image file of a dataset, with its mask file if it has one; ``bits`` are those of 16-bit images."""

    sample: Sample
    bits: int = 16

    @property
    def name(self) -> str:
        """Path of the image."""
        return str(self.sample.image)

    @property
    def group(self) -> str:
        """Dataset and class."""
        return f"{self.sample.dataset}/{self.sample.class_name}"

    @property
    def label(self) -> int:
        """0 normal, 1 anomalous."""
        return int(self.sample.label or 0)

    @property
    def masked(self) -> bool:
        """Whether the pixel part learns from it."""
        return self.sample.has_masks and (self.label == 0 or self.sample.mask is not None)

    def identity(self) -> str:
        """Hash the bytes of the image and of its mask."""
        mask = self.sample.mask if self.masked and self.label else None
        files = mask_files(mask) if mask else []
        parts = [_bytes_hash(file) for file in (self.sample.image, *files)]
        settings = (self.masked, self.sample.mask_threshold, self.sample.upright, self.bits)
        return digest("file", *map(str, settings), *parts)

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Decode the image; where it has a mask, both are turned as they lie on each other."""
        try:
            truth = read_truth(self.sample) if self.masked and self.sample.mask is not None else None
        except DatasetError as error:
            raise InputError(str(error)) from None
        if truth is not None and (wrong := contradiction(self.sample, truth)):
            raise InputError(wrong)
        unmasked = bool(self.sample.upright) if self.masked else self.sample.upright is not False
        upright = truth.upright if truth else unmasked
        decoded = decode(self.sample.image, bits=self.bits, orient=upright)
        check_aspect(decoded.image.width, decoded.image.height, self.name)
        return decoded.image, truth.mask.astype(bool) if truth else None


def network_mask(mask: BoolArray, side: int) -> BoolArray:
    """Resize a mask ``(H, W)`` to ``(S, S)`` as published: bilinear, anti-aliased, above one half."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize((side, side), Image.Resampling.BILINEAR)
    # ToTensor divides by 255: above one half is 128 and more.
    return np.asarray(np.asarray(grey) > 127)


def digest(*parts: str) -> str:
    """Hash texts so that no two different lists agree; 40 hex digits."""
    joined = hashlib.sha256()
    for part in parts:
        joined.update(f"{len(part)}:{part}".encode())
    return joined.hexdigest()[:40]


def _bytes_hash(path: Path) -> str:
    try:
        facts = path.stat()
        return _file_hash(path, facts.st_size, facts.st_mtime_ns)
    except OSError:
        return "unreadable"  # reading it again gives the named error


@lru_cache(maxsize=65536)
def _file_hash(path: Path, size: int, changed: int) -> str:
    """Hash a file once for each state of it; mosaics ask for the same file many times."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
