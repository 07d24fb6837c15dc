"""Synthetic defects on a user's own good images."""

from __future__ import annotations

import numpy as np

from zsad.synthetic import captions
from zsad.synthetic.families import EDGE_DEFECTS, SURFACE_DEFECTS
from zsad.synthetic.sites import Window
from zsad.synthetic.spoil import apply
from zsad.synthetic.visible import visible_change
from zsad.types import BoolArray, ByteArray, FloatArray


def add_defect(
    rng: np.random.Generator | int,
    image: ByteArray,
    object_mask: ByteArray | BoolArray | None = None,
    family: str | None = None,
) -> tuple[ByteArray, ByteArray, str]:
    """Put one visible defect on an image.

    Args:
        rng: the only source of chance: a generator, or the seed of one, 0 or more.
        image: ``(H, W, 3)`` uint8 RGB, at least 16 pixels on either side.
        object_mask: ``(H, W)``, non-zero on the object; None when the surface fills the image.
        family: a key of ``DEFECTS`` that works on surfaces; None draws one.

    Returns:
        The changed image ``(H, W, 3)`` uint8, the mask ``(H, W)`` uint8 in {0, 1} of what visibly changed, and the
        family. When nothing visible comes out after several tries (an image all of one colour, say, and a family that
        moves pixels), the image is returned as it was with an empty mask.

    Raises:
        ValueError: for a smaller image, one of another shape or type, a mask of another size, or a family that needs a
            drawing.

    >>> image, mask, family = add_defect(0, np.full((32, 48, 3), 200, np.uint8), family="stain")
    >>> image.shape, mask.shape, mask.dtype.name, bool((image != 200).any(2)[mask == 1].all())
    ((32, 48, 3), (32, 48), 'uint8', True)
    """
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 16:
        raise ValueError(f"image must be (H, W, 3) with H and W at least 16, not {image.shape}")
    if image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 with values from 0 to 255, not {image.dtype}")
    if object_mask is not None and object_mask.shape != image.shape[:2]:
        raise ValueError(f"object_mask must be {image.shape[:2]} as the image is, not {object_mask.shape}")
    if family is not None and family not in SURFACE_DEFECTS:
        raise ValueError(f"family must be one of {sorted(SURFACE_DEFECTS)}, not {family!r}")
    rng = np.random.default_rng(rng)
    h, w = image.shape[:2]
    planar = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32) * np.float32(1 / 255)
    cover: FloatArray | None = None
    behind: FloatArray | None = None
    if object_mask is not None and np.any(object_mask):
        cover = np.asarray(object_mask, bool).astype(np.float32)
        outside = planar[:, cover < 0.5]
        if outside.shape[1]:
            behind = np.empty_like(planar)
            behind[:] = np.median(outside, axis=1)[:, None, None]
    names = [family] if family else [name for name in SURFACE_DEFECTS if cover is not None or name not in EDGE_DEFECTS]
    name = names[0]
    for attempt in range(8):
        name = captions.pick(rng, names)
        changed, where = apply(rng, planar, cover, behind, name, 1 + 0.5 * attempt)
        mask = visible_change(planar, changed, where, _as_is)
        if mask is not None:
            flat = np.clip(changed * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
            return np.ascontiguousarray(flat.transpose(1, 2, 0)), mask, name
    return image.copy(), np.zeros((h, w), np.uint8), name


def _as_is(part: FloatArray, box: Window) -> FloatArray:
    return np.clip(part, 0, 1)
