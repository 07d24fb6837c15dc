"""What benchmarks are made of: questions, answers, what a judge said, and rows of figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Span = tuple[float, float]


@dataclass(frozen=True)
class Question:
    """One question of a benchmark.

    Attributes:
        id: names it within its data, once.
        video: as the data names it.
        task: what is asked, such as ``"choice"`` or ``"Cause"``.
        gold: the right answer, as the data has it.
        text: the question's own words, or ``""``.
        group: category that figures are also given by, or ``""``.
        path: of the video, or None where it is not on the disk.
        span: seconds of the video that it is about; None is all of it.
        moments: seconds of the anomaly, where the data says so.
        sentences: key sentences, where the data has them.
    """

    id: str
    video: str
    task: str
    gold: str
    text: str = ""
    group: str = ""
    path: Path | None = None
    span: Span | None = None
    moments: tuple[Span, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True)
class Data:
    """What was read of a benchmark's data.

    Attributes:
        questions: in the order of the data.
        left_out: a line for each entry that should be a question and is none, with the reason.
        notes: lines about what the data does not have, by its nature.
    """

    questions: tuple[Question, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a model said to a question.

    Attributes:
        question: the question.
        text: of the answer; ``""`` where there is none.
        reason: ``""``, or why there is no text: ``"refusal"``, ``"content_filter"``, ``"empty"``, or a failure's line.
        measured: whether it counts: it does, with a refusal too, unless nobody was asked or the call failed.
    """

    question: Question
    text: str
    reason: str = ""
    measured: bool = True


@dataclass(frozen=True)
class Verdict:
    """What a judge said of an answer.

    Attributes:
        question: id of the question.
        task: of the question.
        measure: what was judged.
        value: the score, or None where the judge's reply can't be read.
        reason: how it was read, or why not.
    """

    question: str
    task: str
    measure: str
    value: float | None
    reason: str


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        task: which questions; ``"all"`` for every one.
        metric: what, with its variant.
        value: the figure, None where it is not defined.
        highest: what it can be at most.
        count: of what it was made.
        unparsed: how many of these could not be read.
        note: what a reader should know, or ``""``.
    """

    task: str
    metric: str
    value: float | None
    highest: float
    count: int
    unparsed: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Findings:
    """What a run came to.

    Attributes:
        answers: of all questions, in the order of the data.
        verdicts: of the judge.
        rows: the figures.
        left_out: lines of what was not measured, each with its name.
        notes: lines for the reader.
        facts: further values of the benchmark, for its JSON.
    """

    answers: Sequence[Answer]
    verdicts: Sequence[Verdict]
    rows: Sequence[Row]
    left_out: Sequence[str]
    notes: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def mean_row(task: str, metric: str, highest: float, values: Sequence[float | None], note: str = "") -> Row:
    """Return the mean of what is there; None is left out of it and counted.

    >>> mean_row("Cause", "judge", 10, [4.0, None, 7.0]).value
    5.5
    """
    found = [value for value in values if value is not None]
    mean = sum(found) / len(found) if found else None
    return Row(task, metric, mean, highest, len(values), len(values) - len(found), note)
