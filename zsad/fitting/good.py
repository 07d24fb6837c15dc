"""Which images are learned from: those of files and folders, without masks, each content once, some drawn by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from zsad.data.files import MASK_ENDINGS
from zsad.errors import InputError, UsageError
from zsad.images.preprocess import Decoded
from zsad.outside import printable
from zsad.stream import Item, find_images

Shots = int | Literal["all"]
Say = Callable[[str], None]
SHOWN = 3


@dataclass(frozen=True)
class Chosen:
    """What is learned from.

    Attributes:
        items: the images, in the order of their names.
        found: how many there were to choose from.
    """

    items: list[Item]
    found: int


def find_good(paths: Sequence[str | Path], *, recursive: bool = False, say: Say = lambda line: None) -> list[Item]:
    """List the images of files and folders of good parts; ``say`` is told in one line each what was not read.

    Raises:
        InputError: a path that is not there, no image at all, or masks among the images.
    """
    items = find_images(paths, recursive=recursive, say=say)
    absent = [item for item in items if item.error]
    if absent:
        raise InputError(f"{absent[0].place}: {absent[0].error}; give images of good parts, or folders of them")
    masks = _masks(items)
    if masks:
        raise InputError(
            f"{_named(masks)}: {'a mask, no part' if len(masks) == 1 else 'masks, no parts'}; "
            "give a folder of good images alone"
        )
    return items


def choose(items: Sequence[Item], shots: Shots, seed: int) -> Chosen:
    """Draw some of the images; the same for the same seed.

    Raises:
        UsageError: more than there are, or none.
    """
    if shots == "all":
        return Chosen(list(items), len(items))
    if shots < 1:
        raise UsageError(f"--shots {shots}: give at least 1, or all")
    if shots > len(items):
        raise UsageError(f"--shots {shots}: there are only {len(items)} good images; give fewer, or all")
    drawn = sorted(np.random.default_rng([seed, 3]).permutation(len(items))[:shots])
    return Chosen([items[i] for i in drawn], len(items))


def check_content(item: Item, decoded: Decoded) -> None:
    """Refuse what can't be a picture of a part.

    Raises:
        InputError: one colour all over, or black and white like a mask.
    """
    values = decoded.image.convert("RGB").getcolors(2)
    if values is not None and len(values) == 1:
        raise InputError(f"{item.place}: one colour all over, no part to learn from; take it out")
    if values is not None and {colour for _, colour in values} == {(0, 0, 0), (255, 255, 255)}:
        raise InputError(f"{item.place}: black and white alone, as a mask is; take it out")


def _masks(items: Sequence[Item]) -> list[str]:
    """Return the places of files that are called as masks of other files, or lie in a folder for masks."""
    stems = {PurePath(item.id).with_suffix("") for item in items}
    found = []
    for item in items:
        stem = PurePath(item.id).with_suffix("")
        base = next((stem.name.removesuffix(end) for end in MASK_ENDINGS if end and stem.name.endswith(end)), "")
        below = {part.lower() for part in PurePath(item.label).parts[:-1]} & {"ground_truth", "masks", "mask"}
        if below or (base and stem.with_name(base) in stems):
            found.append(item.place)
    return found


def _named(places: Sequence[str]) -> str:
    rest = len(places) - SHOWN
    return ", ".join(map(printable, places[:SHOWN])) + (f" and {rest} more" if rest > 0 else "")
