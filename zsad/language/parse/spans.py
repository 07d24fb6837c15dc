"""Times in replies and in annotation cells: spans, answers with spans, moments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from zsad.language.parse.reading import EMPTY, LONGEST, UNPARSED, Parsed, is_empty

Span = tuple[float, float]

ANSWER_CLASSES = (
    "abuse", "arrest", "arson", "assault", "burglary", "explosion", "fighting", "road accident", "robbery", "shooting",
    "shoplifting", "stealing", "vandalism", "riot", "car accident",
)  # fmt: skip
"""Classes of UCF-Crime and XD-Violence, in words."""
_T = r"(\d+:\d{2}(?:\.\d+)?|\d+(?:\.\d+)?)"
_UNIT = r"\s*(?:s|secs?|seconds?)?\b"
_SPAN = re.compile(rf"\b(?:from|between)\s+{_T}{_UNIT}\s+(?:to|and|until)\s+{_T}{_UNIT}", re.IGNORECASE)
_POINT = re.compile(rf"\bat\s+{_T}{_UNIT}", re.IGNORECASE)
_LEADING = re.compile(r"^\W*(yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """What a chat says of a video.

    Attributes:
        anomaly: whether there is one.
        classes: those that are named, in the order of the text.
        spans: seconds, of each.
    """

    anomaly: bool
    classes: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()


def answer(reply: str, classes: Sequence[str] = ANSWER_CLASSES) -> Parsed[Answer]:
    """Read an answer of the form "Yes, there exists fighting from 3.2s to 10.5s".

    Source: VAD-LLaMA's form of an answer; the rule is ours, ``language_systems.md`` 5.

    >>> answer("Yes. A robbery happens between 00:12 and 01:05.").value
    Answer(anomaly=True, classes=('robbery',), spans=((12.0, 65.0),))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    leading = _LEADING.match(text)
    if leading and leading[1].lower() == "no":
        return Parsed(Answer(False), "no")
    named = _classes(text, classes)
    found = [(_seconds(start), _seconds(end)) for start, end in _SPAN.findall(text)]
    spans = [(start, end) for start, end in found if start < end < float("inf")]
    if not found:
        spans = [(at, at) for at in map(_seconds, _POINT.findall(text))]
    if not leading and not (named and (found or spans)):
        return Parsed(None, UNPARSED)
    return Parsed(Answer(True, named, tuple(spans)), "ok" if spans else "bad_span" if found else "no_span")


def _classes(text: str, classes: Sequence[str]) -> tuple[str, ...]:
    places = []
    for name in classes:
        pattern = r"\s+".join(map(re.escape, name.split()))
        if pattern and (hit := re.search(rf"\b{pattern}\b", text, re.IGNORECASE)):
            places.append((hit.start(), name))
    return tuple(name for _, name in sorted(places))


def _seconds(text: str) -> float:
    """Seconds of ``h:m:s``, ``m:s`` or a number."""
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


_U = r"((?:\d+:)*\d+(?:\.\d+)?)"
_BRACKET = re.compile(rf"\[\s*{_U}\s*+s?\s*+(?:,|-|\u2013|to)\s*{_U}\s*s?\s*\]", re.IGNORECASE)
_PHRASE = re.compile(
    rf"(?<![\d.:]){_U}\s*+(?:s|sec|seconds)?\s*+(?:to|-|\u2013|until|and)\s*{_U}\s*(?:s|sec|seconds)?\b", re.IGNORECASE
)


def time_spans(reply: str, duration: float) -> Parsed[list[Span]]:
    """Read spans in seconds, cut to the video's duration: ``[3, 9]``, or "from 3 to 9 s".

    >>> time_spans("[00:12, 01:05]", 60.0), time_spans("[9, 3]", 60.0)
    (Parsed(value=[(12.0, 60.0)], reason='bracket'), Parsed(value=None, reason='bad_span'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST].replace("</s>", "")
    for pattern, reason in ((_BRACKET, "bracket"), (_PHRASE, "phrase")):
        found = pattern.findall(text)
        cut = [(min(_seconds(start), duration), min(_seconds(end), duration)) for start, end in found]
        spans = [(start, end) for start, end in cut if start < end]
        if spans:
            return Parsed(spans, reason)
        if found:
            return Parsed(None, "bad_span")
    return Parsed(None, UNPARSED)


def moment_cells(cell: str) -> list[tuple[int, int]]:
    """Return the spans of an annotation cell ``[mmss,mmss]`` in seconds; what is no time is left out.

    >>> moment_cells("[0012, 0034][0100,0105]")
    [(12, 34), (60, 65)]
    """
    spans = []
    for first, last in re.findall(r"\[\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\]", cell[:LONGEST]):
        a, b = int(first), int(last)
        start, end = 60 * (a // 100) + a % 100, 60 * (b // 100) + b % 100
        if a % 100 < 60 and b % 100 < 60 and end > start:
            spans.append((start, end))
    return spans


def type_cells(cell: str) -> list[tuple[int, int, int | None]]:
    """Return category, sub-category and score of an annotation cell ``[cat-sub,score]``.

    >>> type_cells("[3-1,3,] [5-1,]")
    [(3, 1, 3), (5, 1, None)]
    """
    found = re.findall(r"\[\s*(\d{1,9})\s*-\s*(\d{1,9})\s*,\s*(\d{0,9})\s*,?\s*\]", cell[:LONGEST])
    return [(int(kind), int(sub), int(score) if score else None) for kind, sub, score in found]


def key_sentences(cell: str) -> list[str]:
    """Return the sentences of an annotation cell; a lost quotation mark is repaired.

    >>> key_sentences('["a b",c d","e f"]')
    ['a b', 'c d', 'e f']
    """
    text = cell[:LONGEST].strip()
    text = text.removeprefix("[").removesuffix("]")
    parts = re.split(r"(?<!\s)\s*+,\s*(?=[\"\u201c\u201d])|[\"\u201c\u201d]\s*,\s*", text)
    return [stripped for part in parts if (stripped := part.strip(' \t\r\n"\u201c\u201d'))]
