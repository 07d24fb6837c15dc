"""Writes what a run leaves behind: overlay, heatmap, map; each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from zsad.errors import OccupiedError, OutputError
from zsad.files import output_errors, sweep, write_whole
from zsad.outputs import LOCK, PICTURES, check_folder, is_output_folder
from zsad.outside import printable
from zsad.pictures.heat import heatmap
from zsad.pictures.results import fitted, overlay_of, wide_map
from zsad.stream.item import Item
from zsad.stream.sinks.files import sole_writer
from zsad.stream.sinks.rows import Row
from zsad.stream.sinks.sink import Finished, Job, Sink
from zsad.types import Result


class Pictures(Sink):
    """Writes the pictures of each image into a folder, and adds their names to its row as ``files``.

    Args:
        path: the output folder.
        maps: ``"npy"`` (float32), ``"png16"`` (16-bit grey, value times 65535), or None for no map.
    """

    wants_names = True

    def __init__(self, path: Path, maps: str | None = None) -> None:
        self.path, self.maps = path, maps
        self._held = ExitStack()

    def check(self, items: Sequence[Item]) -> None:
        """Refuse a folder whose pictures are not from zsad, or are inputs."""
        remedy = "choose another --out"
        check_folder(self.path, remedy)
        ours = is_output_folder(self.path)
        for place in (self.path / name for name in PICTURES):
            check_folder(place, remedy)
            if not ours and place.is_dir() and any(place.iterdir()):
                raise OccupiedError(f"{printable(place)}: holds files that zsad did not write; {remedy}")
        if ours:
            _check_inputs(self.path, items)

    def open(self, job: Job) -> None:
        """Make the folders and hold them.

        Raises:
            OutputError: they can't be made.
        """
        names = ("overlay", "heatmap", *(["map"] if self.maps else []))
        for name in names:
            with output_errors(self.path):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        self._held.enter_context(sole_writer(self.path, self.path / LOCK, keep=True))
        for name in names:
            sweep(self.path / name)

    def prepare(self, finished: Finished) -> tuple[Row, object]:
        """Write the pictures of one image."""
        if finished.result is None or finished.image is None:
            return finished.row, None
        files = self.write(finished.name, finished.image.image, finished.result)
        return replace(finished.row, files=finished.row.files | files), None

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
        written: dict[str, str] = {}
        try:
            for kind, path, encode in self._plan(name, image, result):
                buffer = BytesIO()
                encode(buffer)
                write_whole(self.path / path, buffer.getbuffer())
                written[kind] = path
        except OutputError:
            raise
        except Exception:  # an image that can't be drawn, or not in this memory: nothing of it stays
            for path in written.values():
                with suppress(OSError):
                    (self.path / path).unlink()
            raise
        return written

    def has(self, row: Row) -> bool:
        """Return whether everything that a row lists is still there."""
        return all((self.path / path).is_file() for path in row.files.values())

    def close(self, finished: bool) -> None:
        """Let the folder go."""
        self._held.close()

    def _plan(
        self, name: str, image: Image.Image, result: Result
    ) -> list[tuple[str, str, Callable[[BinaryIO], object]]]:
        """Return kind, path and how to encode it, for each file of an image."""
        plan: list[tuple[str, str, Callable[[BinaryIO], object]]] = [
            (
                "overlay",
                f"overlay/{name}.jpg",
                lambda to: fitted(overlay_of(result, image)).save(to, "JPEG", quality=90),
            ),
            # Level 1 is four times as fast as the default and 10 % larger.
            ("heatmap", f"heatmap/{name}.png", lambda to: heatmap(result.map).save(to, "PNG", compress_level=1)),
        ]
        if self.maps == "npy":
            plan.append(("map", f"map/{name}.npy", lambda to: np.save(to, result.map.astype("<f4", copy=False))))
        elif self.maps == "png16":
            plan.append(("map", f"map/{name}.png", lambda to: wide_map(result).save(to, "PNG", compress_level=1)))
        return plan


def _check_inputs(folder: Path, items: Sequence[Item]) -> None:
    """Refuse inputs that lie where pictures are written: one of them might be replaced before it is read."""
    places = {os.path.realpath(folder / name) for name in PICTURES}
    folders: dict[str, bool] = {}  # a look for each folder, not for each of 100,000 files
    for item in items:
        file = str(item.file)
        parent = os.path.dirname(file)  # noqa: PTH120
        if file and folders.setdefault(parent, os.path.realpath(parent) in places):
            raise OccupiedError(f"{item.place}: is an input and lies where --out writes pictures; choose another --out")
