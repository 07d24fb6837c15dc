"""Stage 5, map -> the size of the original image; regions and verdict follow on the Result."""

from __future__ import annotations

import numpy as np
from PIL import Image

from zsad.types import FloatArray


def resize_map(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize a map bilinearly, without smoothing anything away when it shrinks.

    Args:
        values: float32 ``(S, S)`` in [0, 1].
        size: ``(H, W)`` in pixels.

    Returns:
        float32 ``(H, W)`` in [0, 1].
    """
    if values.shape == size:
        return np.ascontiguousarray(values, dtype=np.float32)
    H, W = size
    resized = Image.fromarray(np.ascontiguousarray(values, dtype=np.float32), mode="F").resize(
        (W, H), Image.Resampling.BILINEAR
    )
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)
