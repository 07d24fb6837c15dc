"""Rows of parts since the calibration -> have they drifted, and since when? ``zsad calibrate --check``."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zsad.calibration.drift import DriftWatch, Values
from zsad.calibration.family import Family
from zsad.errors import InputError, UsageError
from zsad.outside import printable
from zsad.stream.sinks.rows import Row, read_rows
from zsad.thresholds import ThresholdsFile, fingerprint_of, read_file


@dataclass(frozen=True)
class Drift:
    """What a watch has seen.

    Attributes:
        parts: rows with a result, in order.
        alarm: chance of a false alarm.
        evidence: the most that the player of :mod:`zsad.calibration.drift` ever held, as a decimal logarithm.
        alarm_at: the part at which the alarm rose, ``(number from 1, name)``; None without an alarm.
        began: the part at which the drift most likely began; None without an alarm.
        toward: where the parts went, such as ``"higher"``.
        notes: what a user should know, one line each.
    """

    parts: int
    alarm: float
    evidence: float
    alarm_at: tuple[int, str] | None = None
    began: tuple[int, str] | None = None
    toward: str = ""
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether the alarm rose."""
        return self.alarm_at is not None

    def told(self) -> str:
        """Say it in words."""
        if self.alarm_at is None or self.began is None:
            most = f"evidence at most {_power(self.evidence)}, an alarm rises at {1 / self.alarm:,.0f}"
            return f"No drift in {self.parts:,} parts: {most}."
        (at, at_name), (since, since_name) = self.alarm_at, self.began
        return (
            f"Drift: the parts are {self.toward} than the good parts were, most likely since part {since:,}, "
            f"{printable(since_name)}; the alarm (false with a chance of at most {self.alarm:g}) rose at part {at:,}, "
            f"{printable(at_name)}. Look at these parts, then calibrate anew."
        )


def check_drift(
    rows: str | Path | Iterable[Row], thresholds: str | Path | ThresholdsFile, *, alarm: float = 0.01, seed: int = 0
) -> Drift:
    """Test whether parts still score as the good parts did that thresholds were set by.

    Args:
        rows: a file of rows, or rows, in the order in which the parts came.
        thresholds: a file that :func:`zsad.calibrate` wrote, or what it says; the rows were judged by it.
        alarm: chance of a false alarm however long the rows, in (0, 1).
        seed: of the coin that breaks ties.

    Raises:
        InputError: no rows with a result.
        UsageError: a file without its good parts; rows of another model or judged by other thresholds; a chance out of
            range.
    """
    if not 1e-9 <= alarm <= 0.5:
        raise UsageError(f"alarm of {alarm:g}: give a chance from 0.000000001 to 0.5, such as 0.01")
    where = "thresholds" if isinstance(thresholds, ThresholdsFile) else printable(thresholds)
    file = thresholds if isinstance(thresholds, ThresholdsFile) else read_file(thresholds)
    if file.good is None:
        raise UsageError(f"{where}: says nothing of the good parts that it rests on; give a file of `zsad calibrate`")
    place = printable(rows) if isinstance(rows, str | Path) else "rows"
    watch = DriftWatch(statistic(file, file.good.scores, file.good.peaks), alarm=alarm, seed=seed)
    names: list[str] = []
    failed = 0
    for row in _rows(rows):
        if row.error:
            failed += 1
            continue
        _same(row, file, place, where)
        names.append(row.file)
        watch.add(float(statistic(file, (round(row.score, 6),), (round(row.peak, 6),))[0]))
    if not names:
        raise InputError(f"{place}: has no row with a result; give the rows of `zsad detect --json`")
    notes = (f"{failed:,} rows without a result are left out",) if failed else ()
    at, since = ((n, names[n - 1]) if n is not None else None for n in (watch.alarm_at, watch.began))
    return Drift(len(names), alarm, watch.highest / np.log(10), at, since, watch.toward, notes)


def _rows(rows: str | Path | Iterable[Row]) -> Iterable[Row]:
    if not isinstance(rows, str | Path):
        return rows
    if not Path(rows).is_file():
        raise InputError(f"{printable(rows)}: no such file; give the rows of `zsad detect --json`")
    return read_rows(Path(rows))


def _same(row: Row, file: ThresholdsFile, place: str, where: str) -> None:
    """Refuse a row whose numbers mean something else than those of the good parts."""
    name = file.model[0] if file.model is not None else row.model
    if row.model != name:
        raise UsageError(
            f"{place}: {printable(row.file)}: is a row of model {printable(row.model) or '(unnamed)'}, but {where} was "
            f"measured on {printable(name)}; give rows of that model"
        )
    if row.mutual:
        raise UsageError(
            f"{place}: {printable(row.file)}: is a mutual score, which says nothing about this part alone; "
            f"give rows of `zsad detect --thresholds {shlex.quote(where)}`"
        )
    known = fingerprint_of(file.model[1], file.look) if file.model is not None and file.look is not None else ""
    if known and row.fingerprint not in ("", known):
        raise UsageError(
            f"{place}: {printable(row.file)}: was scored by another {printable(name)} than {where} was measured on: "
            "weights, good images, --fused, words, --tile or --bits differ; "
            f"give rows of `zsad detect --thresholds {shlex.quote(where)}`"
        )
    ours, theirs = file.thresholds, row.thresholds
    roi = "" if ours.roi is None else ours.roi.key
    if ours.rule != "score" and (ours.pixel, ours.min_area, roi) != (theirs.pixel, theirs.min_area, row.roi):
        raise UsageError(
            f"{place}: {printable(row.file)}: was judged by other thresholds; "
            f"give rows of `zsad detect --thresholds {shlex.quote(where)}`"
        )


def statistic(file: ThresholdsFile, scores: Iterable[float], peaks: Iterable[float]) -> Values:
    """Return what the rule looks at: score, region, or how extreme a part is in either."""
    s, p = np.fromiter(scores, np.float64), np.fromiter(peaks, np.float64)
    tie = file.good.tie if file.good is not None else None
    if tie is not None:
        return Family((tie[0], tie[1]), (tie[2], tie[3]), "file").extremeness(s, p)
    return p if file.thresholds.rule == "region" else s


def _power(logarithm: float) -> str:
    return f"{10**logarithm:.3g}" if logarithm < 6 else f"10^{logarithm:.0f}"
