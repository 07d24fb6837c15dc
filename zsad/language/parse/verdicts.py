"""Yes, no, and one of several classes: what a reply decides."""

from __future__ import annotations

import re

from zsad.language.parse.reading import EMPTY, LONGEST, OUT_OF_RANGE, SEVERAL, UNPARSED, Parsed, is_empty

_LEADING = re.compile(r"^\W*(?:the answer is\W*)?(yes|no)\b(?!\s+and\s+no|\s*/\s*no)", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(?:no|not any|without)\s+(?:\w+\s+){0,2}anomal|\bnothing (?:unusual|abnormal)\b"
    r"|\b(?:is|looks|seems) normal\b",
    re.IGNORECASE,
)
_POSITIVE = re.compile(r"\banomal\w*\s+(?:exists?|is\s+(?:visible|present)|was|occurs?)\b", re.IGNORECASE)


def judgement(reply: str) -> Parsed[bool]:
    """Read whether a reply says that something is anomalous: its leading yes or no, or one kind of phrase.

    >>> judgement("There is no anomaly here"), judgement("Yes and no.")
    (Parsed(value=False, reason='phrase'), Parsed(value=None, reason='unparsed'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    if leading := _LEADING.search(text):
        return Parsed(leading[1].lower() == "yes", "leading_word")
    negative, positive = bool(_NEGATIVE.search(text)), bool(_POSITIVE.search(text))
    return Parsed(positive, "phrase") if negative != positive else Parsed(None, UNPARSED)


_DETECTION = re.compile(r"^[\W_]*(?:answer\W+)?(yes|no)\b(?!\s*(?:/|or)\s*(?:yes|no)\b)", re.IGNORECASE)


def detection(reply: str) -> Parsed[bool]:
    """Read CUVA's detection: a leading yes or no, else the only one of YES and NO in capitals.

    >>> detection("There is no unusual event, so NO!"), detection("YES or NO")
    (Parsed(value=False, reason='capital_word'), Parsed(value=None, reason='several'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    if leading := _DETECTION.search(text):
        return Parsed(leading[1].lower() == "yes", "leading_word")
    words = set(re.findall(r"\b(YES|NO)\b", text))
    if len(words) == 1:
        return Parsed(words == {"YES"}, "capital_word")
    return Parsed(None, SEVERAL if words else UNPARSED)


CATEGORIES = (
    "fighting", "animals hurting people", "water incidents", "vandalism", "traffic accidents", "robbery", "theft",
    "pedestrian incidents", "fire", "traffic violations", "forbidden to burn",
)  # fmt: skip
"""CUVA's categories, numbered from 1."""
_TWO = re.compile(r"\[\s*\d{1,2}(?:\s*-\s*\d+)?\s*,\s*\d")
_NUMBERED = (
    ("bracket", re.compile(r"\[\s*(?:category\s*)?0*(\d{1,2})(?:\s*[-.]\s*\d+)?\s*[\].:]", re.IGNORECASE)),
    (
        "leading_number",
        re.compile(r"^\W*(?:(?:category|class|number|answer)\W*)?0*(\d{1,2})\b(?!\s*[/%]|\.\d)", re.IGNORECASE),
    ),
    (
        "named_number",
        re.compile(r"\b(?:category|class)\s*+(?:number|no\.?|#)?\s*+(?:is|:)?\s*+\[?0*(\d{1,2})\b", re.IGNORECASE),
    ),
)


def category(reply: str, names: tuple[str, ...] = CATEGORIES) -> Parsed[int]:
    """Read the number of a category, from 1: in brackets, at the beginning, after the word, or by its only name.

    >>> category("[5-1]"), category("Theft or Robbery?")
    (Parsed(value=5, reason='bracket'), Parsed(value=None, reason='several'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST].replace("</s>", "")
    if _TWO.search(text):
        return Parsed(None, SEVERAL)
    for reason, pattern in _NUMBERED:
        numbers = {int(number) for number in pattern.findall(text)}
        if len(numbers) > 1:
            return Parsed(None, SEVERAL)
        if numbers:
            number = numbers.pop()
            return Parsed(number, reason) if 1 <= number <= len(names) else Parsed(None, OUT_OF_RANGE)
    named = [i + 1 for i, name in enumerate(names) if re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)]
    if len(named) == 1:
        return Parsed(named[0], "name")
    return Parsed(None, SEVERAL if named else UNPARSED)


_HEADING = re.compile(r"^[\W_]*output\b[\W_]*?:?(.*)$", re.IGNORECASE)
_ALONE = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_NUMBER_ONLY = re.compile(r"[\W_]*\d+(?:\.\d+)?[\W_]*")
_SENTENCE = re.compile(r"\b(yes|no)\b\W*there\s+(?:is|are|was|were)\b", re.IGNORECASE)
_WORDS = {"yes": 1, "abnormal": 1, "anomalous": 1, "anomaly": 1, "no": 0, "normal": 0, "no anomaly": 0}


def learner_output(reply: str) -> Parsed[int]:
    r"""Read 0 or 1 after the last line that starts with ``Output``.

    Source: VERA (CVPR 2025) asks for this form; the rule is ours, ``language_systems.md`` 3.2.

    >>> learner_output("Answers: 10 people.\nOutput:\n**1**")
    Parsed(value=1, reason='number')
    >>> learner_output("I am sorry, I cannot watch videos.")
    Parsed(value=None, reason='unparsed')
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    tail = _after_heading(text)
    numbers = []
    if tail is not None:
        numbers = _ALONE.findall(tail)
    elif _NUMBER_ONLY.fullmatch(text):
        numbers = _ALONE.findall(text)
    values = {float(number) for number in numbers}
    if len(values) > 1:
        return Parsed(None, SEVERAL)
    if values:
        value = values.pop()
        return Parsed(int(value), "number") if value in (0, 1) else Parsed(None, "out_of_set")
    for part in (tail, text):
        if part is None:
            continue
        if sentences := _SENTENCE.findall(part):
            return Parsed(int(sentences[-1].lower() == "yes"), "sentence")
        if (word := re.sub(r"^[\W_]+|[\W_]+$", "", part).lower()) in _WORDS:
            return Parsed(_WORDS[word], "word")
    return Parsed(None, UNPARSED)


def _after_heading(text: str) -> str | None:
    lines = text.split("\n")
    for i in range(len(lines) - 1, -1, -1):
        if heading := _HEADING.match(lines[i]):
            return "\n".join([heading[1], *lines[i + 1 :]])
    return None
