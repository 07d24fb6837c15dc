"""Answers that others have made: read from files, and matched with the questions of the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zsad.errors import InputError
from zsad.language.bench.causation import TASK, entry_id, task_of
from zsad.language.bench.items import Answer, Question
from zsad.language.bench.reading import read_rows, text_of
from zsad.outside import printable, shown

_NO_ANSWER = "ERROR"
"""What ECVA's files say where a model failed."""


def read_answers(files: Sequence[Path], questions: Sequence[Question]) -> list[Answer]:
    """Return an answer to each question, those that are absent as not measured.

    An entry has ``id`` and ``output``, as ``answers.jsonl`` has them; or, as CUVA's submissions and ECVA's outputs,
    ``output`` with the task, the video and, where there is one, the ID. A file of one task may name it in its own name.

    Args:
        files: JSON lists, or lines of JSON.
        questions: of the data.

    Raises:
        InputError: a file can't be read; an entry belongs to no question, or to one that has an answer already.
    """
    known = {question.id: question for question in questions}
    found: dict[str, Answer] = {}
    for file in files:
        for i, row in enumerate(read_rows(file, InputError), 1):
            where = f"{printable(file)}, entry {i}"
            name = _id(row, where, file, known)
            if name is None:
                continue
            if name in found:
                raise InputError(f"{where}: a second answer to {shown(name)}; leave one out")
            found[name] = _answer(known[name], row, where)
    absent = "unanswered"
    return [found.get(question.id) or Answer(question, "", absent, measured=False) for question in questions]


def _answer(question: Question, row: dict[str, Any], where: str) -> Answer:
    text = text_of(row, where, "output", refuse=InputError)
    reason = text_of(row, where, "reason", refuse=InputError) if "reason" in row else ""
    if text == _NO_ANSWER:
        return Answer(question, "", "unanswered", measured=False)
    return Answer(question, text, reason or ("" if text.strip() else "empty"))


def _id(row: dict[str, Any], where: str, file: Path, known: dict[str, Question]) -> str | None:
    """Return the id of the question that an entry answers; None for ECVA's placeholders.

    Raises:
        InputError: there is no such question.
    """
    if "id" in row:
        name = text_of(row, where, "id", refuse=InputError)
    else:
        if row.get("task_type") == "default":  # ECVA's file for a video that nobody has asked about
            return None
        if not any(key in row for key in TASK):
            row = {**row, "task": _task_in(file)}
        name, _, video = entry_id(row, where, InputError)
        question = known.get(name)
        if question is not None and _stem(question.video) != _stem(video):
            mine = shown(question.video)
            raise InputError(f"{where}: {shown(name)} is about {mine} in the data, not {shown(video)}; mend the entry")
    if name not in known:
        raise InputError(f"{where}: {shown(name)} is no question of the data; give the answers to this data")
    return name


def _task_in(file: Path) -> str:
    """Return the task that a file's name ends with, or what no task is called."""
    stem = file.stem.lower()
    for count in (2, 1):
        last = "_".join(stem.split("_")[-count:])
        if task_of(last):
            return last
    return stem


def _stem(name: str) -> str:
    bare = name.replace("\\", "/").rpartition("/")[2]
    return (bare.rpartition(".")[0] or bare).casefold()
