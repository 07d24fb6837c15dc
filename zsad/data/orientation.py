"""Which way up masks are drawn, where images have an EXIF orientation: a person says, or sizes tell."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from zsad.data.masks import told_upright
from zsad.errors import DatasetError, UsageError
from zsad.types import Sample

MASKS = ("auto", "stored", "upright")
"""What masks are drawn on: sizes tell, the pixels as they are stored, or the picture as a viewer shows it."""
_LOOKED_AT = 50


def settled(samples: Iterable[Sample], masks: str = "auto") -> list[Sample]:
    """Say for each sample how image and mask lie on each other.

    By itself, each image with a mask is told by sizes when it is read, or refused. Images without a mask are read as
    the masked ones of their class, so that all of a class are seen the same way up.

    Args:
        samples: of any number of classes.
        masks: one of :data:`MASKS`.

    Raises:
        UsageError: none of those.
    """
    if masks not in MASKS:
        raise UsageError(f"--masks {masks}: give {', '.join(MASKS[:-1])} or {MASKS[-1]}")
    samples = list(samples)
    if masks != "auto":
        return [replace(sample, upright=masks == "upright") for sample in samples]
    masked: dict[str, list[Sample]] = {}
    for sample in samples:
        if sample.mask is not None:
            masked.setdefault(sample.class_name, []).append(sample)
    upright = {name for name, group in masked.items() if _told(group) == {True}}
    return [
        replace(sample, upright=True) if sample.mask is None and sample.class_name in upright else sample
        for sample in samples
    ]


def _told(samples: Iterable[Sample]) -> set[bool]:
    found: set[bool] = set()
    for sample in islice(samples, _LOOKED_AT):
        with suppress(DatasetError):  # it is named when it is read
            told = told_upright(sample)
            found |= set() if told is None else {told}
    return found
