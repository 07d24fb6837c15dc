"""Videos that are a folder of numbered pictures, as Ped2, Avenue and ShanghaiTech come."""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from zsad.errors import InputError
from zsad.images.files import is_clutter, named_errors, opened
from zsad.images.preprocess import decode
from zsad.outside import printable
from zsad.stream.left_out import is_image_name
from zsad.types import ByteArray
from zsad.video.frames import ASSUMED_RATE, Frame, Video

_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$")


class FolderVideo(Video):
    """A folder of numbered pictures of one size, without a gap in their numbers; other files are not looked at.

    Args:
        path: the folder.
        name: what it is called.
        fps: frames per second, 0 where nobody knows.

    Raises:
        InputError: no picture, numbers with a gap or that come twice, pictures without a number, or of several sizes.
    """

    def __init__(self, path: str | Path, name: str, fps: float = 0.0) -> None:
        super().__init__(path, name, "folder")
        self._files = _in_order(path)
        self.width, self.height = _one_size(path, self._files)
        self.fps, self.n_frames = fps, len(self._files)
        if not fps:
            self.notes = (f"its frame rate is not known; dated as if it were {ASSUMED_RATE:g} a second",)

    def every(self) -> Generator[Frame, None, None]:
        """Yield each frame, in the order of the numbers."""
        for index, file in enumerate(self._files):
            self.read = index + 1
            yield Frame(index, index / (self.fps or ASSUMED_RATE), partial(_pixels, file))

    def frames(
        self, stride: int = 1, fps: float | None = None, size: tuple[int, int] | None = None
    ) -> Generator[Frame, None, None]:
        """Yield frames in order, see :meth:`Video.frames`; what is left out is not even opened."""
        try:
            for frame in super().frames(stride, fps):
                pixels = frame.array  # now, so that a damaged picture ends this reading, and not the work on it
                if pixels.shape[:2] != (self.height, self.width):
                    raise InputError(
                        f"{printable(self._files[frame.index])}: {_sized(pixels)}, the first {_sized(self)}"
                    )
                yield frame if size is None else frame.resized(size)
        except InputError as error:
            self.read = max(0, self.read - 1)
            if not self.read:
                raise
            self.fault = str(error)


def numbered(names: Sequence[str]) -> bool:
    """Whether these pictures of a folder are frames by their names: two or more, alike but for their last number.

    >>> numbered(["a_9.png", "a_10.png"]), numbered(["bolt1.png", "nut1.png"]), numbered(["a_1.png"])
    (True, False, False)
    """
    found = [_NUMBER.match(Path(name).stem) for name in names]
    return len(names) > 1 and all(found) and len({(m[1], m[3]) for m in found if m}) == 1


def pictures(folder: str | Path) -> list[Path]:
    """Return the pictures of a folder, sorted by name.

    Raises:
        InputError: it can't be listed.
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError as error:
        raise InputError(f"{printable(folder)}: folder can't be listed ({error.strerror or error})") from None
    return [path for path in entries if is_image_name(path.name) and not is_clutter(path.name) and path.is_file()]


def _in_order(folder: str | Path) -> list[Path]:
    where, files = printable(folder), pictures(folder)
    if not files:
        raise InputError(f"{where}: a folder without numbered pictures is no video; name the videos in it")
    by_number: dict[int, Path] = {}
    for path in files:
        match = _NUMBER.match(path.stem)
        if match is None:
            raise InputError(f"{where}: {printable(path.name)} has no number; a video is a folder of numbered pictures")
        number = int(match[2])
        if number in by_number:
            both = f"{printable(by_number[number].name)} and {printable(path.name)}"
            raise InputError(f"{where}: {both} have the same number; keep the frames of one video in a folder")
        by_number[number] = path
    ordered = sorted(by_number)
    for number, following in itertools.pairwise(ordered):
        if following != number + 1:
            lacking = (
                f"frame {number + 1} is" if following == number + 2 else f"frames {number + 1} to {following - 1} are"
            )
            beside = f"{printable(by_number[number].name)} is followed by {printable(by_number[following].name)}"
            raise InputError(f"{where}: {lacking} absent: {beside}")
    return [by_number[number] for number in ordered]


def _one_size(folder: str | Path, files: Sequence[Path]) -> tuple[int, int]:
    """Return width and height as decoded; sizes of all are compared by their headers."""
    first = _pixels(files[0])
    stored = _stored_size(files[0])
    for file in files[1:]:
        size = _stored_size(file)
        if size != stored:
            sizes = (
                f"{printable(files[0].name)} {stored[0]} x {stored[1]}, {printable(file.name)} {size[0]} x {size[1]}"
            )
            raise InputError(f"{printable(folder)}: frames of several sizes: {sizes}")
    return first.shape[1], first.shape[0]


def _stored_size(file: Path) -> tuple[int, int]:
    with named_errors(str(file)), opened(file) as image:
        return image.size


def _pixels(file: Path) -> ByteArray:
    return np.asarray(decode(file).image.convert("RGB"))


def _sized(what: ByteArray | Video) -> str:
    width, height = (what.width, what.height) if isinstance(what, Video) else what.shape[1::-1]
    return f"{width} x {height}"
