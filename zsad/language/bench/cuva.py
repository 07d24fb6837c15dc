"""CUVA: what, why and how of an anomaly, in six tasks; MMEval's judge for the three that are answered in words.

Source: CUVA (CVPR 2024). Its evaluation keeps raw replies of the judge; how they are read, and the means, are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zsad.language.asking import Ask, Picture
from zsad.language.bench.causation import FREE, TASKS, categories
from zsad.language.bench.items import Answer, Question, Row, Verdict
from zsad.language.bench.jobs import Job, Parser
from zsad.language.bench.texts import PER_PAIR, judge_rows, mean_of_tasks, text_rows
from zsad.language.importance import spans_iou
from zsad.language.parse import CATEGORIES, CRITERIA, Parsed, category, detection, marks, moment_cells, time_spans
from zsad.language.prompts import PromptSet, numbered

FRAMES = 16
SLOTS = {
    "detection": ("frames",), "classification": ("frames", "categories"), "timestamp": ("frames",),
    "description": ("frames",), "cause": ("frames",), "result": ("frames",),
    "mmeval": ("frames", "task", "reference", "answer", "criteria"),
}  # fmt: skip
KEYS = {"Description": "Des", "Cause": "Cau", "Result": "Res"}
MEASURE = "mmeval"
SCALES = {MEASURE: ("judge, MMEval, 0 to 10", 10.0)}
IOU, HIT, NEAR = "mean IoU of joined spans", "share with IoU of 0.3 or more", 0.3


def ask(prompts: PromptSet, question: Question, frames: Sequence[Picture], hint: str = "") -> Ask:
    """Return the question to the model.

    Args:
        prompts: the set.
        question: of one of the six tasks.
        frames: of the video.
        hint: when something happens, as text; ``""`` tells nothing.
    """
    template = prompts[question.task.lower()]
    listed = numbered(CATEGORIES) if question.task == "Classification" else None
    return template.ask(question.id, frames=list(frames), hint=hint or None, categories=listed)


def parser_of(task: str) -> Parser | None:
    """Return what reads an answer to a task; None where it is words."""
    found: dict[str, Parser] = {
        "Detection": detection, "Classification": category, "Timestamp": lambda text: time_spans(text, float("inf")),
    }  # fmt: skip
    return found.get(task)


def judge_jobs(prompts: PromptSet, answer: Answer, frames: Sequence[Picture], version: str = "mmeval") -> Iterator[Job]:
    """Yield the judge's call about one answer in words."""
    task = answer.question.task
    key = KEYS[task]
    template = prompts[version]
    asked = template.ask(
        answer.question.id, frames=list(frames), task=task.lower(), reference=answer.question.gold, answer=answer.text,
        criteria=numbered([f"[{name}]" for name in CRITERIA[key]]),
    )  # fmt: skip

    def read(text: str) -> Parsed[float]:
        found = marks(text, key)
        return Parsed(None if found.value is None else found.value.score, found.reason)

    yield Job(answer, asked, read, template.wanted, measure=MEASURE)


def rows(answers: Sequence[Answer], verdicts: Sequence[Verdict], durations: dict[str, float]) -> list[Row]:
    """Return the figures of all tasks.

    Args:
        answers: those that count.
        verdicts: of the judge.
        durations: seconds of videos by their names; spans are not cut where a video is not there.
    """
    found = choice_rows(answers, durations)
    for task in FREE:
        found += text_rows(task, [answer for answer in answers if answer.question.task == task], (PER_PAIR,))
        found += judge_rows(verdicts, [task], SCALES)
    names = (PER_PAIR, "coco-rougeL-ptb-lite", "rougeL-f-stemmed", SCALES[MEASURE][0])
    return found + mean_of_tasks(found, names, FREE)


def choice_rows(answers: Sequence[Answer], durations: dict[str, float]) -> list[Row]:
    """Return the figures of the three tasks that are not answered in words; what can't be read counts as wrong."""
    by_task = {task: [answer for answer in answers if answer.question.task == task] for task in TASKS}
    found = []
    if part := by_task["Detection"]:
        truth = [detection(answer.question.gold).value for answer in part]
        said = [detection(answer.text).value for answer in part]
        right = [one == other for one, other in zip(said, truth, strict=True)]
        note = "all right answers are yes" if all(truth) else ""
        found.append(Row("Detection", "accuracy", _percent(right), 100, len(part), said.count(None), note))
    if part := by_task["Classification"]:
        read = [category(answer.text).value for answer in part]
        right = [one in categories(answer.question.gold) for one, answer in zip(read, part, strict=True)]
        found.append(
            Row("Classification", "accuracy, 11 categories", _percent(right), 100, len(part), read.count(None))
        )
    if part := by_task["Timestamp"]:
        spans = [time_spans(answer.text, durations.get(answer.question.video, float("inf"))).value for answer in part]
        values = [
            spans_iou(span, moment_cells(answer.question.gold)) if span else 0.0
            for span, answer in zip(spans, part, strict=True)
        ]
        unread = sum(span is None for span in spans)
        found.append(Row("Timestamp", IOU, sum(values) / len(values), 1, len(part), unread))
        found.append(Row("Timestamp", HIT, _percent([value >= NEAR for value in values]), 100, len(part), unread))
    return found


def _percent(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right)
