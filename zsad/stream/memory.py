"""How much memory the items of a run take, counted in bytes from decoding to the last picture that is written."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image

from zsad.errors import InputError
from zsad.images.files import opened, quiet
from zsad.images.preprocess import MAX_PIXELS
from zsad.outside import printable

BUDGET = 2_000_000_000
"""Bytes that the items between decoding and their last sink may take together: 60 megapixels of RGB. An item that
needs more goes through alone."""
WAITING = 256_000_000
"""Bytes that wait decoded: 64 megapixels of RGB, which PIL keeps in four bytes each."""
MAP = 12
"""Bytes a pixel that a float32 map takes while it is resized."""
OPENING = 20
"""Bytes a pixel that decoding takes, whatever the format: measured 2 (grey) to 17 (float)."""
DRAWING = 30
"""Bytes a pixel that map, regions, overlay and heatmap take while they are made: measured 25 to 29."""
_SHARE = 0.75
_PATIENCE = 0.2
"""Seconds of one wait: without an end, Ctrl-C would not be noticed on every system."""


def image_bytes(image: Image.Image) -> int:
    """Return the bytes that a PIL image of mode ``L``, ``RGB`` or ``RGBA`` takes in memory."""
    return image.width * image.height * (1 if image.mode == "L" else 4)


def opening_bytes(file: str | Path) -> int:
    """Return the bytes that decoding an image file takes, from its header; 0 for what has none.

    Raises:
        InputError: more than this machine has, which is said before anything is decoded.
    """
    pixels = 0
    with suppress(Exception), quiet, opened(file) as image:  # decoding says what is wrong with it
        pixels = image.width * image.height
    if pixels <= MAX_PIXELS:
        check_fits(printable(file), (1 + DRAWING) * pixels)
    return OPENING * pixels


@lru_cache(maxsize=1)
def machine_memory() -> int:
    """Return the bytes of memory that this process may use at most; a very large number where nobody tells."""
    found = [1 << 60]
    with suppress(ValueError, OSError, AttributeError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(ValueError, OSError):  # "max" where a container has no limit
            found.append(int((Path("/sys/fs/cgroup") / limit).read_text(encoding="ascii")))
    with suppress(ImportError):  # `ulimit -v`
        import resource

        found += [soft for soft, _ in [resource.getrlimit(resource.RLIMIT_AS)] if soft != resource.RLIM_INFINITY]
    return min(found)


def check_fits(name: str, needed: int) -> None:
    """Refuse what would take more than three quarters of the machine's memory by itself.

    Raises:
        InputError: it does.
    """
    most = int(_SHARE * machine_memory())
    if needed > most:
        raise InputError(
            f"{name}: needs {needed / 1e9:.1f} GB of memory, {most / 1e9:.1f} GB can be used here; cut it up first"
        )


class Budget:
    """Bytes that several stages share; every method is thread-safe.

    Args:
        limit: bytes; what needs more by itself is let in when nothing else is.
    """

    def __init__(self, limit: int = BUDGET) -> None:
        self._limit = min(limit, int(_SHARE * machine_memory()))
        self._held = 0
        self._change = threading.Condition()

    def take(self, needed: int) -> bool:
        """Take bytes if they are there; returns whether they were."""
        with self._change:
            if self._held and needed and self._held + needed > self._limit:
                return False
            self._held += needed
            return True

    def give(self, taken: int) -> None:
        """Give bytes back, which wakes who waits for them."""
        with self._change:
            self._held -= taken
            self._change.notify_all()

    def wait(self) -> None:
        """Wait until bytes are given back, or a moment."""
        with self._change:
            if self._held:
                self._change.wait(_PATIENCE)
