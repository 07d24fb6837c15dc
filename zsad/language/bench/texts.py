"""Free answers: text metrics by task, each under the name of its variant, and HAWK's three marks of a judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from zsad.language.bench.items import Answer, Row, Verdict, mean_row
from zsad.language.bench.jobs import Job
from zsad.language.parse import judge_score
from zsad.language.prompts import Template
from zsad.metrics.text import coco_bleu, ptb_tokens, sacre_signature, sentence_bleu, text_scores, words

ASPECTS = {
    "reasonability": "is it plausible and free of contradictions, given the right answer?",
    "detail": "does it have the particulars of the right answer: who, what, where, how?",
    "consistency": "does it say the same happened as the right answer does, and nothing else?",
}
"""What HAWK's judge looks at, in our words; a score of 0 to 1 each."""
PER_PAIR, SWAPPED = "coco-bleu4-per-pair-ptb-lite", "bleu4-sentence-method1-roles-swapped"


def text_rows(task: str, answers: Sequence[Answer], extra: Sequence[str] = ()) -> list[Row]:
    """Return the text metrics of answers to one task; an answer without text counts as empty.

    Args:
        task: named in the rows.
        answers: with their right answers.
        extra: further variants: :data:`PER_PAIR` (BLEU-4 of each pair alone, as lmms-eval), :data:`SWAPPED` (answer
            and reference exchanged, as ECVA's code).
    """
    if not answers:
        return []
    pairs = [(answer.text, answer.question.gold) for answer in answers]
    mine, truth = [a for a, _ in pairs], [b for _, b in pairs]
    found = text_scores(mine, truth)
    if PER_PAIR in extra:
        tokens = [(ptb_tokens(a), ptb_tokens(b)) for a, b in pairs]
        found[PER_PAIR] = fmean(coco_bleu([a], [b])[3] if a else 0.0 for a, b in tokens)
    if SWAPPED in extra:
        found[SWAPPED] = fmean(sentence_bleu(words(b), words(a)) for a, b in pairs)
    empty = sum(not text.strip() for text in mine)
    return [_row(task, name, value, len(pairs), empty) for name, value in found.items()]


def _row(task: str, name: str, value: float | None, count: int, empty: int) -> Row:
    highest = 100 if name == "sacrebleu" else 10 if name.startswith("cider") else 1
    note = sacre_signature() if name == "sacrebleu" else ""
    if empty and name.startswith(("coco-bleu", "coco-rouge", "cider")) and name != PER_PAIR:
        count, note = count - empty, "empty answers left out, as COCO's code does"
    if name.startswith("cider") and count == 1:
        return Row(
            task, name, None, highest, count, 0, "its weights come from the other references, of which there are none"
        )
    return Row(task, name, value, highest, count, 0, note)


def aspect_jobs(template: Template, answers: Sequence[Answer]) -> Iterator[Job]:
    """Yield the judge's calls: one for each aspect of each answer that has a text."""
    for answer in answers:
        if answer.text.strip():
            for aspect, meaning in ASPECTS.items():
                asked = template.ask(
                    answer.question.id, question=answer.question.text or "What is anomalous in the video?",
                    reference=answer.question.gold, answer=answer.text, aspect=f"{aspect}: {meaning}",
                )  # fmt: skip
                yield Job(answer, asked, judge_score, template.wanted, measure=aspect)


def nothing_said(answers: Sequence[Answer], measures: Sequence[str]) -> list[Verdict]:
    """Return the lowest score for answers without a text, which no judge is asked about."""
    return [
        Verdict(answer.question.id, answer.question.task, measure, 0.0, "no_answer")
        for answer in answers for measure in measures if not answer.text.strip()
    ]  # fmt: skip


def judge_rows(verdicts: Sequence[Verdict], tasks: Sequence[str], scales: dict[str, tuple[str, float]]) -> list[Row]:
    """Return the means of what a judge said, by task and measure.

    Args:
        verdicts: of all answers.
        tasks: in the order of the rows.
        scales: measure -> name of the metric, and its highest value.
    """
    found = []
    for task in tasks:
        for measure, (name, highest) in scales.items():
            part = [one for one in verdicts if one.task == task and one.measure == measure]
            if part:
                silent = sum(one.reason == "no_answer" for one in part)
                note = f"{silent} without an answer count as 0" if silent else ""
                found.append(mean_row(task, name, highest, [one.value for one in part], note))
    return found


def mean_of_tasks(rows: Sequence[Row], names: Sequence[str], tasks: Sequence[str]) -> list[Row]:
    """Return the mean over those tasks that are there, for some metrics."""
    found = []
    for name in names:
        part = [row for row in rows if row.metric == name and row.task in tasks and row.value is not None]
        if len(part) > 1:
            mean = fmean(row.value for row in part if row.value is not None)
            found.append(Row("mean of tasks", name, mean, part[0].highest, len(part), 0, "of the tasks that are there"))
    return found
