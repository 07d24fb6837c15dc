"""A folder of fixtures of the language systems, and how quantities of it are compared; see ``parity_language.py``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parity_checks import Check, Skip

Checks = Iterator[Check]
System = Callable[["Fixtures"], Checks]


class Fixtures:
    """The files of one set.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._json = cache(lambda name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))
        self._npz = cache(lambda name: dict(np.load(folder / f"{name}.npz", allow_pickle=False)))

    def has(self, name: str) -> bool:
        """Whether the set has a file, with its ending."""
        return (self.folder / name).is_file()

    def json(self, name: str) -> Any:
        """Return what ``name.json`` holds."""
        return self._json(name)

    def npz(self, name: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return the arrays of ``name.npz``."""
        return self._npz(name)

    def part(self, name: str, prefix: str) -> dict[str, np.ndarray[Any, Any]]:
        """Return the arrays of ``name.npz`` that begin with ``prefix:``, without it."""
        found = self._npz(name)
        return {key.removeprefix(f"{prefix}:"): value for key, value in found.items() if key.startswith(f"{prefix}:")}


def same(where: str, quantity: str, ours: Iterable[Any], theirs: Iterable[Any]) -> Check:
    """Compare item by item; the error is how many differ, and how many more one side has."""
    ours, theirs = list(ours), list(theirs)
    wrong = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if plain(a) != plain(b)]
    note = f"first: {plain(ours[wrong[0]])!r} for {plain(theirs[wrong[0]])!r}"[:160] if wrong else ""
    return Check(where, f"{quantity} ({len(theirs)})", len(wrong) + abs(len(ours) - len(theirs)), 0, note)


def close(where: str, quantity: str, ours: Any, theirs: Any, tolerance: float = 1e-6) -> Check:
    """Compare numbers; missing ones (NaN) must be missing on both sides."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        return Check(where, quantity, float("inf"), tolerance, f"shape {a.shape} for {b.shape}")
    if not (np.isnan(a) == np.isnan(b)).all():
        return Check(where, quantity, float("inf"), tolerance, "missing values differ")
    both = ~np.isnan(a)
    error = float(np.abs(a[both] - b[both]).max()) if both.any() else 0.0
    return Check(where, quantity, error, tolerance)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: lists for tuples and arrays, floats for whole floats."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, float) and value != value:
        return None
    return value


def guarded(name: str, needs: tuple[str, ...], system: System, files: Fixtures) -> Iterator[Check | Skip]:
    """Yield a system's checks; a file that is absent is skipped, an exception is a failed check."""
    absent = [file for file in needs if not files.has(file)]
    if absent:
        yield from (Skip(name, file) for file in absent)
        return
    try:
        yield from system(files)
    except Exception as error:  # a check that breaks has failed
        yield Check(name, "computation", float("inf"), 0, f"{type(error).__name__}: {error}"[:160])
