"""Scores over a video's frames: the one value that scorers of every kind give and everything else reads.

The file ``scores.json`` is an object with these keys::

    {"format": 1, "n_frames": 300, "fps": 25.0, "values": [0.1, 0.7, ...], "positions": [0, 16, ...],
     "timestamps": [0.0, 0.64, ...], "method": "motion", "model": "dis-flow", "refiners": ["median 5"],
     "partial": false, "classes": {"fighting": [0.0, 0.6, ...]}, "calls": {"sent": 3}}

``classes`` and ``calls`` stand there only where a method has them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zsad.documents import Entries, Limits, read_json
from zsad.errors import InputError
from zsad.files import write_whole
from zsad.outputs import check_output, holds
from zsad.outside import printable, shown

FORMAT = 1
"""Version of the file."""
_LIMITS = Limits(size=1 << 30, entries=40_000_000)
_KEYS = {"format", "n_frames", "fps", "values", "positions", "timestamps", "method", "model", "refiners", "partial"}
_MORE = {"classes", "calls"}


@dataclass(frozen=True, eq=False)
class ScoreSeries:
    """One score per position of a video; a value stands for its frame and those after it, up to the next position.

    Attributes:
        values: (P,) float64, finite; larger is more anomalous. Its range is the method's.
        positions: (P,) int64, ascending: the frame each value belongs to, from 0.
        timestamps: (P,) float64, seconds from the video's first frame, of those frames; not descending.
        n_frames: frames of the video; where ``partial``, those that could be read.
        fps: frames per second, on average; 0 where nobody knows.
        method: what scored, such as ``"motion"``.
        model: which model it used, for people.
        refiners: what was done to the values afterwards, in order; those that use the future say so in their names.
        partial: whether the video could not be read, or scored, to its end.
        classes: name of a class -> (P,) float64 scores of it; empty where the method knows none.
        calls: counts of what a language model was asked (sent, cached, unparsed, tokens, and per_hour of video where
            few windows are asked about); empty for other methods.
        fault: why it is ``partial``, in one line for people, or ``""``; not kept in files.

    Raises:
        InputError: lengths differ, a value is not finite, or positions do not ascend within the video.
    """

    values: NDArray[np.float64]
    positions: NDArray[np.int64]
    timestamps: NDArray[np.float64]
    n_frames: int
    fps: float
    method: str
    model: str = ""
    refiners: tuple[str, ...] = ()
    partial: bool = False
    classes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    fault: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "values", np.asarray(self.values, np.float64))
        put(self, "positions", np.asarray(self.positions, np.int64))
        put(self, "timestamps", np.asarray(self.timestamps, np.float64))
        put(self, "classes", {name: np.asarray(column, np.float64) for name, column in self.classes.items()})
        fault = _fault(self)
        if fault:
            raise InputError(fault)

    def __len__(self) -> int:
        return len(self.values)

    def to_frames(self) -> NDArray[np.float64]:
        """Return one value per frame, (n_frames,) float64; frames before the first position have its value.

        >>> ScoreSeries([1.0, 2.0], [0, 2], [0.0, 0.5], 5, 4.0, "map").to_frames().tolist()
        [1.0, 1.0, 2.0, 2.0, 2.0]
        """
        return self.spread(self.values)

    def spread(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a column of one value per position, such as one of ``classes``, as :meth:`to_frames` does."""
        if not len(self):
            return np.zeros(0)
        held = np.searchsorted(self.positions, np.arange(self.n_frames), side="right") - 1
        return column[np.maximum(held, 0)]

    def to_dict(self) -> dict[str, Any]:
        """Return what the file says of it, as plain values."""
        found: dict[str, Any] = {
            "format": FORMAT,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "values": self.values.tolist(),
            "positions": self.positions.tolist(),
            "timestamps": self.timestamps.tolist(),
            "method": self.method,
            "model": self.model,
            "refiners": list(self.refiners),
            "partial": self.partial,
        }
        if self.classes:
            found["classes"] = {name: column.tolist() for name, column in self.classes.items()}
        if self.calls:
            found["calls"] = dict(self.calls)
        return found


