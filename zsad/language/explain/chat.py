"""A talk about a video with a model that is told what the detector saw, as in VAD-LLaMA; it can be gone on with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from zsad.language.align import Claim
from zsad.language.asking import Ask, Message
from zsad.language.explain import document
from zsad.language.explain.answers import Answer, Question, answered
from zsad.language.explain.choice import COUNT, Choice, choose
from zsad.language.explain.evidence import Evidence, of_series
from zsad.language.explain.judged import Judged
from zsad.language.explain.shots import Shot, read_shots
from zsad.language.explain.tasks import SET, labelled
from zsad.language.explain.video import Explained, about_video, pictures_of
from zsad.language.footage import Footage
from zsad.language.gateway import Gateway, Read
from zsad.language.parse import ANSWER_CLASSES, Parsed, prose
from zsad.language.parse import answer as read_answer
from zsad.language.prompts import PromptSet, load_prompts
from zsad.language.smoothing import spans_of
from zsad.language.spending import PICTURE_TOKENS

BINS, REACHED = 32, 0.5
_ABOUT = re.compile(r"\b(?:anomal\w*|unusual|abnormal|suspicious|out of the ordinary)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Talk:
    """What a conversation is about, and what was said so far.

    Attributes:
        about: what the document says of video, scores, frames and evidence.
        frames: that are shown.
        spans: what the model is told of the scores, or ``""``.
        evidence: what claims are held against.
        anomaly: what is anomalous, in the user's words.
        turns: rows of the answers so far.
    """

    about: Mapping[str, Any]
    frames: tuple[int, ...]
    spans: str
    evidence: Evidence
    anomaly: str = ""
    turns: tuple[Mapping[str, Any], ...] = ()


def begin(footage: Footage, judged: Judged | None, *, count: int = COUNT, anomaly: str = "") -> tuple[Talk, list[Shot]]:
    """Begin a conversation.

    Args:
        footage: the video.
        judged: its scores and events; None goes without.
        count: frames that are shown.
        anomaly: what is anomalous, in the user's words.
    """
    series = judged.series if judged is not None else None
    choice: Choice = choose(series.n_frames if series else footage.facts.n_frames, series, count)
    shots, size = read_shots(footage, choice.frames)
    evidence, spans = Evidence(), ""
    if judged is not None:
        evidence, spans = of_series(judged.series, judged.events, size, known=judged.known), told_spans(judged)
    about = about_video(footage, judged, evidence, choice, shots, size)
    return Talk(about, choice.frames, spans, evidence, anomaly), shots


def answered_before(said: Sequence[str], asked: Sequence[str]) -> int:
    """Return how many leading questions the end of a talk has already: those of a command that is given again.

    Args:
        said: questions so far.
        asked: questions to come.

    >>> answered_before(["What?", "Who?"], ["Who?", "Why?"]), answered_before(["What?", "Who?"], ["What?"])
    (1, 0)
    """
    longest = min(len(said), len(asked))
    return next(k for k in range(longest, -1, -1) if list(said[len(said) - k :]) == list(asked[:k]))


def told_spans(judged: Judged) -> str:
    """Return what the model is told of the scores: spans of 32 windows whose mean reaches a limit.

    The limit is 0.5 for scores in [0, 1] whose threshold nobody has set, and else the threshold.

    Source: VAD-LLaMA (2024), its post-processing; the words are ours.
    """
    series = judged.series
    unit = float(series.values.min()) >= 0 and float(series.values.max()) <= 1
    limit = REACHED if unit and not judged.known else judged.threshold
    if not series.fps:
        return ""
    found = spans_of(series.to_frames(), series.fps, limit, BINS)
    if not found:
        return f"a score counts as anomalous from {limit:.3g} on, and no span of time reaches it on average."
    told = [f"from {one.start_s:.1f} s to {one.end_s:.1f} s (mean up to {one.peak:.3g})" for one in found]
    return f"a score counts as anomalous from {limit:.3g} on. Spans of time that reach it: {'; '.join(told)}."


def go_on(gateway: Gateway, footage: Footage, talk: Talk, shots: Sequence[Shot], asked: Sequence[str]) -> Explained:
    """Ask questions one after another, each with what was said before; their claims are checked.

    Args:
        gateway: the way to the model.
        footage: the video.
        talk: what was said before.
        shots: its frames.
        asked: the questions.

    Raises:
        EndpointError: the endpoint takes no question at all.
    """
    prompts = load_prompts(SET, {"chat": ["frames", "question"], "follow": ["question"]})
    answers: list[Answer] = []
    rows = list(talk.turns)
    for text in asked:
        ask = _ask(prompts, footage.identity[:12], talk, shots, rows, text)
        question = Question("chat", text, ask, partial(read_turn, text, talk.evidence.classes), frames=talk.frames,
                            plain=lambda value: value[0], makes=lambda value, sentence: value[1])  # fmt: skip
        read: Read[Any] = gateway.read(ask, question.parser)
        answers.append(answered(question, read, talk.evidence))
        if answers[-1].failed:
            left = asked[len(answers) :]
            answers += [replace(answers[-1], question=replace(question, title=one)) for one in left]
            break
        rows.append(answers[-1].to_dict())
    data = {
        **document.head(document.CONVERSATION), **talk.about, "model": gateway.model, "anomaly": talk.anomaly,
        "spans": talk.spans, **document.closing(answers, gateway.counts, talk.turns),
    }  # fmt: skip
    return Explained(data, tuple(answers), pictures_of(shots))


def steps_of(questions: int, talk: Talk | None, frames: int) -> dict[str, tuple[int, int]]:
    """Return step -> (calls, tokens of each, estimated), for so many questions."""
    prompts = load_prompts(SET)
    shown = frames if talk is None else len(talk.frames)
    said = 0 if talk is None else len(talk.turns)
    each = 150 + (12 + PICTURE_TOKENS) * shown + prompts["chat"].max_tokens * (1 + said + questions // 2)
    first = 0 if said else 1
    steps = {f"{SET}.chat": (first, each), f"{SET}.follow": (questions - first, each)}
    return {name: step for name, step in steps.items() if step[0]}


def read_turn(question: str, classes: Sequence[str], reply: str) -> Parsed[tuple[Any, list[Claim]]]:
    """Read an answer: its text; of one to a question about anomalies what it decides, and the claims that this makes.

    Args:
        question: that was asked.
        classes: of the detector, which may be named.
        reply: the answer.
    """
    text = prose(reply)
    if text.value is None:
        return Parsed(None, text.reason)
    if not _ABOUT.search(question):
        return Parsed((text.value, []), text.reason)
    found = read_answer(reply, (*ANSWER_CLASSES, *classes))
    if found.value is None:
        return Parsed((text.value, []), f"text, decides nothing ({found.reason})")
    said = " ".join(reply.split())[:300]
    made = [Claim("presence", (("anomaly", found.value.anomaly),), text=said)]
    made += [Claim("time", (("start", start), ("end", end)), text=said) for start, end in found.value.spans]
    decided = {"anomaly": found.value.anomaly, "classes": list(found.value.classes),
               "spans": [list(span) for span in found.value.spans]}  # fmt: skip
    return Parsed((decided, made), found.reason)


def _ask(
    prompts: PromptSet, item: str, talk: Talk, shots: Sequence[Shot], rows: Sequence[Mapping[str, Any]], text: str
) -> Ask:
    """Return a question with the frames at its head, and all questions and answers before it."""
    said = [(str(row["title"]), str(row["answer"])) for row in rows if row["value"] is not None]
    first = said[0][0] if said else text
    ask = prompts["chat"].ask(
        item, frames=labelled(shots), question=first, spans=talk.spans or None, anomaly=talk.anomaly or None
    )
    next_ones = [question for question, _ in said[1:]] + [text]
    for (_, answer), question in zip(said, next_ones, strict=False):  # the first question stands in the chat itself
        turn = prompts["follow"].ask(item, question=question)
        ask = replace(turn, messages=(*ask.messages, Message("assistant", (answer,)), *turn.messages))
    return ask
