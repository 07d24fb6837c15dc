"""Maps of every frame as one ``.npy`` file of the frames' size, written as they come: what the pixel level reads."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zsad.files import PART, output_errors
from zsad.types import FloatArray

if TYPE_CHECKING:
    from zsad.video.frames import Video
    from zsad.video.methods.look import Look

MAPS = "maps.npy"
_HEAD = 128
"""Bytes before the numbers, of which the last ones are known only at the end."""


class MapsFile:
    """``maps.npy``, float32 ``(frames, H, W)``; frames that nobody looked at have the map before.

    Args:
        folder: where it goes; an earlier one is replaced by :meth:`close`, and not before.

    Raises:
        OutputError: it can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MAPS
        self._part = folder / f".{uuid.uuid4().hex}{PART}"
        self._frames, self._size = 0, (0, 0)
        self._last: FloatArray | None = None
        with output_errors(folder):
            self._file = self._part.open("wb")
            self._file.write(bytes(_HEAD))

    def __enter__(self) -> MapsFile:
        return self

    def __exit__(self, *ending: object) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)  # nothing stays of what was not finished

    def of_look(self, look: Look, video: Video) -> None:
        """Put down what a method says of a frame; see :meth:`add`."""
        self.add(look.frame.index, look.map, (video.height, video.width))

    def add(self, index: int, values: FloatArray, size: tuple[int, int]) -> None:
        """Put down the map of a frame.

        Args:
            index: of the frame; larger than those before.
            values: float32 ``(h, w)`` of any size, in the unit of scores.
            size: ``(H, W)`` of the frame in pixels; a frame of another size than the first gets that one's.

        Raises:
            OutputError: no space left.
        """
        if self._last is None:
            self._size = size
        self._until(index)
        self._last = _resized(values, self._size)
        self._until(index + 1)

    def close(self, n_frames: int) -> None:
        """Finish the file: as many maps as the video has frames; nothing is written of a video without one.

        Raises:
            OutputError: no space left.
        """
        if self._last is None:
            return
        self._until(n_frames)
        shape = (self._frames, *self._size)
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
        length = _HEAD - 10
        with output_errors(self.path):
            self._file.seek(0)
            self._file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1) + b"\n")
            self._file.close()
            self._part.replace(self.path)

    def _until(self, frames: int) -> None:
        if self._last is None:
            return
        data = np.ascontiguousarray(self._last, "<f4").tobytes()
        with output_errors(self.path):
            for _ in range(self._frames, frames):
                self._file.write(data)
        self._frames = max(self._frames, frames)


def _resized(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Resize a map bilinearly; unlike a detector's, it may lie above 1."""
    H, W = size
    image = Image.fromarray(np.ascontiguousarray(values, np.float32), mode="F")
    return np.asarray(image.resize((W, H), Image.Resampling.BILINEAR), np.float32)
