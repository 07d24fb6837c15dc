"""Pictures of a Result: its overlay, its figure for a notebook, and the files that it is saved as."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from PIL import Image

from zsad.errors import InputError, UsageError
from zsad.files import output_errors, write_whole
from zsad.outputs import check_output, is_map, is_picture, png
from zsad.outside import printable
from zsad.pictures.figure import figure
from zsad.pictures.heat import heatmap
from zsad.pictures.notes import MOST_BOXES, Notes
from zsad.pictures.overlay import BoolArray, overlay
from zsad.regions import without_small

if TYPE_CHECKING:
    from zsad.types import Result

Kind: TypeAlias = Literal["overlay", "heatmap", "map"]
KINDS: tuple[Kind, ...] = ("overlay", "heatmap", "map")
LARGEST, LONGEST = 32_000_000, 65_000
"""Pixels and side of an overlay in a run's folder at most; a larger one is written smaller."""


def overlay_of(
    result: Result, image: Image.Image | None = None, *, labels: bool | Sequence[str] = True, legend: bool = True
) -> Image.Image:
    """Draw a result over its image: heat, outlines, boxes; RGB of the image's size.

    Args:
        result: what was found.
        image: the decoded image; by default the one that the result holds.
        labels: whether boxes carry rank and score; or a text for each region, in their order.
        legend: whether score, verdict and colour bar are drawn, which needs about 220 x 100 px.

    Raises:
        InputError: there is no image, or one of another size.
        UsageError: one text instead of a list of them.
    """
    image = _image_of(result, image)
    return overlay(image, result.map, counted_mask(result), notes_of(result, labels, legend))


def figure_of(result: Result) -> Image.Image:
    """Draw a result for a page or a notebook: overlay, score, verdict, colour bar; the map alone without an image."""
    image = result.image if result.image is not None else Image.new("L", result.map.shape[::-1], 40)
    return figure(image, result.map, counted_mask(result), notes_of(result), printable(result.name))


def counted_mask(result: Result) -> BoolArray:
    """Return the mask ``(H, W)`` without regions below the smallest area, which don't count."""
    return without_small(result.mask, (result.thresholds.min_area or 0.0) * result.mask.size)


def notes_of(result: Result, labels: bool | Sequence[str] = True, legend: bool = True) -> Notes:
    """Return what is written on the overlay of a result; arguments and errors as :func:`overlay_of`."""
    if isinstance(labels, str):
        raise UsageError("labels are a list of texts, one for each region, or True or False")
    shown = result.regions[:MOST_BOXES]
    if labels is True:
        labels = [f"#{rank}  {region.score:.2f}" for rank, region in enumerate(shown, 1)]
    title = f"score {result.score:.3f}, {result.verdict or 'uncalibrated'}"
    return Notes(title if legend else "", result.level, tuple(region.box for region in shown), tuple(labels or ()))


def save(result: Result, path: str | Path, kind: Kind | None = None) -> Path:
    """Write a picture or the map of a result, whole or not at all; what zsad wrote earlier is replaced.

    Args:
        result: what was found.
        path: the file; its folder is made. ``.png`` or ``.jpg`` for pictures, ``.npy`` or ``.png`` for the map.
        kind: ``"overlay"``, ``"heatmap"``, or ``"map"`` (float32 in .npy; 16 bits, value times 65535, in .png). By
            default the map in ``.npy``, the heatmap where the file's name has that word, and else the overlay.

    Returns:
        The path.

    Raises:
        UsageError: a name or a kind that says nothing.
        OccupiedError: the path of the inspected image, or of a file that zsad did not write.
        InputError: an overlay without an image, or an image too large for JPEG.
        OutputError: no space, or not allowed to write.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    named: Kind = "heatmap" if "heatmap" in path.stem.lower() else "overlay"
    kind = kind or ("map" if suffix == ".npy" else named)
    if kind not in KINDS:
        raise UsageError(f"kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {printable(kind)[:40]!r}")
    fits = (".npy", ".png") if kind == "map" else (".png", ".jpg", ".jpeg")
    if suffix not in fits:
        found = printable(suffix) or "a file without a suffix"
        raise UsageError(f"{printable(path)}: the {kind} can't be written as {found}; give {' or '.join(fits[:2])}")
    check_output(path, is_map if suffix == ".npy" else is_picture, "save under another name", [result.name])
    write_whole(path, _encoded(result, path, kind), output_errors(path, "choose another path", "save it again"))
    return path


def _encoded(result: Result, path: Path, kind: Kind) -> bytes:
    """Return the content of a file, which says who wrote it."""
    suffix, buffer = path.suffix.lower(), BytesIO()
    if suffix == ".npy":
        np.save(buffer, result.map.astype("<f4", copy=False))
        return buffer.getvalue()
    picture = wide_map(result) if kind == "map" else heatmap(result.map) if kind == "heatmap" else overlay_of(result)
    if suffix == ".png":
        return png(picture)
    if max(picture.size) > LONGEST:
        raise InputError(f"{printable(path)}: {picture.width} x {picture.height} px is too large for JPEG; give .png")
    picture.convert("RGB").save(buffer, "JPEG", quality=92, comment=b"Software\0zsad")
    return buffer.getvalue()


def figure_png(result: Result) -> bytes:
    """Return the picture for a notebook as PNG."""
    buffer = BytesIO()
    figure_of(result).save(buffer, "PNG")
    return buffer.getvalue()


def fitted(picture: Image.Image) -> Image.Image:
    """Return a picture that fits into a JPEG file of a bearable size: smaller, if it must be."""
    pixels, side = picture.width * picture.height, max(picture.size)
    if pixels <= LARGEST and side <= LONGEST:
        return picture
    scale = min((LARGEST / pixels) ** 0.5, LONGEST / side)
    return picture.resize((max(1, int(picture.width * scale)), max(1, int(picture.height * scale))))


def _image_of(result: Result, image: Image.Image | None) -> Image.Image:
    """Return the image that is drawn on."""
    image = result.image if image is None else image
    if image is None:
        raise InputError(f"{_called(result)} holds no image to draw on; save its heatmap, or inspect the image again")
    if image.size != result.map.shape[::-1]:
        height, width = result.map.shape
        raise InputError(
            f"{_called(result)}: the map is {width} x {height} px, the image {image.width} x {image.height}"
        )
    return image


def _called(result: Result) -> str:
    return printable(result.name) or "this result"


def wide_map(result: Result) -> Image.Image:
    """Return the map as 16-bit grey, its value times 65535."""
    return Image.fromarray(np.rint(result.map * np.float32(65535)).astype(np.uint16))
