"""What an explanation claims: presence, times, durations, classes, their order, counts, places and severity."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from zsad.language.align.lexicon import Lexicon

Value: TypeAlias = "bool | int | float | str | None"

_T, _U = r"\d{1,9}:\d{2}|\d{1,9}(?:\.\d{1,9})?", r"\s*(?:s|sec|seconds?)\b"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_SENTENCE = re.compile(r"(?<!\d)[.!?;\n]+|[.!?;\n]+(?!\d)")
_HEDGE = _pattern(r"\b(?:might|may|possibly|perhaps|could|probably)\b")
_ODD = r"(?:anomal\w*|unusual|abnormal|suspicious)\b"
_PRESENT = _pattern(rf"\b{_ODD}")
_ABSENT = _pattern(
    rf"\b(?:no|nothing|not|without)\b[^,:]{{0,25}}?\b{_ODD}"
    r"|\b(?:is|looks|seems|appears|stays)\s+(?:entirely\s+|quite\s+|fully\s+)?normal\b"
)
_SPAN = _pattern(rf"\b(?:from|between)\s+({_T})(?:{_U})?\s*(?:to|and|until|-|\u2013)\s*({_T})({_U})?")
_POINT = _pattern(rf"\b(?:at|around)\s+(?:about\s+)?(?:({_T}){_U}|(\d{{1,9}}:\d{{2}}))")
_LASTS = _pattern(rf"\b(?:lasts?|lasting|for)\s+(?:about\s+|around\s+|roughly\s+)?(\d{{1,9}}(?:\.\d{{1,9}})?){_U}")
_WHOLE = _pattern(r"\bthroughout\b|\b(?:whole|entire) (?:video|clip)\b")
_NEGATION = {"no", "not", "without", "never"}
_ORDER = _pattern(r"\b(before|after)\b")
_PLACE = _pattern(
    r"\b(?:in|on|at|near|along)\s+the\s+((?:(?:upper|top|lower|bottom|middle|left|right|cent(?:re|er))[\s-]*){1,2})"
    r"(?:corner|side|part|half|edge|of the (?:frame|picture|image|scene|view))"
)
_ROWS = {"upper": "top", "top": "top", "lower": "bottom", "bottom": "bottom", "middle": "middle"}
_COLUMNS = {"left": "left", "right": "right", "centre": "centre", "center": "centre"}
LEVELS = {
    "low": ("minor", "slight", "low", "mild"),
    "moderate": ("moderate", "medium"),
    "high": ("severe", "serious", "high", "extreme", "critical", "major"),
}
"""Levels of severity, from the lowest, and their words."""
_SEVERITY = _pattern(
    rf"\b({'|'.join(word for words in LEVELS.values() for word in words)})\s+(?:[a-z]+\s+){{0,2}}?"
    r"(?:severity|risk|danger|incident|anomaly|damage|alarm|event)\b"
)
_SCORE = _pattern(
    r"\b(?:score|severity|confidence)\s*(?:of|is|=|:)?\s*(0?\.\d+|0|1(?:\.0+)?)\b(?!\.\d)(?!\s*(?:/|%|s\b|sec))"
)


@dataclass(frozen=True)
class Claim:
    """One thing that a text says and a detector can know.

    Attributes:
        kind: presence, time, duration, class, order, count, location or severity.
        said: what is claimed, as pairs of a name and a value, such as ``(("start", 3.0), ("end", 8.0))``.
        hedged: whether its sentence says that it only may be so.
        text: its sentence; not part of what makes claims equal.
    """

    kind: str
    said: tuple[tuple[str, Value], ...]
    hedged: bool = False
    text: str = ""

    @property
    def key(self) -> tuple[str, tuple[tuple[str, Value], ...], bool]:
        """What makes two claims the same."""
        return self.kind, self.said, self.hedged

    def get(self, name: str) -> Value:
        """Return a value of what is said, or None."""
        return dict(self.said).get(name)


def claims(explanation: str, duration_s: float | None = None, lexicon: Lexicon | None = None) -> list[Claim]:
    """Read the claims of an explanation, in the order of its sentences, equal ones once.

    Args:
        explanation: a language model's words.
        duration_s: the video's seconds, which "throughout" means; without them such a claim is not made.
        lexicon: words of classes and things; the shipped ones if not given.

    >>> [(claim.kind, claim.said) for claim in claims("A fire at 0:42.")]
    [('time', (('start', 42.0), ('end', 42.0))), ('class', (('label', 'fire'), ('negated', False)))]
    """
    words = lexicon or Lexicon()
    found: dict[object, Claim] = {}
    for sentence in _SENTENCE.split(explanation):
        hedged = _HEDGE.search(sentence) is not None
        for kind, said in _read(sentence, duration_s, words):
            claim = Claim(kind, said, hedged, " ".join(sentence.split()))
            found.setdefault(claim.key, claim)
    return list(found.values())


def pieces(explanation: str) -> list[str]:
    """Return a text in pieces that make it up again: its sentences, each followed by what ends it.

    >>> pieces("A fire. It burns")
    ['A fire', '.', ' It burns']
    """
    found, end = [], 0
    for mark in _SENTENCE.finditer(explanation):
        found += [explanation[end : mark.start()], mark[0]]
        end = mark.end()
    return [*found, explanation[end:]]


_Said: TypeAlias = tuple[str, tuple[tuple[str, Value], ...]]


def _read(sentence: str, duration_s: float | None, words: Lexicon) -> Iterator[_Said]:
    if _ABSENT.search(sentence):
        yield "presence", (("anomaly", False),)
    elif _PRESENT.search(sentence):
        yield "presence", (("anomaly", True),)
    for start, end in _times(sentence, duration_s):
        yield "time", (("start", start), ("end", end))
    for lasting in _LASTS.finditer(sentence):
        yield "duration", (("seconds", float(lasting[1])),)
    yield from _classes(sentence, words)
    yield from _counts(sentence, words)
    for place in _PLACE.finditer(sentence):
        parts = re.findall(r"[a-z]+", place[1].lower())
        yield "location", (("row", _one(parts, _ROWS.get)), ("col", _one(parts, _COLUMNS.get)))
    for level in _SEVERITY.finditer(sentence):
        yield "severity", (("level", next(name for name, them in LEVELS.items() if level[1].lower() in them)),)
    for score in _SCORE.finditer(sentence):
        yield "severity", (("score", float(score[1])),)


def _one(parts: list[str], known: Callable[[str], str | None]) -> str | None:
    return next((found for part in parts if (found := known(part))), None)


def _times(sentence: str, duration_s: float | None) -> Iterator[tuple[float, float]]:
    for span in _SPAN.finditer(sentence):
        start, end = seconds(span[1]), seconds(span[2])
        if (span[3] or (":" in span[1] and ":" in span[2])) and start <= end:
            yield start, end
    for point in _POINT.finditer(sentence):
        at = seconds(point[1] or point[2])
        yield at, at
    if duration_s is not None and _WHOLE.search(sentence):
        yield 0.0, float(duration_s)


def seconds(text: str) -> float:
    """Read seconds, or minutes and seconds.

    >>> seconds("1:05"), seconds("7.5")
    (65.0, 7.5)
    """
    minutes, _, rest = text.rpartition(":")
    return 60.0 * int(minutes or 0) + float(rest)


def _classes(sentence: str, words: Lexicon) -> Iterator[_Said]:
    found = sorted(
        (match.start(), match.end(), name)
        for name in words.classes
        for match in words.of_class(name).finditer(sentence)
    )
    for start, _, name in found:
        before = re.findall(r"[\w']+", sentence[:start].lower())[-3:]
        yield "class", (("label", name), ("negated", not _NEGATION.isdisjoint(before)))
    names = list(dict.fromkeys(name for *_, name in found))
    if len(names) != 2:
        return
    first = found[0]
    second = next(one for one in found if one[2] == names[1])
    order = {word.lower() for word in _ORDER.findall(sentence[first[1] : second[0]])}
    if len(order) == 1:
        earlier, later = names if order == {"before"} else names[::-1]
        yield "order", (("first", earlier), ("second", later))


def _counts(sentence: str, words: Lexicon) -> Iterator[_Said]:
    for part, nouns in ((False, words.nouns), (True, words.part_nouns)):
        for noun, pattern in nouns.items():
            for match in words.of_count(pattern).finditer(sentence):
                word = match[1].lower()
                bound = word in words.at_least
                number = words.at_least[word] if bound else words.numbers[word] if word in words.numbers else int(word)
                yield "count", (("noun", noun), ("part_of", part), ("at_least" if bound else "equals", number))
