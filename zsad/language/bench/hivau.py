"""HIVAU-70k: captions of clips, and judgement, description and analysis of events and videos.

Source: Holmes-VAU (CVPR 2025): BLEU, CIDEr and ROUGE by level. Its METEOR wants a Java program and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zsad.documents import is_number, read_json
from zsad.errors import DatasetError
from zsad.language.asking import Ask, Picture
from zsad.language.bench.items import Answer, Data, Question, Row, Verdict
from zsad.language.bench.places import Places
from zsad.language.bench.reading import LIMITS, LONGEST, once, one_file, read_rows, text_of
from zsad.language.bench.texts import judge_rows, text_rows
from zsad.language.choices import accuracy
from zsad.language.parse import judgement
from zsad.language.prompts import PromptSet
from zsad.outside import printable, shown

FRAMES = 12
SLOTS = {"ask": ("frames", "question"), "judge": ("question", "reference", "answer", "aspect")}
_FORM = "instruction/*test*.jsonl (its questions) or raw_annotations/*test*.json (one file of them)"
_TAGS = re.compile(r"<(?:video|image)>\s*", re.IGNORECASE)
_KINDS = ("judgement", "description", "analysis")
_QUESTIONS = {
    "judgement": "Is there an anomaly in it? Begin with yes or no, and name it.",
    "description": "Describe what is anomalous in it.",
    "analysis": "Explain why this is an anomaly, or why there is none.",
    "caption": "Describe what happens in it.",
}


def read(data: Path, places: Places) -> Data:
    """Read the questions: lines ``{video, type, task, conversations}``, or the annotation by video.

    Raises:
        DatasetError: no such file, or an entry of another form.
    """
    file = one_file(data, ("instruction/*test*.jsonl", "*test*.jsonl", "raw_annotations/*test*.json", "*.json*"), _FORM)
    left_out: list[str] = []
    if file.suffix.lower() == ".json":
        whole = read_json(file, DatasetError, LIMITS)
        if isinstance(whole, dict):
            questions = [one for name, entry in whole.items() for one in _of_video(file, name, entry, places, left_out)]
            once([question.id for question in questions], file)
            return Data(tuple(questions), tuple(left_out))
    rows = read_rows(file)
    questions = [_of_row(row, f"{printable(file)}, entry {i}", i, places) for i, row in enumerate(rows, 1)]
    return Data(tuple(questions), tuple(left_out))


def _of_row(row: dict[str, Any], where: str, number: int, places: Places) -> Question:
    video = text_of(row, where, "video")
    turns = row.get("conversations")
    good = isinstance(turns, list) and len(turns) > 1 and all(isinstance(turn, dict) for turn in turns[:2])
    if not good or turns is None:
        raise DatasetError(f"{where}: conversations is {shown(turns)}, it must be a question and an answer")
    question, gold = text_of(turns[0], where, "value"), text_of(turns[1], where, "value")
    kind = " ".join(text_of(row, where, name) for name in ("type", "task") if name in row) or "answer"
    text = _TAGS.sub("", question).strip()
    return Question(f"{video}#{number}", video, kind, gold.strip(), text, path=places.find(video))


def _of_video(file: Path, name: str, entry: Any, places: Places, left_out: list[str]) -> Iterator[Question]:
    where = f"{printable(file)}: {shown(name)}"
    if not isinstance(entry, dict):
        raise DatasetError(f"{where} is {shown(entry)}, it must be a mapping")
    path = places.find(name)

    def of(level: str, task: str, number: str, gold: Any, span: Any = None) -> Iterator[Question]:
        if not isinstance(gold, str) or not gold.strip() or len(gold) > LONGEST:
            left_out.append(f"{where}: {level} {number} has no {task}".replace("  ", " "))
        elif span is not None and not _is_span(span):
            left_out.append(f"{where}: {level} {number} is {shown(span)}, no span of seconds")
        else:
            seconds = None if span is None else (float(span[0]), float(span[1]))
            yield Question(f"{name}#{level} {number} {task}".replace("  ", " "), name, f"{level} {task}", gold.strip(),
                           _QUESTIONS[task], path=path, span=seconds)  # fmt: skip

    events, splits = _lists(where, entry, "events", "events_summary_split")
    for i, (span, split) in enumerate(zip(events, splits, strict=True), 1):
        if isinstance(span, list) and split:
            for task in _KINDS:
                yield from of("event", task, str(i), split.get(task) if isinstance(split, dict) else None, span)
    clips, captions = _lists(where, entry, "clips", "clips_caption")
    for i, (spans, texts) in enumerate(zip(clips, captions, strict=True), 1):
        if not isinstance(spans, list) or not isinstance(texts, list) or len(spans) != len(texts):
            raise DatasetError(f"{where}: clips and clips_caption of event {i} don't fit together")
        for k, (span, text) in enumerate(zip(spans, texts, strict=True), 1):
            yield from of("clip", "caption", f"{i}.{k}", text, span)
    whole = entry.get("video_summary_split")
    for task in _KINDS if isinstance(whole, dict) and whole else ():
        yield from of("video", task, "", whole.get(task) if isinstance(whole, dict) else None)


def _lists(where: str, entry: dict[str, Any], *names: str) -> tuple[list[Any], list[Any]]:
    first, second = (entry.get(name, []) for name in names)
    if not isinstance(first, list) or not isinstance(second, list) or (second and len(first) != len(second)):
        raise DatasetError(f"{where}: {names[0]} and {names[1]} don't fit together; each needs one of the other")
    return (first, second) if second else ([], [])


def _is_span(span: object) -> bool:
    return isinstance(span, list) and len(span) == 2 and all(is_number(x, 0, 1e7) for x in span) and span[0] < span[1]


def ask(prompts: PromptSet, question: Question, frames: Sequence[Picture]) -> Ask:
    """Return the question to the model."""
    return prompts["ask"].ask(question.id, frames=list(frames), question=question.text)


def rows(answers: Sequence[Answer], verdicts: Sequence[Verdict]) -> list[Row]:
    """Return text metrics by level and task, accuracy of judgements, and a judge's means where there was one."""
    from zsad.language.bench.hawk import SCALES

    found: list[Row] = []
    for task in dict.fromkeys(answer.question.task for answer in answers):
        part = [answer for answer in answers if answer.question.task == task]
        if task.endswith("judgement"):
            found += _judgements(task, part)
        found += text_rows(task, part)
        found += judge_rows(verdicts, [task], SCALES)
    return found


def _judgements(task: str, answers: Sequence[Answer]) -> list[Row]:
    """Return the share of right yes and no, where the right answer says one of them."""
    golds = [judgement(answer.question.gold).value for answer in answers]
    pairs = [
        (judgement(answer.text).value, gold) for answer, gold in zip(answers, golds, strict=True) if gold is not None
    ]
    words = {True: "yes", False: "no", None: None}
    found = accuracy([words[said] for said, _ in pairs], [str(words[gold]) for _, gold in pairs])
    silent = len(answers) - len(pairs)
    note = f"{silent} right answers say neither yes nor no" if silent else ""
    return [Row(task, "accuracy, yes or no", found.percent, 100, found.total, found.unparsed, note)]
