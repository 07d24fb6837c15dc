"""Thresholds of videos: set by normal footage for so many false alarms an hour, kept in a file with what they hold for.

The file is an object: ``kind``, ``threshold``, ``low``, ``min_frames``, ``gap`` (:class:`zsad.video.live.Rule`),
``method``, ``model`` and ``refiners`` of the scores that they were measured on, and how: ``hours`` of footage,
``alarms`` in it, ``per_hour`` (asked for) and ``at_most`` (an hour, at 95 % confidence).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zsad.documents import Entries, read_json
from zsad.errors import InputError, UsageError
from zsad.files import write_whole
from zsad.outputs import check_output, holds
from zsad.outside import printable
from zsad.video.events import find_events
from zsad.video.live import Rule
from zsad.video.series import ScoreSeries

KIND = "zsad video thresholds"
CONFIDENCE = 0.95
_KEYS = ("kind", "threshold", "low", "min_frames", "gap", "method", "model", "refiners")
_HOW = ("hours", "alarms", "per_hour", "at_most")


@dataclass(frozen=True)
class VideoThresholds:
    """A rule, and what it was measured on.

    Attributes:
        rule: thresholds and lengths.
        method: of the scores.
        model: the same.
        refiners: the same.
        hours: of normal footage.
        alarms: events that the rule finds in it.
        per_hour: false alarms an hour that were allowed.
        at_most: an hour at 95 % confidence, if alarms come independently of each other (Poisson).
    """

    rule: Rule
    method: str
    model: str
    refiners: tuple[str, ...]
    hours: float
    alarms: int
    per_hour: float
    at_most: float

    def told(self) -> str:
        """Say in words what the threshold promises."""
        alarms = "no alarm" if not self.alarms else f"{self.alarms} alarm{'s' * (self.alarms != 1)}"
        return (
            f"{alarms} in {self.hours:.3g} h of normal footage; at most {self.at_most:.3g} an hour at "
            f"{100 * CONFIDENCE:g} % confidence"
        )


def calibrate_video(
    series: Sequence[ScoreSeries], per_hour: float, *, min_frames: int = 1, gap: int = 0
) -> VideoThresholds:
    """Set a threshold by scores of normal footage.

    Args:
        series: of footage without anomalies, all by one method.
        per_hour: false alarms an hour that are allowed, above 0.
        min_frames: shortest event that counts.
        gap: events that are so many frames apart at most are one.

    Returns:
        The lowest threshold from which on, upwards, the footage has no more alarms than allowed.

    Raises:
        UsageError: a number of alarms that is none.
        InputError: no scores, no known time, or scores of several methods.

    Source: Garwood, Fiducial limits for the Poisson distribution, Biometrika 28, 1936.
    """
    if not 0 < per_hour < 1e6:
        raise UsageError(f"false alarms an hour must be above 0, got {per_hour:g}")
    kept = [one for one in series if len(one)]
    if not kept:
        raise InputError("normal footage: no scores; give clips of at least two frames")
    if len({(one.method, one.model, one.refiners) for one in kept}) > 1:
        raise InputError("normal footage: scores of several methods; score all clips by one")
    if not all(one.fps for one in kept):
        raise InputError("normal footage: frames per second are not known; give --folder-fps N")
    hours = sum(one.n_frames / one.fps for one in kept) / 3600
    allowed = math.floor(per_hour * hours)
    rule = Rule(0.0, None, min_frames, gap)
    threshold = _lowest(kept, rule, allowed)
    found = replace(rule, threshold=threshold)
    alarms = _alarms(kept, found)
    first = kept[0]
    return VideoThresholds(
        found, first.method, first.model, first.refiners, hours, alarms, per_hour, _upper(alarms) / hours
    )


def write_video_thresholds(path: str | Path, found: VideoThresholds) -> None:
    """Write the file, whole or not at all, over nothing but another of its kind.

    Raises:
        OutputError: it can't be written (OccupiedError: something else is there).
    """
    check_place(path)
    rule = found.rule
    data = {"kind": KIND, "threshold": rule.threshold, "low": rule.low, "min_frames": rule.min_frames, "gap": rule.gap}
    data |= {"method": found.method, "model": found.model, "refiners": list(found.refiners)}
    data |= {key: getattr(found, key) for key in _HOW}
    write_whole(Path(path), f"{json.dumps(data, indent=1, allow_nan=False)}\n".encode())


def check_place(path: str | Path) -> None:
    """Refuse to write thresholds over anything else."""
    check_output(Path(path), holds(KIND.encode()), "choose another --out")


def read_video_thresholds(path: str | Path) -> VideoThresholds:
    """Read the file.

    Raises:
        UsageError: it can't be read, or is none of these.
    """
    where = printable(path)
    entries = Entries.of(read_json(path, UsageError), where, UsageError)
    if entries.data.get("kind") != KIND:
        raise UsageError(f"{where}: not thresholds of videos; `zsad video calibrate` writes them")
    entries.only(*_KEYS, *_HOW)
    low = entries.data.get("low")
    rule = Rule(
        entries.number("threshold", -1e12, 1e12), None if low is None else entries.number("low", -1e12, 1e12),
        entries.whole("min_frames", 1), entries.whole("gap"),
    )  # fmt: skip
    refiners = entries.items("refiners", 100)
    return VideoThresholds(
        rule, entries.text("method"), entries.text("model"), tuple(map(str, refiners)), entries.number("hours", 0),
        entries.whole("alarms"), entries.number("per_hour", 0), entries.number("at_most", 0),
    )  # fmt: skip


def check_same(found: VideoThresholds, series: ScoreSeries, path: str | Path) -> None:
    """Refuse thresholds that were measured on other scores.

    Raises:
        UsageError: they were.
    """
    for what in ("method", "model", "refiners"):
        theirs, mine = getattr(found, what), getattr(series, what)
        if theirs != mine:
            told = [", ".join(one) if isinstance(one, tuple) else one for one in (theirs, mine)]
            raise UsageError(
                f"{printable(path)}: these thresholds were measured with {what} {printable(told[0]) or 'none'}, not "
                f"{printable(told[1]) or 'none'}; measure them on this one"
            )


def _lowest(series: Sequence[ScoreSeries], rule: Rule, allowed: int) -> float:
    """Go down the values until there are too many alarms: in large steps, then one by one in the last of them."""
    values = np.unique(np.concatenate([one.values for one in series]))[::-1]
    best = math.nextafter(float(values[0]), math.inf)
    step = max(1, len(values) // 1000)
    for some in (values[::step], values):
        for value in some[some < best] if step > 1 else some:
            if _alarms(series, replace(rule, threshold=float(value))) > allowed:
                break
            best = float(value)
    return best


def _alarms(series: Sequence[ScoreSeries], rule: Rule) -> int:
    return sum(len(find_events(one, rule)) for one in series)


def _upper(alarms: int) -> float:
    """Return the upper limit of a Poisson mean of which so many were seen."""
    from scipy.special import gammaincinv

    return float(gammaincinv(alarms + 1, CONFIDENCE))
