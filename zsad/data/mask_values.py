"""One mask picture -> 0 and 1: which channel holds the defect, and from which value on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter

ALPHA = "defect read from the alpha channel"
SOFT = "soft edges cut at the middle"
JPEG_THRESHOLD = 127
"""JPEG blurs a mask's edge with values around 0 and 255, so its middle is the border."""
_MIDDLE = 127
_SHARE, _SHARE_OF_NOISE = 0.3, 0.15
"""Of pixels between: drawn shapes give 0.39 to 1 soft and at most 0.27 as labels; 0.21 to 0.76 noise, 0 as labels."""


@dataclass(frozen=True)
class Cut:
    """A mask of 0 and 1.

    Attributes:
        pixels: uint8 ``(H, W)`` of 0 and 1.
        note: what was made of the file's values, if they were not plain; a phrase.
    """

    pixels: npt.NDArray[np.uint8]
    note: str = ""


def cut(image: Image.Image, threshold: int = 0, *, jpeg: bool = False) -> Cut:
    """Tell defect from background in a mask of any mode that PIL reads.

    A pixel is defect if its brightest channel is above ``threshold``; the defect may be in the alpha channel instead.
    Soft edges, as scaling and JPEG leave them, are cut at the middle of the mask's own range.

    Args:
        image: a mask, loaded.
        threshold: value above which a pixel is defect; labels of 1, 2, 3, ... are all defect at 0.
        jpeg: whether the file is JPEG; then the value is above 127 at least.

    Raises:
        ValueError: values that are no numbers.
    """
    values, note = _values(image)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError("contains NaN or infinite values; save the mask anew")
    if jpeg:
        return Cut((values > max(threshold, JPEG_THRESHOLD)).astype(np.uint8), note)
    if is_soft(values):
        middle = float(values.max()) / 2
        return Cut((values > max(float(threshold), middle)).astype(np.uint8), "; ".join(filter(None, (note, SOFT))))
    return Cut((values > threshold).astype(np.uint8), note)


def is_soft(values: npt.NDArray[Any]) -> bool:
    """Whether a mask's values between 0 and the highest are edges, and no labels.

    Labels lie in areas of their own: next to a pixel of one there is hardly ever both a lower and a higher value. A
    blurred, scaled or JPEG-made edge consists of such pixels. Where there are values of the middle range, they decide;
    the noise that JPEG leaves close to 0 and to the highest value is left aside then.

    Args:
        values: ``(H, W)`` of any numbers.

    >>> ramp = np.clip(np.arange(64) * 12 - 300, 0, 255).astype(np.uint8)
    >>> bool(is_soft(np.tile(ramp, (8, 1)))), bool(is_soft(np.repeat(np.arange(4), 4)[None].repeat(8, 0)))
    (True, False)
    """
    top = values.max()
    between = (values > 0) & (values < top)
    if top <= 0 or not between.any():
        return False
    middle = between & (values > top * 0.1) & (values < top * 0.9)
    chosen, least = (middle, _SHARE) if middle.any() else (between, _SHARE_OF_NOISE)
    edge = (minimum_filter(values, 3) < values) & (maximum_filter(values, 3) > values)
    return bool(edge[chosen].mean() > least)


def _values(image: Image.Image) -> tuple[npt.NDArray[Any], str]:
    """Return one number a pixel, and a note if it is not the brightness."""
    if image.mode.startswith(("I", "F")) or image.mode == "L":
        return np.asarray(image), ""
    if image.mode == "1":
        return np.asarray(image.convert("L")), ""
    # By colour, not by index: which index is the background is the palette's choice.
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or (image.mode == "P" and "transparency" in image.info):
        straight = image.convert("LA") if image.mode == "La" else image
        return _with_alpha(np.asarray(straight.convert("RGBA")))
    return np.asarray(image.convert("RGB")).max(axis=2), ""


def _with_alpha(pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], str]:
    """Choose between colour and alpha, uint8 ``(H, W, 4)``: what a person sees on black, or else what is painted."""
    colour, alpha = pixels[:, :, :3].max(axis=2), pixels[:, :, 3]
    one_alpha, one_colour = int(alpha.min()) == int(alpha.max()), int(colour.min()) == int(colour.max())
    if one_alpha:  # says nothing; but a canvas that nothing was painted on is empty, whatever its hidden colour
        empty = one_colour and int(alpha.max()) == 0
        return (alpha, ALPHA) if empty else (colour, "")
    seen = np.where(alpha > _MIDDLE, colour, np.uint8(0))
    if one_colour or not seen.any():
        return alpha, ALPHA
    return seen, ""
