"""What a gateway gives and counts: replies, what was read of them, budgets and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Budget:
    """What a run may send; None is as much as it needs.

    Attributes:
        calls: requests that are answered.
        tokens: of questions and answers together, estimated where the server does not count them. An estimate of what
            is under way is reserved, so that only what the last calls take beyond theirs goes over it.
    """

    calls: int | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    Attributes:
        text: the answer, or ``""``.
        reason: ``""`` for an answer, else why there is none: ``"empty"``, ``"refusal"``, ``"content_filter"``,
            ``"budget"``, ``"absent"`` (not in the record), or a failure's line.
        cut: the answer reached its limit of tokens.
        key: of the question.
        failed: it was never answered, and a second run asks again.
        remedy: of a failure: what is wrong and what to do, in one line.
    """

    text: str
    reason: str = ""
    cut: bool = False
    key: str = ""
    failed: bool = False
    remedy: str = ""


@dataclass(frozen=True)
class Read(Generic[Value]):
    """A reply that was read.

    Attributes:
        value: what it says, or None.
        reason: how it was read, or why not.
        reply: the last reply.
    """

    value: Value | None
    reason: str
    reply: Reply


@dataclass
class Counts:
    """What a run has sent, by the step that asked too; tokens are estimated where the server does not count them."""

    sent: int = 0
    cached: int = 0
    unparsed: int = 0
    tokens: int = 0
    failed: int = 0
    missing: int = 0
    reasked: int = 0
    steps: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    failure: str = ""
    """Why the last call was never answered."""

    def add(self, step: str, what: str, count: int = 1) -> None:
        """Count something of a step."""
        setattr(self, what, getattr(self, what) + count)
        self.steps.setdefault(step, Counter())[what] += count

    def fail(self, step: str, why: str) -> None:
        """Count a call of a step that was never answered."""
        self.add(step, "failed")
        self.failure = why

    def to_calls(self) -> dict[str, int]:
        """Return what ``scores.json`` says under ``calls``."""
        return {"sent": self.sent, "cached": self.cached, "unparsed": self.unparsed, "tokens": self.tokens}
