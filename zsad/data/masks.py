"""Mask files -> 0 and 1, whatever way a dataset writes them, and which way up they lie on their image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zsad.data.files import entries
from zsad.data.mask_values import Cut, cut
from zsad.errors import DatasetError, InputError
from zsad.images.files import SUFFIXES, named_errors, opened
from zsad.images.headers import Header, header_of, load, read_header, turned
from zsad.types import Sample


@dataclass(frozen=True)
class Truth:
    """A sample's mask, and how its image is to be read so that they lie on each other.

    Attributes:
        mask: uint8 ``(H, W)`` of 0 and 1.
        upright: whether the image's EXIF orientation is applied; else its pixels are taken as they are stored.
        notes: what was made of the files' values, one phrase each.
    """

    mask: npt.NDArray[np.uint8]
    upright: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Part:
    """One file of a mask: its values as they are stored, and its header."""

    values: Cut
    header: Header


def read_truth(sample: Sample) -> Truth:
    """Read a sample's mask, and tell whether it is drawn on the stored or on the upright picture.

    Sizes tell where the orientation exchanges the sides; else ``sample.upright`` must, unless it makes no difference.

    Raises:
        DatasetError: unreadable, of another size than the image, or drawn nobody knows which way up.
    """
    header = _header(sample.image)
    parts = _parts(sample, header)
    readings = _readings(sample, header, parts)
    upright = sample.upright if sample.upright in readings else readings[0]
    mask = _united(parts, header, upright)
    unsaid = sample.upright is None and len(readings) == 2 and all(part.header.orientation == 1 for part in parts)
    if unsaid and not np.array_equal(turned(mask, header.orientation), mask):
        raise DatasetError(
            f"{sample.image}: EXIF orientation {header.orientation}, and its mask fits the stored picture as well as "
            "the upright one; say which with --masks stored or --masks upright"
        )
    return Truth(mask, upright, tuple(dict.fromkeys(part.values.note for part in parts if part.values.note)))


def read_mask(sample: Sample) -> npt.NDArray[np.uint8]:
    """Read a sample's mask at its own size.

    A pixel is defect if its brightest channel is above ``sample.mask_threshold``, or as
    :func:`zsad.data.mask_values.cut` says. A folder of masks is united. A normal sample without a mask gets zeros.

    Args:
        sample: a sample of a class that has masks.

    Returns:
        uint8 ``(H, W)`` of 0 and 1, of the image's size upright or as stored.

    Raises:
        DatasetError: unreadable, or not of the image's size (both are named).
    """
    header = _header(sample.image)
    parts = _parts(sample, header)
    return _united(parts, header, _readings(sample, header, parts)[0])


def contradiction(sample: Sample, truth: Truth) -> str:
    """Say how a sample's label and the content of its mask contradict each other, or return ``""``."""
    if sample.label == 1 and not truth.mask.any():
        return f"{sample.mask}: no defect pixel in it, though its image is anomalous"
    if sample.label == 0 and truth.mask.any():
        return f"{sample.mask}: a defect pixel in it, though its image is labelled normal"
    return ""


def told_upright(sample: Sample) -> bool | None:
    """Say whether sizes tell that a mask is drawn on the upright picture; None if they don't.

    Raises:
        DatasetError: unreadable.
    """
    header = _header(sample.image)
    if header.orientation < 5 or sample.mask is None or header.size == header.upright:
        return None
    sizes = {_header(file).size for file in mask_files(sample.mask)}
    return {frozenset({header.size}): False, frozenset({header.upright}): True}.get(frozenset(sizes))


def mask_files(mask: Path) -> list[Path]:
    """Return the files of a mask: itself, or all images of a folder, without hidden ones.

    Raises:
        DatasetError: a folder without an image.
    """
    if not mask.is_dir():
        return [mask]
    files = [file for file in entries(mask) if file.suffix.lower() in SUFFIXES]
    if not files:
        raise DatasetError(f"{mask}: a folder of masks without an image in it")
    return files


def _header(path: Path) -> Header:
    try:
        return read_header(path)
    except InputError as error:
        raise DatasetError(str(error)) from None


def _parts(sample: Sample, image: Header) -> list[_Part]:
    files = mask_files(sample.mask) if sample.mask is not None else []
    return [_part(file, sample, image) for file in files]


def _part(path: Path, sample: Sample, image: Header) -> _Part:
    try:
        with named_errors(str(path)), opened(path) as mask:
            header = header_of(mask)
            if {header.size, header.upright}.isdisjoint({image.size, image.upright}):
                raise InputError(_mismatch(path, header, sample, image))
            jpeg = mask.format in ("JPEG", "MPO")
            stored, _ = load(mask, upright=False)
        return _Part(cut(stored, sample.mask_threshold, jpeg=jpeg), header)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from None
    except InputError as error:
        raise DatasetError(str(error)) from None


def _readings(sample: Sample, image: Header, parts: list[_Part]) -> tuple[bool, ...]:
    """Return which readings fit, False for stored and True for upright; a file's own orientation binds it."""
    if not parts:
        return (bool(sample.upright),)
    own = {part.header.orientation for part in parts}
    stored = all(part.header.size == image.size for part in parts) and own in ({1}, {image.orientation})
    upright = all(part.header.upright == image.upright for part in parts)
    readings = tuple(reading for reading, fits in ((False, stored), (True, upright)) if fits)
    if sample.upright is not None and len(readings) == 1 and sample.upright not in readings and image.orientation > 1:
        readings = ()
    if not readings:
        raise DatasetError(_mismatch(sample.mask or sample.image, parts[0].header, sample, image))
    return readings


def _united(parts: list[_Part], image: Header, upright: bool) -> npt.NDArray[np.uint8]:
    mask = np.zeros(image.upright if upright else image.size, np.uint8)
    for part in parts:
        mask |= turned(part.values.pixels, part.header.orientation) if upright else part.values.pixels
    return mask


def _mismatch(path: Path, mask: Header, sample: Sample, image: Header) -> str:
    asked = "" if sample.upright is None else f"; they don't fit {'upright' if sample.upright else 'as stored'}"
    return f"{path}: mask of {_shown(mask)}, but {sample.image} has {_shown(image)}{asked}"


def _shown(header: Header) -> str:
    height, width = header.size
    turned_by = f" (EXIF orientation {header.orientation})" if header.orientation > 1 else ""
    return f"{width} x {height} px{turned_by}"
