"""Which images a person means by a list of files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".avif"}
)
"""What counts as an image inside a folder; a file that is named itself is always tried."""


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a run.

    Attributes:
        path: the file, as it will be opened.
        label: the part of the path that names it among its run: below the given folder, or the file name.
        error: why it can't be read, if that is known already.
    """

    path: str
    label: str
    error: str = ""


def find_images(paths: Sequence[str | Path], *, recursive: bool = False, skip: Path | None = None) -> list[Source]:
    """List the images of files and folders, in the order given, folders sorted by name.

    Args:
        paths: files, which are always tried, and folders, of which files with an image's suffix are taken.
        recursive: descend into sub-folders. Links are followed, each real folder is visited once.
        skip: the folder that results are written to: it, and its folders of pictures, are left out unless they
            are named themselves.

    Returns:
        Each file once. A folder that can't be read, or has no image, is one entry with its error. Names that
        start with a dot are left out of folders.
    """
    left_out = {_real(skip / name) for name in ("", "overlay", "heatmap", "map")} if skip is not None else set()
    found: list[Source] = []
    seen: set[str] = set()
    for path in [str(path) for path in paths]:
        # Of several folders, each image is named with its folder.
        base = os.path.dirname(os.path.abspath(path)) if len(paths) > 1 else path  # noqa: PTH100, PTH120
        sources = _in_folder(path, base, recursive, left_out) if Path(path).is_dir() else [_file(path)]
        for source in sources:
            # One folder can't list a file twice; abspath of 100,000 names takes a second.
            key = os.path.normcase(os.path.abspath(source.path)) if len(paths) > 1 else source.path  # noqa: PTH100
            if key not in seen:
                seen.add(key)
                found.append(source)
    return found


def _file(path: str) -> Source:
    error = "" if os.path.lexists(path) else "no such file or folder"
    return Source(path, Path(path).name or path, error)


def _in_folder(root: str, base: str, recursive: bool, left_out: set[str]) -> Iterator[Source]:
    empty = True
    visited: set[str] = set()
    folders = [root]
    while folders:
        folder = folders.pop()
        real = _real(folder)
        if real in visited or (real in left_out and folder != root):
            continue
        visited.add(real)
        try:
            with os.scandir(folder) as entries:
                listed = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            empty = False
            yield Source(folder, _label(folder, base), f"folder can't be listed ({error.strerror or error})")
            continue
        below = []
        for entry in listed:
            if _is_folder(entry):
                below.append(entry.path)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - 100,000 files
                empty = False
                yield Source(entry.path, _label(entry.path, base))
        if recursive:
            folders.extend(reversed(below))
    if empty:
        deeper = "" if recursive else "; --recursive looks into its sub-folders"
        yield Source(root, root, f"folder without an image{deeper}")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: tried as a file, it gives its error there
        return False


def _label(path: str, base: str) -> str:
    return os.path.relpath(path, base)


def _real(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path))
