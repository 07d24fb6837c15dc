"""Maps of a whole video, kept small in a temporary file: for heat on pictures, and for the place of an event."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from zsad.files import output_errors
from zsad.pictures.blocks import pool
from zsad.types import FloatArray
from zsad.video.events import Box

LONGEST = 64
"""Values of the longer side of a map that is kept, at most."""
_LOW, _HIGH = 1e-4, 1e5
_STEPS = 254
PART = 0.5
"""Share of the highest value from which the surroundings belong to an event's place."""


class MapStore:
    """Maps in order, each a byte a value on a logarithmic scale; 2 kB a frame on disk, nothing in memory.

    Args:
        folder: where the temporary file lies, which has no name and goes with this object; by default the system's
            place for such.

    Raises:
        OutputError: it can't be made.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._place = folder or Path(tempfile.gettempdir())
        with output_errors(self._place):
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it lives as long as the store
        self._shape = (0, 0)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, values: FloatArray) -> None:
        """Put down a map ``(h, w)`` from 0 on: the highest value of each block of it.

        Raises:
            OutputError: no space left.
        """
        small = pool(values, max(1, math.ceil(max(values.shape) / LONGEST)))
        if not self._count:
            self._shape = small.shape
        if small.shape != self._shape:  # of a frame of another size: keeps its place in the picture
            rows, columns = (np.arange(n) * m // n for n, m in zip(self._shape, small.shape, strict=True))
            small = small[np.ix_(rows, columns)]
        with output_errors(self._place):
            self._file.seek(0, 2)
            self._file.write(_packed(small).tobytes())
        self._count += 1

    def __getitem__(self, index: int) -> FloatArray:
        """Return a map as it was put down, float32 ``(h', w')``, up to 4 %; its longer side is at most 64."""
        if not -self._count <= index < self._count:
            raise IndexError(index)
        size = self._shape[0] * self._shape[1]
        self._file.seek(index % self._count * size)
        return _unpacked(np.frombuffer(self._file.read(size), np.uint8).reshape(self._shape))

    def region(self, index: int, width: int, height: int) -> Box | None:
        """Return where a map is highest: the box of what is at least half as high, and connected, in pixels.

        Args:
            index: which map.
            width: pixels of a frame.
            height: the same.
        """
        values = self[index]
        if not values.size or values.max() <= 0:
            return None
        labels, _ = ndimage.label(values >= PART * values.max())
        place = np.unravel_index(int(values.argmax()), values.shape)
        rows, columns = np.nonzero(labels == labels[place])
        (h, w), end = values.shape, 1
        x, y = width / w, height / h
        return (
            int(columns.min() * x), int(rows.min() * y),
            math.ceil((int(columns.max()) + end) * x), math.ceil((int(rows.max()) + end) * y),
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _packed(values: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    level = 1 + np.log(np.clip(values, _LOW, _HIGH) / _LOW) * (_STEPS / math.log(_HIGH / _LOW))
    return np.where(values < _LOW, 0, np.rint(level)).astype(np.uint8)


def _unpacked(levels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> FloatArray:
    values = _LOW * np.exp((levels.astype(np.float32) - 1) * np.float32(math.log(_HIGH / _LOW) / _STEPS))
    return np.where(levels == 0, np.float32(0), values).astype(np.float32)
