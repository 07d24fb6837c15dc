"""Image files from outside: which are read, how they are opened, and one clear line for whatever fails."""

from __future__ import annotations

import importlib
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from zsad.errors import InputError
from zsad.images.grey_tiff import grey_tiff
from zsad.images.png_notes import without_large_notes
from zsad.outside import printable

FORMATS = ("PNG", "JPEG", "MPO", "TIFF", "WEBP", "BMP", "DIB", "GIF", "PPM", "JPEG2000", "AVIF")
"""File formats that are read, whatever the file is called."""
_PLUGINS = ("Png", "Jpeg", "Mpo", "Tiff", "WebP", "Bmp", "Gif", "Ppm", "Jpeg2K", "Avif")
SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".tif", ".tiff", ".webp", ".bmp", ".dib", ".gif"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".avif"}
)
"""What counts as an image or a mask inside a folder, for every command; a file that is named itself is always tried."""
_CLUTTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "#recycle", "@recycle", "$recycle.bin", "lost+found"}
    | {"__macosx", "system volume information"}
)


def is_clutter(name: str) -> bool:
    """Whether an entry of a folder is a file manager's own, or hidden: nobody has put it there to be looked at.

    >>> [is_clutter(name) for name in ("._000.png", "Thumbs.db", "000.png")]
    [True, True, False]
    """
    return name.startswith((".", "~$")) or name.lower() in _CLUTTER


def check_file(path: str | Path) -> None:
    """Refuse what would block (a pipe, a device), or is no file at all."""
    try:
        status = os.stat(path)  # noqa: PTH116 - the same for str and Path
    except ValueError:
        raise InputError(f"{printable(path)}: not a file name") from None
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"{printable(path)}: is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"{printable(path)}: not a regular file; copy its content into one")
    if status.st_size == 0:
        raise InputError(f"{printable(path)}: empty file")


VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".flv"})
"""Endings of files that hold no image, and that another command takes."""


@lru_cache(maxsize=1)
def readable_formats() -> tuple[str, ...]:
    """Return the formats that are read; PIL knows others, one of which (EPS) would start a program."""
    for plugin in _PLUGINS:  # Image.init() would import forty
        with suppress(ImportError):
            importlib.import_module(f"PIL.{plugin}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file of any format that is read; its pixels may still be undecoded.

    Raises:
        Exception: whatever a decoder has to say; use it inside of :func:`named_errors`.
    """
    check_file(path)
    # Through a file object: by its path, PIL maps uncompressed files into memory, which crashes the process
    # if the file shrinks meanwhile, and reads those with a rotating EXIF tag wrongly.
    with Path(path).open("rb") as file, opened_file(file, printable(path)) as image:
        yield image


@contextmanager
def opened_file(file: BinaryIO, name: str) -> Iterator[Image.Image]:
    """Open what a file object holds, as :func:`opened`; errors call it ``name``."""
    image: Image.Image
    try:
        image = Image.open(without_large_notes(file), formats=readable_formats())
    except UnidentifiedImageError:
        image = grey_tiff(file, name)
    with image:
        yield image


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a bad file into one line that names it."""
    shown = printable(name)
    try:
        with quiet:
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{shown}: no such file") from None
    except PermissionError:
        raise InputError(f"{shown}: not allowed to read it; check its permissions") from None
    except UnidentifiedImageError:
        if Path(name).suffix.lower() in VIDEOS:
            raise InputError(f"{shown}: a video, not an image; score its frames with `zsad video score`") from None
        raise InputError(f"{shown}: not an image that can be read; give PNG, JPEG, TIFF, WebP or BMP") from None
    except Image.DecompressionBombError:
        raise InputError(f"{shown}: too many pixels, refused as a decompression bomb; cut it up first") from None
    except MemoryError:
        raise InputError(f"{shown}: does not fit in memory; cut it up first") from None
    except OSError as error:
        if error.errno is not None:
            raise InputError(f"{shown}: can't be read ({error.strerror})") from None
        raise InputError(f"{shown}: {_damaged(error)}") from None
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, IndexError, ...
        raise InputError(f"{shown}: {_damaged(error)}") from None


def _damaged(error: Exception) -> str:
    detail = printable(" ".join(str(error).split())[:200]) or type(error).__name__
    return f"damaged or truncated image ({detail}); save it again"


class _Quiet:
    """Silences PIL's warnings while any thread decodes: sizes are checked here, odd metadata is not for the user.

    ``warnings.catch_warnings`` restores what it found; entered by two threads at once, it would leave the
    filters of one to the whole process. Counting lets the first thread save them and the last restore them.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._saved is not None:
                self._saved.__exit__(None, None, None)
                self._saved = None


quiet = _Quiet()
"""Use it as ``with quiet:``, from any number of threads."""
