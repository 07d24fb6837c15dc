"""What passes between stages: plain numpy records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from zsad.regions import Region, Regions, find_regions

if TYPE_CHECKING:
    from PIL import Image


__all__ = [
    "BoolArray",
    "ByteArray",
    "Channels",
    "Features",
    "FloatArray",
    "ImageLike",
    "PromptVectors",
    "Region",
    "Regions",
    "Result",
    "Sample",
    "Thresholds",
]

FloatArray: TypeAlias = npt.NDArray[np.float32]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
ByteArray: TypeAlias = npt.NDArray[np.uint8]
ImageLike: TypeAlias = "str | Path | bytes | bytearray | memoryview | Image.Image | npt.NDArray[Any]"
"""A path, the bytes of an image file, a PIL image, or an array: ``(H, W)`` grey, ``(H, W, 3)``, ``(H, W, 4)`` with
alpha; uint8, uint16, bool, or float in [0, 1]."""
Channels: TypeAlias = Literal["rgb", "bgr"]
"""Order of the colours in arrays."""


@dataclass(frozen=True)
class Thresholds:
    """When a pixel, a region and an image count as anomalous.

    Attributes:
        image: an image whose score reaches this is anomalous; in [0, 1], or above 1 for never.
        pixel: a pixel whose map value reaches this belongs to the mask; in [0, 1], or above 1 for never.
        min_area: smallest region that makes an image anomalous, as a fraction of the image's pixels.
        calibrated: False while the values are a model's defaults and no normal parts were measured.
    """

    image: float = 0.5
    pixel: float = 0.5
    min_area: float = 0.0
    calibrated: bool = False


@dataclass(frozen=True)
class Features:
    """What a frozen backbone says of images; all that a scorer gets to see.

    Attributes:
        cls: float32 ``(B, D)``, class features, not normalised.
        patches: float32 ``(B, L, N, D)``, patch features of each feature layer, row by row, not normalised.
        grid: side G of the patch grid; N = G².

    Raises:
        ValueError: shapes that do not fit each other.
    """

    cls: FloatArray = field(repr=False)
    patches: FloatArray = field(repr=False)
    grid: int

    def __post_init__(self) -> None:
        cls, patches = self.cls.shape, self.patches.shape
        if len(cls) != 2 or len(patches) != 4 or cls != (patches[0], patches[3]) or patches[2] != self.grid**2:
            raise ValueError(f"features are (B, D) and (B, L, G², D) with G = {self.grid}, got {cls} and {patches}")

    def __len__(self) -> int:
        return len(self.cls)

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """Put the features of several batches of one backbone together, in order; at least one."""
        return cls(np.concatenate([p.cls for p in parts]), np.concatenate([p.patches for p in parts]), parts[0].grid)


@dataclass(frozen=True)
class PromptVectors:
    """Text directions as unit vectors: *normal* (index 0), then one for each named way of being anomalous.

    Attributes:
        image: float32 ``(1 + K, D)``, for the image score.
        pixel: float32 ``(L, 1 + K, D)``, the same for each feature layer, for the map.
        names: what the K anomalous directions stand for.

    Raises:
        ValueError: shapes that do not fit each other, or no anomalous direction.
    """

    image: FloatArray
    pixel: FloatArray
    names: tuple[str, ...] = ("anomalous",)

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or len(self.image) < 2 or len(self.image) != 1 + len(self.names):
            raise ValueError(f"image vectors must be (1 + {len(self.names)}, D), got {self.image.shape}")
        if self.pixel.ndim != 3 or self.pixel.shape[1:] != self.image.shape:
            raise ValueError(f"pixel vectors must be (L, {len(self.image)}, D), got {self.pixel.shape}")

    @classmethod
    def shared(cls, vectors: FloatArray, layers: int, names: tuple[str, ...] = ("anomalous",)) -> PromptVectors:
        """Use the same ``(1 + K, D)`` vectors for the image score and for each of ``layers`` feature layers."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        return cls(image=vectors, pixel=np.repeat(vectors[None], layers, axis=0), names=names)


@dataclass(frozen=True)
class Result:
    """What a detector says about one image.

    Attributes:
        score: how anomalous the image is, in [0, 1].
        map: float32 ``(H, W)`` in [0, 1], at the size of the original image.
        thresholds: what turns score and map into a verdict.
        name: where the image came from, or ``""``.
        notes: what was done to read the image, such as ``"16-bit scaled by 1/257"``.
    """

    score: float
    map: FloatArray = field(repr=False)
    thresholds: Thresholds = Thresholds()
    name: str = ""
    notes: tuple[str, ...] = ()

    @cached_property
    def mask(self) -> BoolArray:
        """Bool ``(H, W)``: pixels whose map value reaches the pixel threshold."""
        return np.asarray(self.map >= self.thresholds.pixel)

    @cached_property
    def regions(self) -> Regions:
        """Connected regions of :attr:`mask` of at least the smallest area, highest score first."""
        return find_regions(self.map, self.mask, self.thresholds.min_area)

    @property
    def anomalous(self) -> bool:
        """True if the score reaches the image threshold or a region of at least the smallest area exists."""
        return self.score >= self.thresholds.image or bool(self.regions)

    def with_thresholds(self, thresholds: Thresholds) -> Result:
        """Return the same scores judged by other thresholds."""
        return replace(self, thresholds=thresholds)


@dataclass(frozen=True)
class Sample:
    """One labelled image of a dataset.

    Attributes:
        image: path of the image file.
        label: 0 normal, 1 anomalous, or None if unknown.
        mask: path of the mask file, or None. Any value above ``mask_threshold`` is defect.
        class_name: the object class that metrics are averaged over.
        defect: name of the defect kind, ``"good"`` for normal images, ``""`` if unknown.
        mask_threshold: grey value above which a mask pixel is defect.
        key: a name of the image that is unique in its dataset, for reports.
        dataset: the dataset's key.
        has_masks: whether this class of the dataset is annotated with masks at all; a normal image of
            such a class has an all-zero mask.
    """

    image: Path
    label: int | None
    mask: Path | None = None
    class_name: str = ""
    defect: str = ""
    mask_threshold: int = 0
    key: str = ""
    dataset: str = ""
    has_masks: bool = False
