"""Images of good parts in, thresholds with their statement out: ``zsad.calibrate``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zsad.calibration.choice import Choice, Goal, choose, percent, too_few
from zsad.calibration.learned import check_not_learned, learned_names, left_out, refuse_learned
from zsad.calibration.marks import Marks, read_marks, same_file
from zsad.calibration.measure import Measured, Part, measure
from zsad.calibration.order import binomial_interval, needed
from zsad.detector.base import Detector
from zsad.detector.loading import load
from zsad.errors import InputError, UsageError
from zsad.outside import printable
from zsad.roi import Roi, read_roi
from zsad.stream.good import find_parts, named
from zsad.stream.item import Item
from zsad.thresholds import Good, ThresholdsFile, model_of, write_thresholds
from zsad.types import ImageLike, Thresholds

Images = str | Path | Iterable[ImageLike]
FAR = 6.0
"""Median deviations above the median from which a part is named as unlike the others."""


@dataclass(frozen=True)
class Misses:
    """What thresholds do to parts that are known to be defective.

    Attributes:
        n: defective parts.
        missed: names of those that are not rejected.
        low: the miss rate is at least this, at the confidence of the calibration (Clopper and Pearson).
        high: and at most this.
        failed: one line for each image that could not be used.
    """

    n: int
    missed: tuple[str, ...]
    low: float
    high: float
    failed: tuple[str, ...] = ()

    def told(self, confidence: float) -> str:
        """Say it in words."""
        if not self.n:
            return "no defective part could be used"
        rate, low, high = (percent(x) for x in (len(self.missed) / self.n, self.low, self.high))
        which = f": {named(self.missed)}" if self.missed else ""
        return (
            f"{len(self.missed)} of {self.n} defective parts are missed{which}; expected miss rate {rate} "
            f"({percent(confidence)} interval {low} to {high})"
        )


@dataclass(frozen=True)
class Calibration:
    """Thresholds from good parts.

    Attributes:
        thresholds: what to judge by.
        n: good parts that the statement rests on.
        rate: share of good parts that are rejected at most.
        confidence: of that statement.
        guarantee: whether the statement may be made: it is known that no part was learned from.
        furthest: the parts that lie furthest out, the one that sets the thresholds and up to two more.
        tied_by: what ties image and pixel threshold, or ``""`` where there is one.
        failed: one line for each good part that could not be used.
        notes: what a user should know, one line each.
        misses: what the thresholds do to defective parts, or None if none were given.
        file: all of it that goes into a file.
    """

    thresholds: Thresholds
    n: int
    rate: float
    confidence: float
    guarantee: bool
    furthest: tuple[Part, ...]
    tied_by: str
    failed: tuple[str, ...]
    notes: tuple[str, ...]
    misses: Misses | None
    file: ThresholdsFile

    def told(self) -> str:
        """Say in words what the thresholds promise."""
        statement = f"at most {percent(self.rate)} of good parts rejected, at {percent(self.confidence)} confidence"
        if self.guarantee:
            return f"{statement}: n = {self.n:,} good parts, whatever their scores are distributed like"
        return f"no guarantee: {statement} is what n = {self.n:,} parts would support that nothing was learned from"

    def save(self, path: str | Path) -> Path:
        """Write the file that ``--thresholds`` and ``zsad.load(thresholds=...)`` read.

        Raises:
            OutputError: it can't be written.
        """
        write_thresholds(path, self.file)
        return Path(path)


def calibrate(
    model: Detector | str | Path | None,
    normals: Images | None = None,
    *,
    defects: Images | None = None,
    marks: str | Path | None = None,
    false_reject: float = 0.01,
    confidence: float = 0.95,
    rule: str | None = None,
    min_area: float | None = None,
    roi: Roi | str | Path | None = None,
    accept_rate: bool = False,
    leave_one_out: bool = False,
    recursive: bool = False,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> Calibration:
    """Set thresholds by good parts that nothing was learned from.

    Args:
        model: a detector, or what :func:`zsad.load` takes.
        normals: a folder, a file, or several, or images as detectors take them: good parts, a fair sample of those to
            come, and nothing else.
        defects: defective parts, to say how many of them are missed; they set nothing.
        marks: a CSV file with the columns ``path`` and ``mark`` (``good`` or ``bad``), as the report exports it: marked
            good parts are added to ``normals``, marked bad ones are taken out of it and added to ``defects``.
        false_reject: share of good parts that may be rejected, from 1e-6 to 0.5.
        confidence: how sure that is to be, from 0.5 to 0.999999.
        rule: what rejects a part: ``"score"``, ``"region"`` or ``"either"``; by default either, and region with
            ``roi``, since the score is that of the whole image.
        min_area: smallest region that counts, as a fraction of an image; the detector's by default.
        roi: regions of interest, or a JSON file of them (:func:`zsad.roi.read_roi`): outside of them the map does not
            count, here and wherever the thresholds are used.
        accept_rate: take the rate that the parts support, if they are too few.
        leave_one_out: take parts that the detector's memory was learned from, each scored by the memory without it;
            there is no guarantee then.
        recursive: look into sub-folders.
        seed: of the draw of parts that tie image and pixel threshold.
        step: called after each image.

    Raises:
        InputError: too few good parts, masks among them, no such place; parts that the memory was learned from; or
            parts that nothing lies above.
        UsageError: a share or a rule out of range; no good parts are given.
        ModelError: a model that can't be loaded, or that can score nothing.
    """
    detector = model if isinstance(model, Detector) else load(model)
    area = detector.thresholds.min_area or 0.0 if min_area is None else min_area
    inside = read_roi(roi) if isinstance(roi, str | Path) else roi
    asked = rule or ("either" if inside is None else "region")
    checked = Thresholds(min_area=area, rule=asked, roi=inside)  # type: ignore[arg-type]
    assert checked.rule is not None
    detector = detector.with_thresholds(checked)
    goal = Goal(false_reject, confidence, accept_rate, checked.rule, seed)
    marked = read_marks(marks) if marks is not None else Marks()
    good_items = _good_items(normals, marked, recursive)
    bad_items = _bad_items(defects, marked, recursive)
    if len(good_items) < needed(goal.rate, goal.confidence) and not goal.accept:
        raise InputError(too_few(len(good_items), goal))  # before an hour's work
    if not leave_one_out:
        check_not_learned(detector, good_items)
    good = measure(detector, good_items, area, step)
    _check_enough(detector, good_items, good, goal)
    learned = learned_names(detector, good)
    if leave_one_out and learned:
        good = left_out(detector, good_items, good, area)
    else:
        refuse_learned(detector, learned)
    scoring = detector.card.scoring
    choice = choose(good.scores, good.levels, goal, (scoring.image_threshold, scoring.pixel_threshold))
    bad = measure(detector, bad_items, area, step) if bad_items else None
    if bad is not None:
        _told_apart(good, bad)
    misses = None if bad is None else _misses(bad, choice, goal)
    doubt = "learned from" if learned else "perhaps learned from" if detector.learned is None else ""
    return _calibration(detector, good, choice, goal, area, misses, doubt)


def _check_enough(detector: Detector, items: Sequence[Item], good: Measured, goal: Goal) -> None:
    """Refuse too few parts that could be used, with why the others could not.

    Raises:
        InputError: too few.
        ModelError: what the model itself says, where that is why.
    """
    if len(good) >= needed(goal.rate, goal.confidence) or (goal.accept and good.parts):
        return
    for item in items[:8] if not good.parts else ():
        try:
            detector.batch([item.open()])
        except InputError:  # this picture's fault
            continue
        break
    why = too_few(len(good), goal)
    if good.failed:
        more = f" and {len(good.failed) - 1:,} more" if len(good.failed) > 1 else ""
        why += f"; {len(good.failed):,} could not be used: {good.failed[0]}{more}"
    if good.twins:
        why += f"; {len(good.twins):,} counted once with another: {good.twins[0]}"
    raise InputError(why)


def _good_items(normals: Images | None, marked: Marks, recursive: bool) -> list[Item]:
    if normals is None and not marked.good:
        raise UsageError("no good parts are given: add --normals DIR, or --marks CSV with parts that are marked good")
    items = [] if normals is None else find_parts(normals, recursive=recursive)
    bad, seen = {same_file(path) for path in marked.bad}, {same_file(item.id) for item in items}
    kept = [item for item in items if same_file(item.id) not in bad]
    more = [path for path in marked.good if same_file(path) not in seen]
    return kept + (find_parts(more) if more else [])


def _bad_items(defects: Images | None, marked: Marks, recursive: bool) -> list[Item]:
    items = [] if defects is None else find_parts(defects, recursive=recursive, what="defective parts")
    good, seen = {same_file(path) for path in marked.good}, {same_file(item.id) for item in items}
    items = [item for item in items if same_file(item.id) not in good]
    more = [path for path in marked.bad if same_file(path) not in seen]
    return items + (find_parts(more, what="defective parts") if more else [])


def _told_apart(good: Measured, bad: Measured) -> None:
    """Refuse a picture that is among the good and among the defective parts."""
    names = {part.sha256: part.name for part in good.parts}
    both = next((part for part in bad.parts if part.sha256 in names), None)
    if both is not None:
        raise InputError(
            f"{printable(both.name)}: is the same picture as the good part {printable(names[both.sha256])}; "
            "take it out of the good or of the defective parts"
        )


def _misses(bad: Measured, choice: Choice, goal: Goal) -> Misses:
    missed = tuple(part.name for part in bad.parts if not _rejected(part, choice))
    low, high = binomial_interval(len(missed), len(bad), goal.confidence) if bad.parts else (0.0, 1.0)
    return Misses(len(bad), missed, low, high, bad.failed)


def _rejected(part: Part, choice: Choice) -> bool:
    return (choice.image is not None and part.score >= choice.image) or (
        choice.pixel is not None and part.level >= choice.pixel
    )


def _calibration(
    detector: Detector, good: Measured, choice: Choice, goal: Goal, area: float, misses: Misses | None, doubt: str
) -> Calibration:
    used = [good.parts[i] for i in choice.used]
    source = f"{choice.n} good parts, at most {percent(choice.rate)} rejected at {percent(goal.confidence)} confidence"
    source += f", no guarantee: {doubt}" if doubt else ""
    side = "chosen by the network's side" if detector.tile == "auto" else f"of {detector.tile} px"
    source += f", tiles {side}" if detector.tile else ""
    thresholds = Thresholds(choice.image, choice.pixel, area, goal.rule, source, detector.thresholds.roi)
    family = choice.family
    kept = Good(
        tuple(round(part.score, 6) for part in used),
        tuple(round(part.peak(choice.pixel), 6) for part in used),
        None if family is None else (*family.score, *family.region),
    )
    file = ThresholdsFile(
        thresholds, model_of(detector.card), choice.n, round(choice.rate, 6), goal.confidence, not doubt, kept,
        detector.look,
    )  # fmt: skip
    notes = (*good.twins, *_unlike(used), *_unknown(detector))
    return Calibration(
        thresholds, choice.n, choice.rate, goal.confidence, not doubt, tuple(used[:3]),
        "" if family is None else family.source, good.failed, notes, misses, file,
    )  # fmt: skip


def _unknown(detector: Detector) -> list[str]:
    """Say that a model was fitted to good images, but not to which."""
    if detector.learned is not None:
        return []
    return [f"{printable(detector.card.label)}: does not say which good images it was fitted to, and these parts may "
            "be among them: no guarantee; fit and export it again"]  # fmt: skip


def _unlike(parts: Sequence[Part]) -> list[str]:
    """Name parts whose score or level lies far from all others, as those of defective parts do."""
    far: set[str] = set()
    for values in (np.array([part.score for part in parts]), np.array([part.level for part in parts])):
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        limit = max(middle + FAR * spread, 1.5 * middle)
        far |= {part.name for part, value in zip(parts, values, strict=True) if value > limit}
    names = [printable(part.name) for part in parts if part.name in far]
    if not names:
        return []
    return [f"unlike the other good parts: {named(names)}; look at them, a defect among good parts raises thresholds"]
