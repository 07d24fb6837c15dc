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
from zsad.verdicts import NEVER, RULES, Fired, Limit, Look, Rule, Thresholds, Verdict, shown

if TYPE_CHECKING:
    from PIL import Image

    from zsad.pictures.results import Kind

__all__ = [
    "NEVER",
    "RULES",
    "BoolArray",
    "ByteArray",
    "Channels",
    "Features",
    "Fired",
    "FloatArray",
    "ImageLike",
    "Limit",
    "Look",
    "PromptVectors",
    "Region",
    "Regions",
    "Result",
    "Rule",
    "Sample",
    "Thresholds",
    "Verdict",
    "shown",
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
        ValueError: shapes that do not fit each other, no anomalous direction, or nothing in them.
    """

    image: FloatArray
    pixel: FloatArray
    names: tuple[str, ...] = ("anomalous",)

    def __post_init__(self) -> None:
        if self.image.ndim != 2 or not self.names or len(self.image) != 1 + len(self.names) or not self.image.size:
            raise ValueError(f"image vectors must be (1 + {len(self.names)}, D), got {self.image.shape}")
        if self.pixel.ndim != 3 or not len(self.pixel) or self.pixel.shape[1:] != self.image.shape:
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
        thresholds: what turns score and map into a verdict; without any there is none.
        name: where the image came from, or ``""``.
        notes: what was done to read the image, such as ``"16-bit scaled by 1/257"``.
        outline: map value from which regions are drawn where no pixel threshold is given: a hint, no verdict.
        model: name on the card of the model that said it.
        image: the decoded image ``(H, W)`` that pictures are drawn on; None where nobody has it.
    """

    score: float
    map: FloatArray = field(repr=False)
    thresholds: Thresholds = field(default_factory=Thresholds)
    name: str = ""
    notes: tuple[str, ...] = ()
    outline: float = 0.5
    model: str = ""
    image: Image.Image | None = field(default=None, repr=False, compare=False)

    @property
    def level(self) -> float | None:
        """Map value from which pixels belong to :attr:`mask`; None for never.

        It is the pixel threshold, or, where none is given, :attr:`outline`.
        """
        pixel = self.thresholds.pixel
        return self.outline if pixel is None else None if isinstance(pixel, str) else pixel

    @cached_property
    def mask(self) -> BoolArray:
        """Bool ``(H, W)``: pixels whose map value reaches :attr:`level`."""
        if self.level is None:
            return np.zeros(self.map.shape, dtype=np.bool_)
        reached = np.asarray(self.map >= self.level)
        roi = self.thresholds.roi
        return reached if roi is None else reached & roi.inside(*self.map.shape)

    @cached_property
    def counted(self) -> FloatArray:
        """Float32 ``(H, W)``: the map where it counts, and 0 outside of the regions of interest."""
        roi = self.thresholds.roi
        return self.map if roi is None else np.where(roi.inside(*self.map.shape), self.map, np.float32(0))

    @cached_property
    def regions(self) -> Regions:
        """Connected regions of :attr:`mask` of at least the smallest area, highest score first."""
        return find_regions(self.map, self.mask, self.thresholds.min_area or 0.0)

    @cached_property
    def fired(self) -> tuple[Fired, ...]:
        """What made the verdict anomalous, of ``"score"`` and ``"region"``; of what the rule looks at only."""
        uses, image = self.thresholds.uses, self.thresholds.image
        score = "image" in uses and not isinstance(image, str) and self.score >= (2.0 if image is None else image)
        region = "pixel" in uses and bool(self.regions)
        named: tuple[tuple[Fired, bool], ...] = (("score", score), ("region", region))
        return tuple(name for name, fires in named if fires)

    @property
    def verdict(self) -> Verdict | None:
        """``"anomalous"`` if anything fired, else ``"normal"``; None while no threshold is given."""
        if not self.thresholds.judges:
            return None
        return "anomalous" if self.fired else "normal"

    def with_thresholds(self, thresholds: Thresholds) -> Result:
        """Return the same scores judged by other thresholds; those that are not given stay as they are."""
        return replace(self, thresholds=thresholds.over(self.thresholds))

    def overlay(self, *, labels: bool | Sequence[str] = True, legend: bool = True) -> ByteArray:
        """Return the picture that ``zsad detect`` writes: heat, outlines and boxes over the image.

        Args:
            labels: whether boxes carry rank and score; or a text for each region, in their order.
            legend: whether score, verdict and colour bar are drawn, if the image is large enough.

        Returns:
            uint8 ``(H, W, 3)`` RGB.

        Raises:
            InputError: the result holds no image.
        """
        from zsad.pictures.results import overlay_of

        return np.asarray(overlay_of(self, labels=labels, legend=legend))

    def save(self, path: str | Path, kind: Kind | None = None) -> Path:
        """Write overlay, heatmap or map to a file, whole or not at all; never over an input or a foreign file.

        Args:
            path: ``.png`` or ``.jpg`` for pictures, ``.npy`` or ``.png`` for the map; its folder is made.
            kind: ``"overlay"``, ``"heatmap"`` or ``"map"``; by default the map for ``.npy``, the heatmap where the
                file's name has that word, and else the overlay.

        Returns:
            The path.

        Raises:
            UsageError: a name or kind that says nothing.
            OccupiedError: the inspected image, or a file that zsad did not write.
            InputError: an overlay of a result that holds no image.
            OutputError: no space, or not allowed to write.
        """
        from zsad.pictures.results import save

        return save(self, path, kind)

    def to_dict(self) -> dict[str, Any]:
        """Return what a row of ``zsad detect`` says of the image, under the same keys, as plain values for JSON.

        ``run``, ``stamp``, ``ms`` and ``files`` are not in it: those are of a run.
        """
        from zsad.facts import facts_of, named, plain

        return {**named(self.name), "model": self.model, **plain(facts_of(self))}

    def to_supervision(self, *, masks: bool = True) -> Any:
        """Return the regions as ``supervision.Detections``; errors as :func:`zsad.pictures.detections.detections`."""
        from zsad.pictures.detections import detections

        return detections(self, masks)

    def _repr_png_(self) -> bytes:
        """Return the picture that a notebook shows."""
        from zsad.pictures.results import figure_png

        return figure_png(self)

    def __repr__(self) -> str:
        from zsad.facts import said

        return said(self)


@dataclass(frozen=True)
class Sample:
    """One labelled image of a dataset.

    Attributes:
        image: path of the image file.
        label: 0 normal, 1 anomalous, or None if unknown.
        mask: path of the mask file, or None. Any grey value above ``mask_threshold`` is defect.
        class_name: the object class that metrics are averaged over.
        defect: name of the defect kind, ``"good"`` for normal images, ``""`` if unknown.
        key: a name of the image that is unique in its dataset, for reports.
        dataset: the dataset's key.
        has_masks: whether its class has masks at all; a normal image of such a class has an all-zero one.
        upright: whether the mask lies on the upright picture, not on the stored pixels; None: their sizes tell.
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
    upright: bool | None = None
