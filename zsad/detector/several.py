"""Several images at once: what counts as a list of them, in which order their colours are, and cut into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from zsad.errors import UsageError
from zsad.images.preprocess import Decoded
from zsad.outside import printable
from zsad.types import Channels, ImageLike

_T = TypeVar("_T")


def several(images: Iterable[ImageLike | Decoded], channels: Channels = "rgb") -> Iterable[ImageLike | Decoded]:
    """Return images with the colours of arrays in RGB order; files and PIL images state their own order.

    Args:
        images: a list, a generator, an array of images.
        channels: the order in arrays: of ``"bgr"``, as OpenCV has it, the first and the third channel are swapped.

    Raises:
        UsageError: a path or one image, where a string would be read letter by letter; no iterable; another order.

    >>> list(several([np.array([[[1, 2, 3]]])], "bgr"))
    [array([[[3, 2, 1]]])]
    """
    if isinstance(images, str | bytes | bytearray | memoryview | Path | Image.Image | Decoded):
        shown = f"{images!s:.80}" if isinstance(images, str | Path) else f"one {type(images).__name__}"
        raise UsageError(
            f"{printable(shown)}: give a list of images, such as [image]; for a folder list its files, "
            "as sorted(Path(folder).glob('*.png')) does"
        )
    if not isinstance(images, Iterable):
        raise UsageError(f"{type(images).__name__} is no list of images: give a list or a generator of images")
    if channels not in ("rgb", "bgr"):
        raise UsageError(f'channels are "rgb" or "bgr", not {str(channels)[:40]!r}')
    return images if channels == "rgb" else (_swapped(image) for image in images)


def chunks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Cut any iterable into lists of ``size`` items; the last may be shorter.

    Raises:
        UsageError: a size below 1.

    >>> list(chunks(range(5), 2))
    [[0, 1], [2, 3], [4]]
    """
    if size < 1:
        raise UsageError(f"a batch size of {size} makes no sense: give at least 1")
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _swapped(image: Any) -> Any:
    colours = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] in (3, 4)
    return image[:, :, [2, 1, 0, 3][: image.shape[2]]] if colours else image
