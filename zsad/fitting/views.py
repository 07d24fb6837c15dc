"""Other views of one good image: turned, and shifted a little."""

from __future__ import annotations

import numpy as np
from PIL import Image

TURNS = tuple(range(0, 360, 45))
"""Degrees of the eight views, the image itself among them.

Source: AnomalyDINO (Damm et al., WACV 2025), which turns the reference images by eight angles.
"""


def views(image: Image.Image, count: int) -> list[Image.Image]:
    """Return an image and its turned views, ``count`` (1 or 8) in all, each of the image's own size."""
    return [image] if count == 1 else [turned(image, angle) for angle in TURNS]


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Turn an image about its middle, counter-clockwise; what comes in at the corners is its own mirror image.

    Args:
        image: of mode ``L`` or ``RGB`` (another is made RGB).
        degrees: the angle.

    Returns:
        An image of the same size.
    """
    if degrees % 360 == 0:
        return image
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    pixels = np.asarray(image)
    # A corner is half a diagonal from the middle; mirrored more than once where an image is very long.
    reach = int(np.ceil(np.hypot(*image.size) / 2 - min(image.size) / 2)) + 2
    padded = np.pad(pixels, [(reach, reach), (reach, reach), (0, 0)][: pixels.ndim], mode="symmetric")
    whole = Image.fromarray(padded).rotate(degrees, Image.Resampling.BICUBIC)
    return whole.crop((reach, reach, reach + image.width, reach + image.height))


def shifted(image: Image.Image, share: float) -> Image.Image:
    """Move an image by a share of its sides, right and down; what comes in is its own mirror image."""
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    pixels = np.asarray(image)
    down, right = max(1, round(share * image.height)), max(1, round(share * image.width))
    padded = np.pad(pixels, [(down, 0), (right, 0), (0, 0)][: pixels.ndim], mode="symmetric")
    return Image.fromarray(np.ascontiguousarray(padded[: image.height, : image.width]))
