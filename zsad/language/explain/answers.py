"""Questions, asked together; answers, each read to a value or a reason and its claims checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from zsad.language.align import Alignment, Claim
from zsad.language.asking import Ask, Picture
from zsad.language.explain.evidence import Evidence
from zsad.language.gateway import Gateway, Read
from zsad.language.parse import Parsed

Plain = Callable[[Any], Any]
Makes = Callable[[Any, str], Sequence[Claim]]
BUDGET = "budget"


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        task: its short name.
        title: what it asks, for people.
        ask: as it is sent.
        parser: reads the answer.
        wanted: one line that states the form.
        frames: that are shown with it.
        plain: makes JSON of a value.
        makes: claims of a value, given the sentence that they stand in.
    """

    task: str
    title: str
    ask: Ask
    parser: Callable[[str], Parsed[Any]]
    wanted: str = ""
    frames: tuple[int, ...] = ()
    plain: Plain = lambda value: value
    makes: Makes = lambda value, sentence: ()

    def text(self) -> str:
        """Return what is asked, with a mark for each picture."""
        parts = self.ask.messages[-1].parts
        return "\n".join("[picture]" if isinstance(part, Picture) else str(part) for part in parts)


@dataclass(frozen=True)
class Answer:
    """What came of a question.

    Attributes:
        question: the question.
        text: the answer as it came, or ``""``.
        value: what was read of it, as JSON has it, or None.
        reason: how it was read, or why not.
        alignment: its claims, checked.
        failed: it was never answered: a second run asks again.
        remedy: of a failure: what is wrong and what to do.
    """

    question: Question
    text: str
    value: Any
    reason: str
    alignment: Alignment
    failed: bool = False
    remedy: str = ""

    @property
    def missing(self) -> bool:
        """Whether the budget ended before."""
        return self.reason == BUDGET

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        asked = self.question
        return {
            "task": asked.task, "title": asked.title, "question": asked.text(), "prompts": asked.ask.prompts,
            "frames": list(asked.frames), "answer": self.text, "value": self.value, "reason": self.reason,
            **self.alignment.to_dict(),
        }  # fmt: skip


def ask_all(gateway: Gateway, questions: Sequence[Question], evidence: Evidence) -> list[Answer]:
    """Ask questions, several at once, and check what the answers claim; they come in the order of the questions.

    Raises:
        EndpointError: the endpoint takes no question at all.
    """
    with ThreadPoolExecutor(max(1, min(gateway.concurrency, len(questions))), "zsad-explain") as pool:
        waiting = [pool.submit(gateway.read, one.ask, one.parser, one.wanted) for one in questions]
        try:
            reads = [one.result() for one in waiting]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return [answered(question, read, evidence) for question, read in zip(questions, reads, strict=True)]


def answered(question: Question, read: Read[Any], evidence: Evidence) -> Answer:
    """Return an answer that was read, with its claims checked; one that could not be read makes none."""
    reply = read.reply
    if read.value is None:
        return Answer(question, reply.text, None, read.reason, Alignment(()), reply.failed, reply.remedy)
    sentence = " ".join(reply.text.split())[:300]
    alignment = evidence.align(reply.text, question.makes(read.value, sentence))
    return Answer(question, reply.text, question.plain(read.value), read.reason, alignment)


def unusable(answers: Sequence[Answer]) -> str:
    """Return why no answer could be used, or ``""`` where one could, or the budget ended before.

    >>> unusable([])
    ''
    """
    if not answers or any(one.value is not None or one.missing for one in answers):
        return ""
    reasons = [one.remedy or one.reason for one in answers]
    told = [f"{reason} {reasons.count(reason)} times" if reasons.count(reason) > 1 else reason
            for reason in dict.fromkeys(reasons)]  # fmt: skip
    return f"no answer could be used ({'; '.join(told[:3])})"
