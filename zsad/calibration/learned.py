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


def learned_from(detector: Detector) -> dict[str, int]:
    """Return the number of each image that a detector's memory was made of, by the SHA-256 of its content."""
    scorer = detector.scorer
    known = scorer.memory.images if isinstance(scorer, MemoryScorer | FusedScorer) else ()
    return {sha256: number for number, sha256 in enumerate(known)}


def check_not_learned(detector: Detector, items: Sequence[Item]) -> None:
    """Refuse files that a memory was learned from, before any work.

    Raises:
        InputError: names them, and what to do.
    """
    known = learned_from(detector)
    if not known:
        return
    places = [str(item.id if item.content is None else item.content) for item in items if _is_file(item)]
    refuse_learned([place for place in places if file_hash(place) in known])


def refuse_learned(names: Sequence[str]) -> None:
    """Refuse parts that were learned from.

    Raises:
        InputError: there are any.
    """
    if names:
        raise InputError(
            f"{named(names)}: the memory was learned from {'this' if len(names) == 1 else 'these'}; give other good "
            "parts, or --leave-one-out for thresholds without a guarantee"
        )


def left_out(detector: Detector, items: Sequence[Item], good: Measured, area: float) -> Measured:
    """Score each part that was learned from by the memory without it; the others stay as they are."""
    known, scorer = learned_from(detector), detector.scorer
    assert isinstance(scorer, MemoryScorer | FusedScorer)
    places = {item.place: item for item in items}

    def again(part: Part) -> Part:
        if part.sha256 not in known:
            return part
        without = detector.with_scorer(scorer.without(known[part.sha256])).with_thresholds(detector.thresholds)
        return measure(without, [places[part.name]], area).parts[0]

    return replace(good, parts=tuple(again(part) for part in good.parts))


def _is_file(item: Item) -> bool:
    return item.content is None or isinstance(item.content, str | Path)
