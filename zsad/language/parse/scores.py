"""Numbers in replies: scores in brackets, judges' scores, marks by criterion, agents, rankings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zsad.language.parse.objects import literal, loaded
from zsad.language.parse.reading import EMPTY, LONGEST, OUT_OF_RANGE, SEVERAL, UNPARSED, Parsed, is_empty, only

_NUM = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_N1 = r"[+-]?\d+(?:\.\d+)?"
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_ONE = re.compile(_NUM)
_MANY = re.compile(rf"{_NUM}(?:(?:\s*+[,;]\s*+|\s++){_NUM})+")
_QUOTES = "\"'\u201c\u201d\u2018\u2019`"


def bracket_score(reply: str) -> Parsed[float]:
    """Read a score in [0, 1]: the first number that is alone in square brackets, or the number that a reply is.

    Source: LAVAD (CVPR 2024) asks for such a list; the rule is ours, ``language_systems.md`` 1.6.

    >>> bracket_score("Sure! [ 0.7 ] as requested"), bracket_score("[7]")
    (Parsed(value=0.7, reason='bracket'), Parsed(value=None, reason='out_of_range'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    outside = several = False
    for inside in _BRACKET.findall(text):
        bare = inside.strip().strip(_QUOTES).strip()
        if _ONE.fullmatch(bare):
            if 0 <= (value := float(bare)) <= 1:
                return Parsed(abs(value), "bracket")
            outside = True
        elif _MANY.fullmatch(bare):
            several = True
    bare = text.strip()
    if not _ONE.fullmatch(bare):
        bare = re.sub(r"^[`\"'*\s]+", "", bare)
        bare = re.sub(r"[`\"'*\s.]+$", "", bare)
    if _ONE.fullmatch(bare):
        if 0 <= (value := float(bare)) <= 1:
            return Parsed(abs(value), "bare")
        outside = True
    return Parsed(None, OUT_OF_RANGE if outside else "several_numbers" if several else "no_number")


_OBJECT = re.compile(r"\{[^{}]*\}")
_SCORE_TEXT = re.compile(r"\bscore\b[\s\"':=*]*([+-]?(?:\d++(?:\.\d++)?+|\.\d++))(?!\s*/)", re.IGNORECASE)


def judge_score(reply: str) -> Parsed[float]:
    """Read a judge's score in [0, 1]: ``{'score': 0.8}``, or the word and a number that is no fraction.

    >>> judge_score("Sure: {'Score': '0.5'}"), judge_score("score 7/10")
    (Parsed(value=0.5, reason='dict'), Parsed(value=None, reason='unparsed'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    for piece in _OBJECT.findall(text):
        found = loaded(piece)
        if found is None:
            found = literal(piece)
        if not isinstance(found, dict):
            continue
        for key, value in found.items():
            if isinstance(key, str) and key.lower() == "score":
                return _unit(value)
    named = _SCORE_TEXT.search(text)
    if named is None:
        return Parsed(None, UNPARSED)
    value = float(named[1])
    return Parsed(value, "text") if 0 <= value <= 1 else Parsed(None, OUT_OF_RANGE)


def _unit(value: object) -> Parsed[float]:
    if isinstance(value, str) and _ONE.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Parsed(None, "not_a_number")
    return Parsed(float(value), "dict") if 0 <= value <= 1 else Parsed(None, OUT_OF_RANGE)


_DESCRIPTION = ("Consistency", "Details", "Relevance", "Temporal Coherence", "Anomaly recognition")
_REASONING = ("Consistency", "Causal Explanation", "Evidence Support", "Logical Structure", "Clarity")
CRITERIA: Mapping[str, tuple[str, ...]] = {"Des": _DESCRIPTION, "Cau": _REASONING, "Res": _REASONING}
"""CUVA's criteria by task: description, cause, result; two marks each."""
_STATED = (
    re.compile(rf"\bscore\b[\]*_\"']*\s*+(?:is|of|[:=])?\s*+[\[*_\"']*({_N1})\s*(?:/|out\s+of)\s*10\b", re.IGNORECASE),
    re.compile(rf"(?<![\d.])({_N1})\s*/\s*10\b", re.IGNORECASE),
    re.compile(rf"\bscore\b[\]*_\"']*\s*+(?:is|[:=])\s*+[\[*_\"']*({_N1})(?!\s*/|\d)", re.IGNORECASE),
)


@dataclass(frozen=True)
class Marks:
    """What a judge said of an answer.

    Attributes:
        score: 0 to 10: the criteria's sum where all are there, else what is stated.
        stated: the total that the reply states, or None.
        criteria: name -> 0 to 2 of those that were read.
    """

    score: float | None
    stated: float | None
    criteria: Mapping[str, float] = field(default_factory=dict)


def marks(reply: str, task: str) -> Parsed[Marks]:
    """Read a judge's marks by criterion and the total.

    Args:
        reply: what the judge answered.
        task: a key of :data:`CRITERIA`.

    >>> marks("Score: 9 out of 10", "Res").value.score
    9.0
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    names = CRITERIA[task]
    criteria = {name: mark for name in names if (mark := _mark(text, name)) is not None}
    stated, outside = _stated(text)
    if len(criteria) == len(names):
        total = float(sum(criteria.values()))
        reason = "criteria_only" if stated is None else "ok" if abs(stated - total) < 1e-9 else "sum_differs"
        return Parsed(Marks(total, stated, criteria), reason)
    if stated is not None:
        return Parsed(Marks(stated, stated, criteria), "stated_only")
    return Parsed(None, OUT_OF_RANGE if outside else UNPARSED)


def _mark(text: str, name: str) -> float | None:
    flexible = r"\s+".join(map(re.escape, name.split()))
    found = re.search(rf"{flexible}[\]*_\"']*+\s*+[:=\-\u2013]*+\s*+[\[*_\"']*+({_N1})", text, re.IGNORECASE)
    value = float(found[1]) if found else None
    return value if value is not None and 0 <= value <= 2 else None


def _stated(text: str) -> tuple[float | None, bool]:
    """Return the total that a text states, and whether one stands there that can't be."""
    for pattern in _STATED:
        if found := pattern.search(text):
            value = float(found[1])
            return (value, False) if 0 <= value <= 10 else (None, True)
    return None, False


_AGENT = re.compile(
    rf"\b(final|overall|total)?\s*\bscore\b[\s:=\[\]*_\"'()]*(?:(?:is|of)[\s:=\[*_\"'(]*)?({_N1})", re.IGNORECASE
)
_KEY = re.compile(r"key information count\W*(\d+)[^\d]{1,12}?included key information count\W*(\d+)", re.IGNORECASE)


def agent_score(reply: str, highest: int) -> Parsed[int]:
    """Read the whole number that an agent of ECVA gives, 0 to ``highest``.

    >>> agent_score("I would give Score: 2. Final Score: 4", 5), agent_score("Score: 10", 5)
    (Parsed(value=4, reason='ok'), Parsed(value=None, reason='out_of_range'))
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    found = [(word, float(number)) for word, number in _AGENT.findall(reply[:LONGEST])]
    if not found:
        return Parsed(None, UNPARSED)
    value = only([number for _, number in found])
    if value is None:
        value = only([number for word, number in found if word])
    if value is None:
        return Parsed(None, SEVERAL)
    if not 0 <= value <= highest or value != int(value):
        return Parsed(None, OUT_OF_RANGE)
    return Parsed(int(value), "ok")


def key_information(reply: str) -> Parsed[float]:
    """Read how much of the key information an answer includes, 0 to 5: included / count * 5.

    >>> key_information("Key Information Count: 4, Included Key Information Count: 1")
    Parsed(value=1.25, reason='ok')
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    found = _KEY.search(reply[:LONGEST])
    if found is None:
        return Parsed(None, UNPARSED)
    count, included = float(found[1]), float(found[2])
    if count == 0:
        return Parsed(None, "zero_count")
    if included > count:
        return Parsed(None, "included_exceeds_count")
    return Parsed(included / count * 5, "ok")


def ranking(reply: str, count: int = 4) -> Parsed[list[int]]:
    """Read the first list that is an order of 1 to ``count``.

    >>> ranking("First [1] then [4,3,2,1]")
    Parsed(value=[4, 3, 2, 1], reason='ok')
    """
    for inside in re.findall(r"\[\s*(\d{1,3}\s*(?:,\s*\d{1,3}\s*)*)\]", reply[:LONGEST]):
        order = [int(number) for number in inside.split(",")]
        if sorted(order) == list(range(1, count + 1)):
            return Parsed(order, "ok")
    return Parsed(None, UNPARSED)
