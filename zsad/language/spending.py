"""What a run spends: tokens of a question by an estimate, and a budget that several ways to a model share."""

from __future__ import annotations

import threading

from zsad.language.asking import Ask, Sound
from zsad.language.replies import Budget

PICTURE_TOKENS = 85
"""Tokens of one picture, or of one piece of sound, in an estimate, at the least; models differ."""
_LETTERS = 4
"""Of a token, on average."""


def tokens_of(ask: Ask) -> int:
    """Return the tokens of a question, estimated: its words, and its pictures as they are sent.

    >>> from zsad.language.asking import Message
    >>> tokens_of(Ask("step", "item", (Message("user", ("What is to be seen here?",)),)))
    6
    """
    parts = [part for message in ask.messages for part in message.parts]
    letters = sum(len(part) for part in parts if isinstance(part, str))
    sounds = sum(isinstance(part, Sound) for part in parts)
    return -(-letters // _LETTERS) + PICTURE_TOKENS * (-(-ask.n_pictures // ask.sheet) + sounds)


def words_of(text: str) -> int:
    """Return the tokens of an answer, estimated."""
    return -(-len(text) // _LETTERS)


class Purse:
    """A budget and what is spent of it; what is under way is reserved, by an estimate, until it has come.

    Args:
        budget: what may be spent.

    Attributes:
        calls: that were answered.
        tokens: of them.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget, self.calls, self.tokens = budget, 0, 0
        self._calls = self._tokens = 0.0  # under way
        self._more = 1.0  # how many times its estimate a call took, at most
        self._changed = threading.Condition()

    def take(self, estimate: int) -> float | None:
        """Reserve one call; wait as long as what is under way may need the rest of the budget.

        Args:
            estimate: tokens of question and answer.

        Returns:
            Tokens that are reserved, for :meth:`settle`; None where the budget is spent.
        """
        with self._changed:
            while not self._below(self.calls + self._calls, self.tokens + self._tokens):
                if not self._below(self.calls, self.tokens):
                    return None
                self._changed.wait()
            reserved = estimate * self._more
            self._calls += 1
            self._tokens += reserved
            return reserved

    def settle(self, reserved: float, used: int | None) -> None:
        """Say what became of a call.

        Args:
            reserved: what :meth:`take` gave.
            used: its tokens; None where nothing was answered, so that nothing is spent.
        """
        with self._changed:
            self._calls -= 1
            self._tokens -= reserved
            if used is not None:
                self.calls += 1
                self.tokens += used
                self._more = max(self._more, used / max(1.0, reserved / self._more))
            self._changed.notify_all()

    def _below(self, calls: float, tokens: float) -> bool:
        budget = self.budget
        return (budget.calls is None or calls < budget.calls) and (budget.tokens is None or tokens < budget.tokens)
