"""Accuracy over multiple choice, strict as VANE-Bench counts and as the letters are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Accuracy:
    """Counts of one set of questions.

    Attributes:
        total: questions.
        correct: whose letter is right.
        unparsed: whose reply has no letter; wrong, too.
    """

    total: int
    correct: int
    unparsed: int

    @property
    def percent(self) -> float | None:
        """The share of right ones, in 0 to 100; None where there are no questions."""
        return 100 * self.correct / self.total if self.total else None


def accuracy(letters: Sequence[str | None], golds: Sequence[str]) -> Accuracy:
    """Count letters against the right ones.

    >>> accuracy(["A", None, "C"], ["A", "B", "D"])
    Accuracy(total=3, correct=1, unparsed=1)
    """
    right = sum(letter == gold for letter, gold in zip(letters, golds, strict=True))
    return Accuracy(len(golds), right, sum(letter is None for letter in letters))


def macro_mean(parts: Iterable[Accuracy]) -> float | None:
    """Return the mean of the categories' percentages; those without questions are left out."""
    found = [part.percent for part in parts if part.percent is not None]
    return sum(found) / len(found) if found else None


def published_match(reply: str, gold: str) -> bool | None:
    """Whether a reply counts as right by the published rule: the letter alone, or with one bracket after it.

    Returns:
        None where the published counter breaks: an empty reply, or one with a tab or a line break.
    """
    if not reply or "\t" in reply or "\n" in reply:
        return None
    return reply.removesuffix(")") == gold.removesuffix(")")
