"""Honest masks: the pixels in which a faulty image can be told from its faultless twin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from zsad.synthetic.sites import Window
from zsad.types import ByteArray, FloatArray

Tone = Callable[[FloatArray, Window], FloatArray]

THRESHOLD = 0.022  # change of a channel, averaged over 3 x 3 pixels, that counts as visible without noise


def bounds(where: FloatArray, margin: int = 2) -> Window | None:
    """The window around all non-zero pixels of ``(h, w)``, or None if there are none."""
    rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
    if not len(rows):
        return None
    h, w = where.shape
    top, bottom = max(int(rows[0]) - margin, 0), min(int(rows[-1]) + margin + 1, h)
    left, right = max(int(columns[0]) - margin, 0), min(int(columns[-1]) + margin + 1, w)
    return slice(top, bottom), slice(left, right)


def visible_change(
    clean: FloatArray, faulty: FloatArray, where: FloatArray, tone: Tone, noise: float = 0.0
) -> ByteArray | None:
    """Where a defect shows.

    Args:
        clean: the faultless image, planar ``(3, h, w)``, before the camera.
        faulty: the image with the defect, before the camera.
        where: ``(h, w)``, non-zero where the defect was put.
        tone: the camera's pointwise effects, on a window.
        noise: standard deviation of the camera's noise in [0, 1].

    Returns:
        ``(h, w)`` uint8 in {0, 1}, or None when what is left is too small or too faint to be called visible.
    """
    box = bounds(where)
    if box is None:
        return None
    before = tone(clean[:, box[0], box[1]], box)
    change = np.abs(tone(faulty[:, box[0], box[1]], box) - before).max(0)
    limit = THRESHOLD + 0.5 * noise
    near = where[box] > 0
    shown = ndimage.uniform_filter(change, 3, mode="nearest") > limit
    reach = int(np.clip(np.sqrt(near.sum()) / 4, 7, 41)) | 1
    dense = ndimage.uniform_filter(shown.astype(np.float32), reach, mode="constant") > 0.3
    shown = (shown | dense) & near
    if shown.sum() > 12:
        parts, count = ndimage.label(shown, np.ones((3, 3), bool))
        if count > 1:
            sizes = np.bincount(parts.ravel())
            sizes[0] = 0
            shown &= (sizes >= min(max(4, sizes.max() // 100), 12))[parts]
    side = max(where.shape)
    if shown.sum() < max(5.0, 8.0 * (side / 256) ** 2):
        return None
    grain = float(np.abs(before[:, 1:] - before[:, :-1]).mean()) if before.shape[1] > 1 else 0.0
    ease = min(1.0, 40.0 / np.sqrt(shown.sum()))  # a large change may be fainter than a small one
    if float(change[shown].mean()) < (0.03 + 0.6 * noise + 0.7 * grain) * max(ease, 0.5):
        return None
    mask = np.zeros(where.shape, np.uint8)
    mask[box] = shown
    return mask


def difference(clean: FloatArray, faulty: FloatArray) -> FloatArray:
    """Where two images differ at all, ``(h, w)`` of 0 and 1."""
    change: FloatArray = np.abs(faulty - clean).max(0)
    return (change > 0.012).astype(np.float32)
