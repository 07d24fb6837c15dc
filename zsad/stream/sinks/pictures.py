"""Writes what a run leaves behind: overlay, heatmap, map; each file whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from zsad.errors import OutputError, printable
from zsad.regions import find_regions
from zsad.report.heat import heatmap
from zsad.report.overlay import overlay
from zsad.types import Result

MAP_FORMATS = ("npy", "png16")
LARGEST_OVERLAY = 32_000_000
"""An overlay above this many pixels is written smaller; map and heatmap keep their size."""


@dataclass(frozen=True)
class Folder:
    """Where pictures go.

    Attributes:
        path: the output folder.
        maps: ``"npy"`` (float32), ``"png16"`` (16-bit grey, value times 65535), or None for no map.
    """

    path: Path
    maps: str | None = None

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OutputError: they can't be made.
        """
        for name in ("overlay", "heatmap", *(["map"] if self.maps else [])):
            with output_errors(self.path):
                (self.path / name).mkdir(parents=True, exist_ok=True)

    def write(self, name: str, image: Image.Image, result: Result) -> dict[str, str]:
        """Write the pictures of one image.

        Args:
            name: a safe file name without suffix.
            image: the decoded image.
            result: what was found in it.

        Returns:
            Kind of file -> path below the folder, with forward slashes.

        Raises:
            OutputError: no space, or not allowed to write.
        """
        files = {"overlay": f"overlay/{name}.jpg", "heatmap": f"heatmap/{name}.png"}
        self._save(files["overlay"], lambda to: _overlay(image, result).save(to, "JPEG", quality=90))
        # Level 1 is four times as fast as the default and 10 % larger.
        self._save(files["heatmap"], lambda to: heatmap(result.map).save(to, "PNG", compress_level=1))
        if self.maps == "npy":
            files["map"] = f"map/{name}.npy"
            self._save(files["map"], lambda to: np.save(to, result.map.astype("<f4", copy=False)))
        elif self.maps == "png16":
            files["map"] = f"map/{name}.png"
            wide = np.rint(result.map * np.float32(65535)).astype(np.uint16)
            self._save(files["map"], lambda to: Image.fromarray(wide).save(to, "PNG", compress_level=1))
        return files

    def has(self, files: dict[str, str]) -> bool:
        """Whether everything that a row lists is still there."""
        return all((self.path / path).is_file() for path in files.values())

    def _save(self, name: str, encode: Callable[[BinaryIO], object]) -> None:
        buffer = BytesIO()
        encode(buffer)
        write_whole(self.path / name, buffer.getbuffer())


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write a file under a temporary name, then rename it: a reader never sees half of it.

    Raises:
        OutputError: no space, or not allowed to write.
    """
    partial = path.with_name(path.name + ".part")
    with output_errors(path):
        try:
            with partial.open("wb") as file:
                file.write(data)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


class output_errors:  # noqa: N801 - used as a function
    """Turn the system's refusal to write into one line that names the place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, OSError):
            raise OutputError(f"{printable(self._path)}: {_why(error)}") from None


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return "no space left to write; free some, then go on with --resume"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "not allowed to write here; choose another --out"
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file of that name is in the way; choose another --out"
    return f"can't write ({error.strerror or error}); choose another --out"


def _overlay(image: Image.Image, result: Result) -> Image.Image:
    picture = overlay(image, result)
    pixels = picture.width * picture.height
    if pixels > LARGEST_OVERLAY or max(picture.size) > 65_000:  # JPEG ends at 65,535
        scale = min((LARGEST_OVERLAY / pixels) ** 0.5, 65_000 / max(picture.size))
        picture = picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))))
    return picture


def peak_of(result: Result) -> float:
    """Return the highest pixel threshold at which an image still has a region of the smallest area.

    With a smallest area of one pixel that is the map's maximum. Otherwise it is searched to 1/256 on a map
    of at most 256 px, and kept on the side of its verdict at the present threshold.
    """
    smallest = result.thresholds.min_area
    if smallest * result.map.size <= 1:
        return float(result.map.max())
    step = max(1, -(-max(result.map.shape) // 256))
    small = np.ascontiguousarray(result.map[::step, ::step])
    low, high = 0.0, float(small.max())
    for _ in range(8):
        middle = (low + high) / 2
        if find_regions(small, small >= middle, smallest):
            low = middle
        else:
            high = middle
    pixel = result.thresholds.pixel
    return max(low, pixel) if result.regions else min(low, float(np.nextafter(pixel, 0)))