def write_series(path: str | Path, series: ScoreSeries) -> None:
    """Write ``scores.json``, whole or not at all, over nothing but another of its kind.

    Raises:
        OutputError: no space, not allowed, or something else is there (OccupiedError).
    """
    check_output(Path(path), holds(b'"n_frames": '), "choose another --out")
    write_whole(Path(path), f"{json.dumps(series.to_dict(), allow_nan=False)}\n".encode())


def read_series(path: str | Path) -> ScoreSeries:
    """Read ``scores.json``, whoever wrote it.

    Raises:
        InputError: it can't be read, lacks a key, or its numbers contradict each other.
    """
    where = printable(path)
    entries = Entries.of(read_json(path, InputError, _LIMITS), where, InputError)
    data = entries.data
    if not isinstance(data.get("format"), int) or isinstance(data["format"], bool) or data["format"] != FORMAT:
        raise InputError(f"{where}: not scores of a video: format must be {FORMAT}, got {shown(data.get('format'))}")
    lacking = sorted(_KEYS - set(data))
    if lacking:
        raise InputError(f"{where}: lacks {', '.join(lacking)}")
    unknown = sorted(set(data) - _KEYS - _MORE)
    if unknown:
        raise InputError(f"{where}: unknown key {printable(unknown[0])[:40]!r}")
    classes, calls = data.get("classes", {}), data.get("calls", {})
    if not isinstance(classes, dict) or not isinstance(calls, dict):
        raise InputError(f"{where}: classes and calls must be mappings")
    if not all(isinstance(data[key], str) for key in ("method", "model")) or not isinstance(data["partial"], bool):
        raise InputError(f"{where}: method and model must be texts, partial true or false")
    if not isinstance(data["refiners"], list) or not all(isinstance(one, str) for one in data["refiners"]):
        raise InputError(f"{where}: refiners must be a list of texts")
    if not _is_count(data["n_frames"]) or not _is_number(data["fps"]):
        raise InputError(f"{where}: n_frames must be a whole number and fps a number, neither below 0")
    if not all(_is_count(count) for count in calls.values()):
        raise InputError(f"{where}: calls must be counts")
    numbers = {key: _numbers(data[key], f"{where}: {key}") for key in ("values", "positions", "timestamps")}
    if not all(isinstance(place, int) for place in data["positions"]):
        raise InputError(f"{where}: positions must be whole numbers")
    try:
        return ScoreSeries(
            numbers["values"],
            np.asarray(data["positions"], np.int64),
            numbers["timestamps"],
            data["n_frames"],
            float(data["fps"]),
            data["method"],
            data["model"],
            tuple(data["refiners"]),
            data["partial"],
            {name: _numbers(column, f"{where}: class {printable(name)[:40]!r}") for name, column in classes.items()},
            calls,
        )
    except (InputError, OverflowError) as error:
        raise InputError(f"{where}: {error}") from None


def _numbers(values: object, where: str) -> NDArray[np.float64]:
    if not isinstance(values, list) or not all(isinstance(v, int | float) and v is not True for v in values):
        raise InputError(f"{where} must be a list of numbers")
    return np.array(values, np.float64)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6


def _fault(series: ScoreSeries) -> str:
    """Return what is wrong with a series, or ``""``."""
    count = len(series.values)
    for name in ("values", "positions", "timestamps"):
        column = getattr(series, name)
        if column.ndim != 1 or len(column) != count:
            return f"values and {name} differ in length: {count} and {len(column) if column.ndim else 'none'}"
        if not np.isfinite(column).all():
            return f"{name} hold a number that is not finite, at index {int(np.flatnonzero(~np.isfinite(column))[0])}"
    for label, column in series.classes.items():
        if column.shape != (count,) or not np.isfinite(column).all():
            return f"class {printable(label)[:40]!r} must have {count} finite scores"
    if count and (series.positions[0] < 0 or series.positions[-1] >= series.n_frames):
        return f"positions must lie in 0 to {series.n_frames - 1}, the frames of the video"
    if (np.diff(series.positions) <= 0).any():
        return "positions must ascend"
    if (np.diff(series.timestamps) < 0).any():
        return "timestamps must not descend"
    if not math.isfinite(series.fps) or series.fps < 0 or series.n_frames < 0:
        return "n_frames and fps must be finite, and not below 0"
    return ""
