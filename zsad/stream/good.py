"""Images of parts that one learns or measures from: without masks among them, each content told from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from zsad.data.files import MASK_ENDINGS
from zsad.errors import InputError
from zsad.images.preprocess import Decoded
from zsad.outside import printable
from zsad.stream.item import Item
from zsad.stream.sources import find_images, from_iterable
from zsad.types import ImageLike

SHOWN = 3
_MASK_FOLDERS = {"ground_truth", "masks", "mask"}


def find_parts(
    images: str | Path | Iterable[ImageLike], *, recursive: bool = False, what: str = "good parts"
) -> list[Item]:
    """List images of parts: of a folder, a file, several of them, or whatever a program holds.

    Args:
        images: a path, paths, or images as detectors take them.
        recursive: look into sub-folders.
        what: the parts, in words, for errors.

    Raises:
        InputError: a path that is not there, no image at all, or masks among the images.
    """
    given = [images] if isinstance(images, str | Path) else list(images)
    places = [one for one in given if isinstance(one, str | Path)]
    if not given or len(places) < len(given):
        return list(from_iterable(given))
    items = find_images(places, recursive=recursive, masks=True)
    absent = next((item for item in items if item.error), None)
    if absent is not None:
        raise InputError(f"{absent.place}: {absent.error}; give images of {what}, or folders of them")
    masks = _masks(items)
    if masks:
        kind = "a mask, no part" if len(masks) == 1 else "masks, no parts"
        raise InputError(f"{named(masks)}: {kind}; give a folder of {what} alone")
    return items


def file_hash(path: str | Path) -> str:
    """Return the SHA-256 of a file, or ``""`` if it can't be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""


def content_hash(item: Item, decoded: Decoded) -> str:
    """Return the SHA-256 of an image's file, or of its pixels if it is no file."""
    place = item.id if item.content is None else item.content
    if isinstance(place, str | Path):
        with Path(place).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return pixel_hash(decoded)


def pixel_hash(decoded: Decoded) -> str:
    """Return the SHA-256 of an image's pixels, with its mode and size: the same for a file and for what was read."""
    image = decoded.image
    return hashlib.sha256(f"{image.mode} {image.size}".encode() + image.tobytes()).hexdigest()


def content_fault(decoded: Decoded) -> str:
    """Return why an image can't be a picture of a part, or ``""``: one colour all over, or black and white alone."""
    values = decoded.image.convert("RGB").getcolors(2)
    if values is not None and len(values) == 1:
        return "one colour all over, no picture of a part; take it out"
    if values is not None and {colour for _, colour in values} == {(0, 0, 0), (255, 255, 255)}:
        return "black and white alone, as a mask is; take it out"
    return ""


def named(places: Sequence[str]) -> str:
    """Return the first few places in one line, and how many more there are."""
    rest = len(places) - SHOWN
    return ", ".join(map(printable, places[:SHOWN])) + (f" and {rest} more" if rest > 0 else "")


def _masks(items: Sequence[Item]) -> list[str]:
    """Return the places of files that are called as masks of other files, or lie in a folder for masks."""
    stems = {PurePath(item.id).with_suffix("") for item in items}
    found = []
    for item in items:
        stem = PurePath(item.id).with_suffix("")
        base = next((stem.name.removesuffix(end) for end in MASK_ENDINGS if end and stem.name.endswith(end)), "")
        below = {part.lower() for part in PurePath(item.label).parts[:-1]} & _MASK_FOLDERS
        if below or (base and stem.with_name(base) in stems):
            found.append(item.place)
    return found
