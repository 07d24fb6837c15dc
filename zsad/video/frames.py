"""A frame, and what every video offers, wherever its frames come from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from zsad.errors import InputError, UsageError
from zsad.outside import printable
from zsad.types import ByteArray

ASSUMED_RATE = 25.0
"""Frames per second by which frames are dated where neither they nor their file know better."""
_EDGE = 1e-6
"""Share of a tick by which a frame may come before it: 1/3 s in units of a millisecond is 0.333."""


class Frame:
    """One frame, upright; its pixels are made when they are asked for, once.

    Args:
        index: which frame of the video, from 0.
        timestamp: seconds from the first frame.
        pixels: gives uint8 ``(H, W, 3)``, RGB, upright.
        grey: gives uint8 ``(h, w)`` whose longer side is at most that many pixels; by default from ``pixels``.
    """

    __slots__ = ("_array", "_grey", "_image", "_pixels", "index", "timestamp")

    def __init__(
        self,
        index: int,
        timestamp: float,
        pixels: Callable[[], ByteArray],
        grey: Callable[[int], ByteArray] | None = None,
    ) -> None:
        self.index, self.timestamp = index, timestamp
        self._pixels, self._grey = pixels, grey
        self._array: ByteArray | None = None
        self._image: Image.Image | None = None

    @property
    def array(self) -> ByteArray:
        """uint8 ``(H, W, 3)``, RGB, upright."""
        if self._array is None:
            self._array = self._pixels()
        return self._array

    @property
    def image(self) -> Image.Image:
        """PIL image of mode ``RGB``, upright."""
        if self._image is None:
            self._image = Image.fromarray(self.array)
        return self._image

    def grey(self, longest: int) -> ByteArray:
        """Return it grey and small: uint8 ``(h, w)``, 0 to 255.

        Args:
            longest: pixels of its longer side, at least 1; a smaller frame keeps its size.
        """
        if self._grey is not None:
            return self._grey(longest)
        width, height = fitted(self.image.width, self.image.height, longest)
        return np.asarray(self.image.convert("L").resize((width, height), Image.Resampling.BOX))

    def dated(self, index: int, timestamp: float) -> Frame:
        """Return it with another index and time."""
        other = Frame(index, timestamp, self._pixels, self._grey)
        other._array, other._image = self._array, self._image
        return other

    def resized(self, size: tuple[int, int]) -> Frame:
        """Return it at another size ``(width, height)``, by PIL's bicubic filter."""
        return Frame(self.index, self.timestamp, lambda: np.asarray(self.image.resize(size, Image.Resampling.BICUBIC)))


class Video(ABC):
    """Frames in order, as often as they are asked for; also a context manager.

    Attributes:
        path: where it is.
        name: its file's name without the ending of a video, or its folder's name.
        kind: ``"container"``, ``"gif"``, ``"folder"`` or ``"camera"``.
        width: pixels of an upright frame.
        height: the same.
        fps: frames per second, on average; 0 where nobody knows.
        n_frames: how many there are, as its file says; None where that can't be told before reading.
        ahead: frames that may wait between decoding and the work on them.
        notes: what a person should know, one phrase each.
        read: frames that were read since :meth:`frames` was called last, those that were skipped among them.
        fault: why reading broke off or lost frames, in one line; ``""`` while there is nothing to say.
    """

    def __init__(self, path: str | Path, name: str, kind: str) -> None:
        self.path, self.name, self.kind = path, name, kind
        self.width = self.height = 0
        self.fps = 0.0
        self.n_frames: int | None = None
        self.ahead = 8
        self.notes: tuple[str, ...] = ()
        self.read = 0
        self.fault = ""

    @abstractmethod
    def every(self) -> Generator[Frame, None, None]:
        """Yield each frame; sets ``read`` and ``fault``."""

    def frames(
        self, stride: int = 1, fps: float | None = None, size: tuple[int, int] | None = None
    ) -> Generator[Frame, None, None]:
        """Yield frames in order; every frame is decoded, those that are left out are not converted.

        Args:
            stride: frames 0, stride, 2 * stride and so on.
            fps: instead, for each tick k / fps seconds, the first frame at or after it; a frame comes once.
            size: ``(width, height)`` in pixels, by default as they are.

        Raises:
            UsageError: stride and rate contradict each other, or are out of range.
            InputError: not one frame can be read. What breaks off later ends with ``fault``.
        """
        wanted = _choice(stride, fps, self)
        self.read, self.fault = 0, ""
        for frame in self.every():
            if wanted(frame):
                yield frame if size is None else frame.resized(size)
        if not self.read:
            raise InputError(f"{printable(self.path)}: not one frame can be read{': ' * bool(self.fault)}{self.fault}")

    def close(self) -> None:  # noqa: B027 - not abstract: most need nothing
        """Let go of what it holds; a file holds nothing between two readings."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fitted(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the size of a picture whose longer side is at most ``longest`` pixels, of the same shape.

    >>> fitted(1920, 1080, 320), fitted(64, 48, 320)
    ((320, 180), (64, 48))
    """
    scale = min(1.0, longest / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _choice(stride: int, fps: float | None, video: Video) -> Callable[[Frame], bool]:
    if isinstance(stride, bool) or not isinstance(stride, int) or stride < 1:
        raise UsageError(f"stride must be a whole number of at least 1, got {stride}")
    due = 0
    if fps is None:

        def at_stride(frame: Frame) -> bool:
            nonlocal due
            if frame.index < due:
                return False
            due = (frame.index // stride + 1) * stride  # a camera may have dropped the one that was due
            return True

        return at_stride
    if stride != 1:
        raise UsageError("give a stride or a rate of frames, not both")
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"a rate of frames must be above 0, got {fps:g}")
    if video.kind == "folder" and not video.fps:
        raise UsageError(f"{printable(video.path)}: its frame rate is not known; choose its frames by stride")

    def at_tick(frame: Frame) -> bool:
        nonlocal due
        now = frame.timestamp * fps + _EDGE
        if now < due:
            return False
        due = math.floor(now) + 1
        return True

    return at_tick


class Clock:
    """Dates frames: seconds from the first one, never going back.

    A frame without a time of its own follows the one before it by 1 / rate. One whose time lies before that of its
    predecessor, as after a break of a stream, does so too, and later ones count from there.

    Args:
        rate: frames per second, 0 where nobody knows.
    """

    def __init__(self, rate: float) -> None:
        self._step = 1 / (rate or ASSUMED_RATE)
        self._zero: float | None = None  # what the source calls the time of the first frame
        self._known = self._last = 0.0
        self._since = -1  # frames since the last one whose time is known
        self.undated = self.jumps = 0

    def at(self, time: float | None) -> float:
        """Return the time of the next frame, given what the source says of it in seconds."""
        self._since += 1
        guess = self._known + self._since * self._step
        if time is None:
            self.undated += 1
            self._last = max(self._last, guess)
            return self._last
        if self._zero is None:
            self._zero = time - guess
        elif time - self._zero < self._last:
            self.jumps += 1
            self._zero = time - max(self._last, guess)
        self._known = self._last = time - self._zero
        self._since = 0
        return self._last
