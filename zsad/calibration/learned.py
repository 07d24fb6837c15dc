"""Good parts that a memory was learned from: no statement may rest on them, since they lie nearer to it than others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zsad.calibration.measure import Measured, Part, measure
from zsad.detector.base import Detector
from zsad.errors import InputError
from zsad.scoring import FusedScorer, MemoryScorer
from zsad.stream.good import file_hash, named
from zsad.stream.item import Item


def check_not_learned(detector: Detector, items: Sequence[Item]) -> None:
    """Refuse files that a memory was learned from, before any work.

    Raises:
        InputError: names them, and what to do.
    """
    known = detector.learned
    if not known:
        return
    places = [str(item.id if item.content is None else item.content) for item in items if _is_file(item)]
    refuse_learned(detector, [place for place in places if file_hash(place) in known])


def learned_names(detector: Detector, good: Measured) -> list[str]:
    """Return the names of the parts whose file, or whose pixels, the detector was fitted to."""
    known = detector.learned or frozenset()
    return [part.name for part in good.parts if not known.isdisjoint((part.sha256, part.pixels))]


def refuse_learned(detector: Detector, names: Sequence[str]) -> None:
    """Refuse parts that were learned from.

    Raises:
        InputError: there are any.
    """
    if not names:
        return
    these = "this" if len(names) == 1 else "these"
    if isinstance(detector.scorer, MemoryScorer | FusedScorer):
        remedy = "give other good parts, or --leave-one-out for thresholds without a guarantee"
    else:
        remedy = "give other good parts; an exported file can't leave one of them out, its bundle can"
    raise InputError(f"{named(names)}: the memory was learned from {these}; {remedy}")


def left_out(detector: Detector, items: Sequence[Item], good: Measured, area: float) -> Measured:
    """Score each part that was learned from by the memory without it; the others stay as they are.

    Raises:
        InputError: the memory is inside of an exported file, and can't leave one out.
    """
    scorer = detector.scorer
    if not isinstance(scorer, MemoryScorer | FusedScorer):
        refuse_learned(detector, learned_names(detector, good))
        return good
    places, numbers = {item.place: item for item in items}, scorer.memory.numbers

    def again(part: Part) -> Part:
        number = numbers.get(part.sha256, numbers.get(part.pixels))
        if number is None:
            return part
        without = detector.with_scorer(scorer.without(number)).with_thresholds(detector.thresholds)
        return measure(without, [places[part.name]], area).parts[0]

    return replace(good, parts=tuple(again(part) for part in good.parts))


def _is_file(item: Item) -> bool:
    return item.content is None or isinstance(item.content, str | Path)
