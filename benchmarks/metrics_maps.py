"""The maps that ``metrics_speed.py`` measures, and how a call is timed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 518
Stack = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]


def maps(n: int, side: int = SIDE, seed: int = 0) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]:
    """Yield masks with up to three round or long defects in every second image, and smooth maps that half find them."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:side, :side]
    for i in range(n):
        mask = np.zeros((side, side), np.uint8)
        for _ in range(int(rng.integers(1, 4)) if i % 2 else 0):
            (y, x), r = rng.integers(0, side, 2), int(rng.integers(side // 60 + 1, side // 8))
            mask |= ((yy - y) ** 2 + ((xx - x) * float(rng.uniform(0.4, 3))) ** 2 < r * r).astype(np.uint8)
        coarse = rng.random((14, 14), dtype=np.float32)
        smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        fine = rng.random((side, side), dtype=np.float32)
        blurred = Image.fromarray(mask * 255).resize((side // 8, side // 8), Image.Resampling.BOX)
        found = np.asarray(blurred.resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
        yield mask, np.clip(0.2 + 0.25 * smooth + 0.25 * found + 0.05 * fine, 0, 1).astype(np.float32)


def stack(n: int, side: int = SIDE, seed: int = 0) -> Stack:
    """Return the maps of :func:`maps` as two arrays."""
    pairs = list(maps(n, side, seed))
    return np.stack([mask for mask, _ in pairs]), np.stack([values for _, values in pairs])


@dataclass(frozen=True)
class Taken:
    """Median seconds of a call: by the clock, and of processor time (what other programs don't disturb)."""

    wall: float
    cpu: float


def timed(call: Callable[[], Any], repeats: int = 3) -> Taken:
    """Time a call several times."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Taken(statistics.median(walls), statistics.median(cpus))
