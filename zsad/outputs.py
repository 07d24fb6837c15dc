"""What may be written over: what zsad wrote earlier, known by its content, and nothing else.

Each command that writes asks here before its work begins. A file that is not one of ours, or that is an input, stays as
it is, whatever its name ends with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zsad.documents import Limits, read_json
from zsad.errors import OccupiedError
from zsad.outside import printable

if TYPE_CHECKING:
    from PIL import Image

Ours = Callable[[Path], bool]
"""Whether a file that exists, and is not empty, was written by zsad as this kind of output."""

ROW = b'{"file": "'
"""How each line of a journal begins, in every version."""
TABLE = b"file,error,score,"
"""How a table of rows begins, in every version."""
GENERATOR = '<meta name="generator" content="zsad'
"""What a page has in its head; of 0.1, the end of its title."""
MARKDOWN = "<!-- written by zsad -->"
"""How the README of a benchmark begins."""
LOCK = ".zsad.lock"
"""What stays in an output folder."""
PICTURES = ("overlay", "heatmap", "map")
"""Folders of pictures in an output folder."""
_HEAD, _LARGEST = 4096, 64_000_000


def check_output(path: Path, ours: Ours, remedy: str, inputs: Iterable[str | Path] = ()) -> None:
    """Refuse a place that holds something that must not be replaced.

    Args:
        path: the file that is to be written. Nothing, an empty file, a device and a pipe are fine.
        ours: whether what is there was written by zsad.
        remedy: what to do, such as ``"choose another --json"``.
        inputs: files that are read.

    Raises:
        OccupiedError: it is a folder, a file that zsad did not write, or an input.
    """
    if path.is_dir():
        raise OccupiedError(f"{printable(path)}: is a folder; give the name of a file")
    if not path.is_file():
        return
    if is_among(path, inputs):
        raise OccupiedError(f"{printable(path)}: is an input and is not written over; {remedy}")
    try:
        foreign = path.stat().st_size > 0 and not ours(path)
    except OSError:  # what can't be read can't be told
        foreign = True
    if foreign:
        raise OccupiedError(f"{printable(path)}: was not written by zsad and is not replaced; {remedy}")


def is_among(path: Path, files: Iterable[str | Path]) -> bool:
    """Whether a file that exists is one of others, by whatever name."""
    mine = path.stat()
    for file in files:
        with suppress(OSError, ValueError):
            if os.path.samestat(mine, os.stat(file)):  # noqa: PTH116 - 100,000 files
                return True
    return False


def check_folder(folder: Path, remedy: str) -> None:
    """Refuse a folder of results that is a file.

    Raises:
        OccupiedError: it is a file.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise OccupiedError(f"{printable(folder)}: a file of that name is in the way; {remedy}")


def begins(*heads: bytes) -> Ours:
    """Return a test by how a file begins; one that was cut off earlier than that counts as ours."""

    def test(path: Path) -> bool:
        found = _head(path, max(map(len, heads)))
        return any(head.startswith(found[: len(head)]) for head in heads)

    return test


def holds(*marks: bytes, within: int | None = _HEAD) -> Ours:
    """Return a test by what a file has within its first bytes, or anywhere."""

    def test(path: Path) -> bool:
        if within is not None:
            head = _head(path, within)
            return any(mark in head for mark in marks)
        import mmap

        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return any(data.find(mark) >= 0 for mark in marks)

    return test


is_rows = begins(ROW)
is_table = begins(TABLE)
is_page = holds(GENERATOR.encode(), b"zsad report</title>")
is_picture = holds(b"Software\0zsad", within=512)
is_markdown = begins(MARKDOWN.encode())


def png(image: Image.Image) -> bytes:
    """Return an image as PNG that says who wrote it."""
    from PIL.PngImagePlugin import PngInfo

    mark, buffer = PngInfo(), BytesIO()
    mark.add_text("Software", "zsad")
    image.save(buffer, "PNG", pnginfo=mark)
    return buffer.getvalue()


def is_figures(path: Path) -> bool:
    """Whether a JSON file has figures of zsad: it names the version that made them, or is a finished class."""
    try:
        data: Any = read_json(path, OccupiedError, Limits(size=_LARGEST, entries=_LARGEST))
    except OccupiedError:
        return False
    if not isinstance(data, dict):
        return False
    run = data.get("run")
    versions = [one.get("versions") for one in (data, run) if isinstance(one, dict)]
    return any(isinstance(one, dict) and "zsad" in one for one in versions) or {"fingerprint", "class"} <= set(data)


def is_map(path: Path) -> bool:
    """Whether a ``.npy`` file holds a map: float32 ``(H, W)`` in [0, 1]."""
    import numpy as np

    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    plain = isinstance(found, np.ndarray) and found.dtype == np.dtype("<f4") and found.ndim == 2 and found.size > 0
    return plain and bool(found.min() >= 0 and found.max() <= 1)


def is_output_folder(folder: Path) -> bool:
    """Whether results of ``zsad detect`` lie in a folder: its lock, its rows or its page."""
    try:
        if (folder / LOCK).is_file():
            return True
        rows, page = folder / "results.jsonl", folder / "report.html"
        return (rows.is_file() and _head(rows, len(ROW)) == ROW) or (page.is_file() and is_page(page))
    except OSError:
        return False


def other_files(folder: Path, names: Iterable[str]) -> int:
    """Return how many entries a folder has beside those named, hidden ones not counted; 0 for an output folder.

    Args:
        folder: any place.
        names: what is written there.
    """
    if not folder.is_dir() or is_output_folder(folder):
        return 0
    known = set(names)
    try:
        with os.scandir(folder) as entries:
            return sum(entry.name not in known and not entry.name.startswith(".") for entry in entries)
    except OSError:
        return 0


def _head(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
