"""ECVA: CUVA's questions with four agents as judges: match, logic, key information, and what is made up.

Source: ECVA (CUVA's extension). A score out of range, several scores, and a count of 0 are none; three tries at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from zsad.language.asking import Ask, Picture
from zsad.language.bench.causation import FREE
from zsad.language.bench.cuva import SLOTS as CUVA_SLOTS
from zsad.language.bench.cuva import choice_rows
from zsad.language.bench.items import Answer, Row, Verdict
from zsad.language.bench.jobs import Job
from zsad.language.bench.texts import SWAPPED, judge_rows, mean_of_tasks, text_rows
from zsad.language.parse import agent_score, key_information, ranking
from zsad.language.prompts import PromptSet, numbered

FRAMES, QUARTERS = 32, 4
TASKS = ("Classification", "Timestamp", "Description", "Cause", "Result")
SLOTS = {name: slots for name, slots in CUVA_SLOTS.items() if name not in ("detection", "mmeval")} | {
    "match": ("reference", "answer"), "logic": ("reference", "answer"), "keyinfo": ("reference", "answer"),
    "hallucination": ("answer",), "caption": ("frames",), "rank": ("question", "captions"),
}  # fmt: skip
SCALES = {
    "match": ("judge, text match, 0 or 1", 1.0),
    "logic": ("judge, logic, 0 to 5", 5.0),
    "keyinfo": ("judge, key information, 0 to 5", 5.0),
}
NOTHING_MADE_UP = ("judge, nothing made up of an empty video, 0 or 1", 1.0)
REASK = 2


def agent_jobs(prompts: PromptSet, answer: Answer) -> Iterator[Job]:
    """Yield the calls of three agents about one answer; key information only where there are key sentences."""
    question = answer.question
    for measure, highest in (("match", 1), ("logic", 5)):
        template = prompts[measure]
        asked = template.ask(question.id, reference=question.gold, answer=answer.text)
        yield Job(answer, asked, partial(agent_score, highest=highest), template.wanted, REASK, measure)
    if question.sentences:
        template = prompts["keyinfo"]
        asked = template.ask(question.id, reference=numbered(question.sentences), answer=answer.text)
        yield Job(answer, asked, key_information, template.wanted, REASK, "keyinfo")


def measures(answer: Answer) -> list[str]:
    """Return what agents are asked about an answer."""
    return ["match", "logic", *(["keyinfo"] if answer.question.sentences else [])]


def empty_job(prompts: PromptSet, answer: Answer) -> Job:
    """Return the agent's call about an answer to an empty video."""
    template = prompts["hallucination"]
    asked = template.ask(answer.question.id, answer=answer.text)
    return Job(answer, asked, partial(agent_score, highest=1), template.wanted, REASK, "hallucination")


def caption_ask(prompts: PromptSet, item: str, frames: Sequence[Picture]) -> Ask:
    """Return the question for a caption of a quarter of a video."""
    return prompts["caption"].ask(item, frames=list(frames))


def rank_job(prompts: PromptSet, item: str, captions: Sequence[str]) -> Job:
    """Return the question for the order of the quarters by how much they have of the anomaly."""
    template = prompts["rank"]
    asked = template.ask(item, question="What is anomalous in this video, and why?", captions=numbered(captions))
    return Job(item, asked, ranking, template.wanted)


def rows(
    answers: Sequence[Answer], verdicts: Sequence[Verdict], durations: dict[str, float], empty: Sequence[Verdict] = ()
) -> list[Row]:
    """Return the figures of all tasks; see :func:`zsad.language.bench.cuva.rows`.

    Args:
        answers: those that count.
        verdicts: of the agents.
        durations: seconds of videos by their names.
        empty: verdicts of answers to an empty video.
    """
    found = choice_rows(answers, durations)
    for task in FREE:
        found += text_rows(task, [answer for answer in answers if answer.question.task == task], (SWAPPED,))
        found += judge_rows(verdicts, [task], SCALES)
        found += judge_rows(empty, [task], {"hallucination": NOTHING_MADE_UP})
    names = (
        "bleu4-sentence-method1",
        SWAPPED,
        "rougeL-f-stemmed",
        NOTHING_MADE_UP[0],
        *(name for name, _ in SCALES.values()),
    )
    return found + mean_of_tasks(found, names, FREE)
