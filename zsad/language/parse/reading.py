"""What a parser gives: a value, or None, and in either case the reason."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

Value = TypeVar("Value")

EMPTY, UNPARSED, SEVERAL, OUT_OF_RANGE = "empty", "unparsed", "several", "out_of_range"
LONGEST = 20_000
"""Characters of a reply that are read. Patterns keep what they took (``++``) where giving back costs its square."""


class Parsed(NamedTuple, Generic[Value]):
    """What was read of a reply.

    Attributes:
        value: what it says, or None where it can't be told.
        reason: how it was read, or why it was not: one word.
    """

    value: Value | None
    reason: str


def is_empty(reply: str) -> bool:
    """Whether a reply has nothing but white space."""
    return not reply or not reply.strip()


def only(values: list[Value]) -> Value | None:
    """Return the one distinct value of a list, or None where there is none, or several."""
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else None
