"""Images of parts -> score and region level of each; what a threshold is set by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsad.calibration.level import region_level
from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.facts import beside, coarse_level
from zsad.stream.good import content_fault, content_hash, pixel_hash
from zsad.stream.inspect import Inspected, inspect
from zsad.stream.item import Item

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One measured image.

    Attributes:
        name: where it came from.
        sha256: hash of its file, or of its pixels if it was no file.
        pixels: hash of its pixels.
        score: of the image, in [0, 1].
        level: the highest pixel threshold at which it has a region that counts, in [0, 1].
        coarse: the same, searched roughly, as rows have it.
    """

    name: str
    sha256: str
    pixels: str
    score: float
    level: float
    coarse: float

    def peak(self, pixel: float | None) -> float:
        """Return ``peak`` of its row if it is judged by this pixel threshold."""
        return self.level if pixel is None else beside(self.coarse, pixel, self.level >= pixel)


@dataclass(frozen=True)
class Measured:
    """What was measured of some images.

    Attributes:
        parts: those that could be used, each content once.
        failed: one line for each that could not.
        twins: one line for each whose content was there before.
    """

    parts: tuple[Part, ...]
    failed: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def scores(self) -> Values:
        """Float64 ``(n,)``."""
        return np.array([part.score for part in self.parts], np.float64)

    @property
    def levels(self) -> Values:
        """Float64 ``(n,)``."""
        return np.array([part.level for part in self.parts], np.float64)


def measure(
    detector: Detector, items: Sequence[Item], min_area: float, step: Callable[[], None] = lambda: None
) -> Measured:
    """Score images one by one, in bounded memory.

    Args:
        detector: any detector.
        items: the images.
        min_area: smallest region that counts, as a fraction of an image's pixels.
        step: called after each image.

    Raises:
        InputError: a score or map that is no number in [0, 1].
    """
    parts: dict[str, Part] = {}
    failed, twins = [], []
    with closing(inspect(detector, items)) as outcomes:
        for item, found in ((outcome.item, _part(outcome, min_area)) for outcome in outcomes):
            step()
            if isinstance(found, str):
                failed.append(found if item.place in found else f"{item.place}: {found}")
            elif found.sha256 in parts:
                twins.append(f"{item.place} is the same picture as {parts[found.sha256].name}, and counts once")
            else:
                parts[found.sha256] = found
    return Measured(tuple(parts.values()), tuple(failed), tuple(twins))


def _part(outcome: Inspected, min_area: float) -> Part | str:
    """Return what was measured of an image, or why nothing was."""
    decoded, result = outcome.decoded, outcome.value
    if decoded is None or result is None:
        return outcome.error
    fault = content_fault(decoded)
    if fault:
        return fault
    if not (0.0 <= result.score <= 1.0 and result.map.min() >= 0.0 and result.map.max() <= 1.0):
        raise InputError(f"{outcome.item.place}: the model gave values outside of 0 to 1; it is damaged")
    level = region_level(result.counted, min_area)
    coarse = coarse_level(result.counted, min_area)
    sha256 = content_hash(outcome.item, decoded)
    return Part(outcome.item.place, sha256, pixel_hash(decoded), result.score, level, coarse)
