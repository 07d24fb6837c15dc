"""The colour table of heatmaps: dark violet over red and orange to pale yellow, evenly brighter with value."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

ByteArray: TypeAlias = npt.NDArray[np.uint8]
FloatArray: TypeAlias = npt.NDArray[np.float32]
_ANCHORS = ("0c0a24", "3a1560", "7d1f77", "bf2f63", "e9533c", "f98b22", "fbc544", "fdf9cf")
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)


@lru_cache(maxsize=1)
def heat_table() -> ByteArray:
    """Return the colours of the values 0 to 255.

    Interpolated in OKLab, where equal steps of lightness look equal; lightness rises linearly, so that the
    order of values is readable in grey and for colour-blind eyes too.

    Returns:
        uint8 ``(256, 3)`` RGB.
    """
    anchors = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in _ANCHORS]) / 255.0
    lab = np.cbrt(_to_linear(anchors) @ _LMS.T) @ _OKLAB.T  # (8, 3)
    lightness = np.linspace(lab[0, 0], lab[-1, 0], 256)
    a, b = (np.interp(lightness, lab[:, 0], lab[:, channel]) for channel in (1, 2))
    lms = (np.stack([lightness, a, b], axis=1) @ np.linalg.inv(_OKLAB).T) ** 3
    rgb = _from_linear(np.clip(lms @ np.linalg.inv(_LMS).T, 0.0, 1.0))
    table = np.rint(rgb * 255.0).astype(np.uint8)
    table.flags.writeable = False
    return table


def to_bytes(values: FloatArray) -> ByteArray:
    """Scale a map from [0, 1] to 0..255, the same for every image.

    Args:
        values: float32 of any shape, in [0, 1].

    Returns:
        uint8 of the same shape.
    """
    scaled = np.multiply(values, np.float32(255), dtype=np.float32)
    scaled += np.float32(0.5)
    return scaled.astype(np.uint8)


def heatmap(values: FloatArray) -> Image.Image:
    """Paint a map in the colours of :func:`heat_table`.

    Args:
        values: float32 ``(H, W)`` in [0, 1].

    Returns:
        Palette image ``(H, W)``: the index of a pixel is its value times 255, so that the picture can be read
        back as a map.
    """
    image = Image.fromarray(to_bytes(values), mode=None)
    image.putpalette(heat_table().tobytes())
    return image


def _to_linear(srgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _from_linear(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
