"""What a document from outside may cost, and what may stand in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zsad.outside import shown, terminal

DIGITS = 18
"""Most digits of a whole number: all of them fit into 64 bits."""
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Limits:
    """What a document may cost.

    Attributes:
        size: in bytes.
        entries: values of all depths together.
        depth: mappings and lists in one another.
        text: characters of one text.
    """

    size: int = 1 << 20
    entries: int = 20_000
    depth: int = 20
    text: int = 100_000


SMALL = Limits()
"""For what a person writes: settings, prompts, suites, thresholds, cards."""
LARGE = Limits(size=256 << 20, entries=20_000_000, text=64 << 20)
"""For what a program writes: lists of datasets, results, stored vectors."""


class RefusedError(Exception):
    """Why a document is not taken, and what to do."""


def too_long(limits: Limits) -> str:
    """Say that a document is longer than the limits allow."""
    return f"longer than {limits.size:,} bytes, which no such file is; give another"


def too_deep(limits: Limits) -> str:
    """Say that a document is deeper than the limits allow."""
    return f"more than {limits.depth} mappings and lists in one another; give a flatter one"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping of pairs, each key of which may stand once.

    Raises:
        RefusedError: a key stands twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise RefusedError(f"key {shown(twice)} is given twice; give it once")
    return found


def check(value: Any, limits: Limits) -> None:
    """Refuse what is too much, too deep, or not finite, wherever it stands.

    Raises:
        RefusedError: it is.
    """
    level, count, depth = [value], 0, 0
    while level:
        count += len(level)
        if count > limits.entries:
            raise RefusedError(f"more than {limits.entries:,} entries; give a shorter one")
        if depth > limits.depth:
            raise RefusedError(too_deep(limits))
        for entry in level:
            problem = _problem(entry, limits)
            if problem:
                raise RefusedError(_named(value, entry, limits) + problem)
        level, depth = [below for entry in level for below in _below(entry)], depth + 1


def _below(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _problem(value: Any, limits: Limits) -> str:
    if isinstance(value, str):
        if len(value) > limits.text:
            return f"a text of {len(value):,} characters; {limits.text:,} are the most"
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            return f"half a character (a lone surrogate) in {shown(value)}; save it as UTF-8"
    elif isinstance(value, float):
        return "" if math.isfinite(value) else f"{value} is no number; give a finite one"
    elif isinstance(value, int) and abs(value) >= 10**DIGITS:
        return f"{shown(value)} where {DIGITS} digits are the most; give a smaller one"
    return ""


def _named(root: Any, wanted: Any, limits: Limits) -> str:
    """Say where in a document a value stands, by its keys."""
    waiting = [("", root, 0)]
    while waiting:
        name, value, depth = waiting.pop()
        if value is wanted:
            return f"{terminal(name, _LONGEST_NAME)}: " if name else ""
        if isinstance(value, dict | list) and depth <= limits.depth:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            waiting += [(f"{name}.{key}".lstrip("."), below, depth + 1) for key, below in pairs]
    return ""  # a key
