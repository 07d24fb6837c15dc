"""What a run does not read of the folders that it is given: files of other kinds, sub-folders, masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zsad.data.files import MASK_ENDINGS
from zsad.images.files import SUFFIXES
from zsad.outside import printable

SHOWN = 8
"""Names that are spelt out; the rest is counted."""
MASK_FOLDERS = frozenset({"ground_truth", "groundtruth", "ground-truth", "gt", "mask", "masks"})
_ENDINGS = tuple(ending.lower() for ending in MASK_ENDINGS if ending)


@dataclass
class LeftOut:
    """Collects what is not read.

    Attributes:
        with_masks: masks are read like images.
        files: files that are no images by their names.
        folders: sub-folders that are not looked into.
        masks: masks and folders of them, with how many files.
    """

    with_masks: bool = False
    files: _Named = field(default_factory=lambda: _Named())
    folders: _Named = field(default_factory=lambda: _Named())
    masks: _Named = field(default_factory=lambda: _Named())

    def lines(self) -> list[str]:
        """Return one line for each kind, with names, count and remedy."""
        said = []
        if self.files.count:
            said.append(f"{_count(self.files.count, 'file')} of another kind: {self.files}")
        if self.folders.count:
            said.append(f"{_count(self.folders.count, 'sub-folder')}: {self.folders}; --recursive looks into them")
        if self.masks.count:
            said.append(f"{_count(self.masks.count, 'mask')}: {self.masks}; --include-masks reads them as images")
        return said


@dataclass
class _Named:
    """How many there are, and what the first are called."""

    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str, count: int = 1) -> None:
        self.count += count
        if len(self.names) < SHOWN:
            self.names.append(name if count == 1 else f"{name} ({count})")

    def __str__(self) -> str:
        more = " and more" if self.count > SHOWN and len(self.names) == SHOWN else ""
        return ", ".join(printable(name) for name in self.names) + more


def is_image_name(name: str) -> bool:
    """Whether a file counts as an image inside a folder."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - 100,000 files


def mask_names(names: Sequence[str], *, below: bool) -> set[str]:
    """Return which of a folder's images are masks by their names.

    Args:
        names: names of the images of one folder.
        below: whether it lies below the folder that was asked for; then a folder of nothing but masks is one.

    >>> sorted(mask_names(["a.png", "a_mask.png", "b_mask.png"], below=False))
    ['a_mask.png']
    >>> sorted(mask_names(["a_mask.png", "b_mask.png"], below=True))
    ['a_mask.png', 'b_mask.png']
    """
    stems = {name: os.path.splitext(name)[0].lower() for name in names}  # noqa: PTH122
    ended = {name: stem for name, stem in stems.items() if stem.endswith(_ENDINGS)}
    if below and len(ended) == len(stems):
        return set(ended)
    plain = set(stems.values())
    return {
        name
        for name, stem in ended.items()
        if any(stem.endswith(ending) and stem.removesuffix(ending) in plain for ending in _ENDINGS)
    }


def mask_folders(below: Sequence[str], *, images: bool) -> set[str]:
    """Return which sub-folders hold masks: they are called so, and there is something beside them to mask.

    Args:
        below: paths of a folder's sub-folders.
        images: whether the folder itself has images.
    """
    called = {path for path in below if os.path.basename(path).lower() in MASK_FOLDERS}  # noqa: PTH119
    return called if images or len(called) < len(below) else set()


def lies_among_masks(folder: str) -> bool:
    """Whether somebody asked for masks: the folder, or one above it, is called so."""
    return bool(MASK_FOLDERS & {part.lower() for part in Path(folder).resolve().parts})


def images_below(folder: str) -> int:
    """Count the files with an image's name in a folder and below it; links to folders are not followed."""
    return sum(is_image_name(name) for _, _, names in os.walk(folder) for name in names)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
