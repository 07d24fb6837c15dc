"""One sample -> map, mask and score at the resolution that is measured."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from zsad.data.masks import contradiction, read_truth
from zsad.detector.base import Detector
from zsad.errors import DatasetError, UsageError
from zsad.images.postprocess import resize_map
from zsad.images.preprocess import Decoded
from zsad.outside import shown
from zsad.types import FloatArray, Result, Sample, Verdict

Resolution: TypeAlias = str | int
"""``"model"`` (S x S), ``"original"`` (the image's own size), or a side in pixels."""


@dataclass(frozen=True)
class Opened:
    """One sample in memory, before the detector sees it.

    Attributes:
        image: the decoded image.
        mask: uint8 of 0 and 1 at the measured resolution; None where the class has no masks.
        notes: what was made of the mask file's values, one phrase each.
        unmarked: what is said of an anomalous image whose mask has no defect pixel, which has no part in pixel metrics.
    """

    image: Decoded
    mask: npt.NDArray[np.uint8] | None
    notes: tuple[str, ...] = ()
    unmarked: str = ""


@dataclass(frozen=True)
class View:
    """One sample as it is measured.

    Attributes:
        score: in [0, 1].
        map: float32 at the measured resolution, in [0, 1].
        mask: uint8 of the same size, 0 or 1; None where the class has no masks.
        seconds: time in the detector.
        verdict: the detector's, at the image's own size; None if it has no thresholds.
        notes: as in :class:`Opened`.
        unmarked: as in :class:`Opened`.
    """

    score: float
    map: FloatArray
    mask: npt.NDArray[np.uint8] | None
    seconds: float
    verdict: Verdict | None = None
    notes: tuple[str, ...] = ()
    unmarked: str = ""


def parse_resolution(text: str | int) -> Resolution:
    """Read ``model``, ``original`` or a side in pixels.

    Raises:
        UsageError: anything else.

    >>> parse_resolution("256")
    256
    """
    if text in ("model", "original"):
        return text
    try:
        side = int(text)
    except ValueError:
        side = 0
    if not 16 <= side <= 8192:
        raise UsageError(f"resolution {shown(text)}: give model, original, or a side of 16 to 8192 pixels")
    return side


def upright(detector: Detector) -> Detector:
    """Return the detector without EXIF rotation: masks lie on stored pixels, unless a sample says otherwise."""
    return detector.with_options(orient=False) if detector.orient else detector


def view(detector: Detector, sample: Sample, resolution: Resolution) -> View:
    """Inspect one sample by itself.

    Args:
        detector: any detector; one that cuts no tiles gives its own S x S map.
        sample: a labelled sample.
        resolution: what map and mask are resized to.

    Raises:
        InputError: the image can't be used.
        DatasetError: the mask can't be read, or has another size than the image.
    """
    return look(detector, opened(detector, sample, resolution), resolution)


def opened(detector: Detector, sample: Sample, resolution: Resolution) -> Opened:
    """Read image and mask of a sample; safe to call from a reader thread. Arguments and errors as :func:`view`."""
    truth = read_truth(sample) if sample.has_masks else None
    orient = truth.upright if truth is not None else sample.upright is not False
    reader = detector if detector.orient == orient else detector.with_options(orient=orient)
    image = reader.decode(sample.image)
    if truth is None:
        return Opened(image, None)
    wrong = contradiction(sample, truth)
    if wrong and sample.label == 0:
        raise DatasetError(wrong)
    side = _side(detector, resolution)
    mask = truth.mask if side is None else shrink_mask(truth.mask, side)
    return Opened(image, None if wrong else mask, truth.notes, wrong)


def look(detector: Detector, sample: Opened, resolution: Resolution) -> View:
    """Inspect what was opened; safe to call from several threads if the detector says so."""
    start = time.perf_counter()
    if resolution == "original" or detector.tile is not None:
        result = detector(sample.image)
        values, score, verdict = result.map, result.score, result.verdict
    else:
        values, score = detector.raw(sample.image)
        verdict = _judged(detector, values, score, sample.image.size)
    seconds = time.perf_counter() - start
    side = _side(detector, resolution)
    shown = resize_map(values, sample.image.size if side is None else (side, side))
    return View(score, shown, sample.mask, seconds, verdict, sample.notes, sample.unmarked)


def _judged(detector: Detector, values: FloatArray, score: float, size: tuple[int, int]) -> Verdict | None:
    """Judge an S x S map as the detector judges it, at the image's own size."""
    judged = detector.thresholds
    if not judged.judges:
        return None
    return Result(score, resize_map(values, size) if "pixel" in judged.uses else values, judged).verdict


def _side(detector: Detector, resolution: Resolution) -> int | None:
    """Return the side that is measured at, or None for the image's own size."""
    if resolution == "original":
        return None
    return detector.card.input.image_size if resolution == "model" else int(resolution)


def shrink_mask(mask: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Resize a mask to a square as the published tables do.

    Args:
        mask: uint8 ``(H, W)`` of 0 and 1.
        side: S in pixels.

    Returns:
        uint8 ``(S, S)`` of 0 and 1.

    Source: AnomalyCLIP ``dataset.py`` and ``test.py``, from their description: 0 and 255, antialiased bilinear resize
    with PIL, above one half.
    """
    soft = Image.fromarray(mask * np.uint8(255)).resize((side, side), Image.Resampling.BILINEAR)
    return (np.asarray(soft, np.float32) / np.float32(255) > 0.5).astype(np.uint8)
