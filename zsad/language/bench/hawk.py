"""HAWK: descriptions of anomalies and answers to questions, by text metrics and a judge of three aspects.

Source: HAWK (NeurIPS 2024). It has published no code of its evaluation, so that the variants are ours and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zsad.errors import DatasetError
from zsad.language.asking import Ask, Picture
from zsad.language.bench.items import Answer, Data, Question, Row, Verdict
from zsad.language.bench.places import Places
from zsad.language.bench.reading import LONGEST, once, one_file, read_rows, text_of
from zsad.language.bench.texts import ASPECTS, judge_rows, text_rows
from zsad.language.prompts import PromptSet
from zsad.outside import printable, shown

FRAMES = 32
SLOTS = {
    "describe": ("frames",),
    "answer": ("frames", "question"),
    "judge": ("question", "reference", "answer", "aspect"),
}
TASKS = ("description", "question")
SCALES = {aspect: (f"judge, {aspect}, 0 to 1", 1.0) for aspect in ASPECTS}
_FORM = "a list of {video, description, QA: [{q, a}]} in JSON, such as All_Mix/all_videos_test.json,"


def read(data: Path, places: Places) -> Data:
    """Read the questions: a description of each video, and its pairs of a question and an answer.

    Raises:
        DatasetError: no such file, an entry of another form, or a video twice.
    """
    file = one_file(data, ("All_Mix/*test*.json", "*test*.json", "*.json"), _FORM)
    questions: list[Question] = []
    left_out: list[str] = []
    for i, row in enumerate(read_rows(file), 1):
        where = f"{printable(file)}, entry {i}"
        video = text_of(row, where, "video")
        path = places.find(video)
        description = text_of(row, where, "description") if "description" in row else ""
        if description.strip():
            questions.append(Question(f"{video}#description", video, "description", description.strip(), path=path))
        pairs = row.get("QA", [])
        if not isinstance(pairs, list):
            raise DatasetError(f"{where}: QA is {shown(pairs)}, it must be a list of {{q, a}}")
        for k, pair in enumerate(pairs, 1):
            if not isinstance(pair, dict) or not all(_is_text(pair.get(name)) for name in ("q", "a")):
                left_out.append(f"{where}: QA {k} is no pair of texts q and a")
                continue
            questions.append(Question(f"{video}#{k}", video, "question", pair["a"].strip(), pair["q"], path=path))
        if not description.strip() and not pairs:
            left_out.append(f"{where}: neither description nor QA")
    once([question.id for question in questions], file)
    return Data(tuple(questions), tuple(left_out))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= LONGEST


def ask(
    prompts: PromptSet, question: Question, frames: Sequence[Picture], motion: Sequence[Picture] | None = None
) -> Ask:
    """Return the question to the model; what moves in each frame may stand beside it."""
    name, more = ("describe", None) if question.task == "description" else ("answer", question.text)
    moving = list(motion) if motion else None
    return prompts[name].ask(question.id, frames=list(frames), motion=moving, question=more)


def rows(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> list[Row]:
    """Return text metrics and the judge's means of both tasks."""
    found: list[Row] = []
    for task in TASKS:
        found += text_rows(task, [answer for answer in answers if answer.question.task == task])
        found += judge_rows(verdicts, [task], SCALES)
    return found
