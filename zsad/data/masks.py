"""Mask files -> 0 and 1, whatever way a dataset writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from zsad.data.files import IMAGE_SUFFIXES
from zsad.errors import DatasetError
from zsad.images.files import quiet
from zsad.types import Sample

JPEG_THRESHOLD = 127
"""JPEG blurs a mask's edge with values around 0 and 255, so its middle is the border."""


def read_mask(sample: Sample, size: tuple[int, int] | None = None) -> npt.NDArray[np.uint8]:
    """Read a sample's mask at its own size.

    Grey, integer, 1-bit, palette (by colour), RGB(A) and 16-bit masks: a pixel is defect if its brightest channel
    is above ``sample.mask_threshold`` (above 127 at least in a JPEG). A folder of masks is united. A normal sample
    without a mask gets zeros.

    Args:
        sample: a sample of a class that has masks.
        size: ``(H, W)`` of the image; read from the image file if not given.

    Returns:
        uint8 ``(H, W)`` of 0 and 1.

    Raises:
        DatasetError: unreadable, or not of the image's size (both are named).
    """
    size = size or image_size(sample.image)
    if sample.mask is None:
        return np.zeros(size, np.uint8)
    mask = np.zeros(size, np.uint8)
    for file in mask_files(sample.mask):
        part = _binary(file, sample.mask_threshold)
        if part.shape != size:
            raise DatasetError(
                f"{file}: mask of {part.shape[1]} x {part.shape[0]} px, but {sample.image} has {size[1]} x {size[0]} px"
            )
        mask |= part
    return mask


def mask_files(mask: Path) -> list[Path]:
    """Return the files of a mask: itself, or all images of a folder.

    Raises:
        DatasetError: a folder without an image.
    """
    if not mask.is_dir():
        return [mask]
    files = sorted(file for file in mask.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DatasetError(f"{mask}: a folder of masks without an image in it")
    return files


def image_size(path: Path) -> tuple[int, int]:
    """Return ``(H, W)`` of an image file from its header.

    Raises:
        DatasetError: unreadable.
    """
    try:
        with quiet, Image.open(path) as image:
            return image.height, image.width
    except Exception as error:  # decoders raise anything
        raise DatasetError(f"{path}: {_why(path, error)}") from None


def _binary(path: Path, threshold: int) -> npt.NDArray[np.uint8]:
    try:
        with quiet, Image.open(path) as image:  # PIL has advice on palettes with transparency
            if image.format == "JPEG":
                threshold = max(threshold, JPEG_THRESHOLD)
            # By colour, not by index: which index is the background is the palette's choice.
            values = np.asarray(
                image.convert("L" if image.mode in ("1", "LA") else "RGB")
                if image.mode in ("1", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr")
                else image
            )
    except Exception as error:  # decoders raise anything
        raise DatasetError(f"{path}: {_why(path, error)}") from None
    if values.ndim == 3:
        values = values.max(axis=2)
    return (values > threshold).astype(np.uint8)


def _why(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    try:
        if path.stat().st_size == 0:
            return "empty file"
    except OSError:
        pass
    detail = " ".join(str(error).split())
    return "not an image that can be read" if "cannot identify" in detail else f"damaged image ({detail})"
