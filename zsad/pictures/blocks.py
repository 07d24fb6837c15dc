"""Maps made smaller without losing a small defect: the highest value of each block."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def pool(values: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    """Return the highest value of each ``step x step`` block of an array ``(H, W)`` of values from 0 on.

    Returns:
        The same dtype, ``(ceil(H / step), ceil(W / step))``.
    """
    if step == 1:
        return values.copy()
    height, width = values.shape
    if height % step or width % step:
        values = np.pad(values, ((0, -height % step), (0, -width % step)))
    rows = values.reshape(-1, step, values.shape[1]).max(axis=1)  # whole lines first: four times as fast
    pooled: npt.NDArray[Any] = rows[:, ::step].copy()
    for column in range(1, step):
        np.maximum(pooled, rows[:, column::step], out=pooled)
    return pooled
