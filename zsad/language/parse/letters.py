"""Multiple choice: which letter a reply means, and which a question offers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from zsad.language.parse.objects import literal
from zsad.language.parse.reading import EMPTY, LONGEST, SEVERAL, UNPARSED, Parsed

DEFAULT = ("A", "B", "C", "D")
_TOKENS = re.compile(r"</?s>|<\|[^|<>]{1,40}\|>|<(?:eos|bos|pad|unk|end_of_turn)>")
_OPTION = re.compile(r"(?<![A-Za-z])\(?([A-H])[).:]\s*(?=\S)")
_LONGEST_LONE = 12
"""Words of a reply, at most, in which a lone capital is its answer."""


def options_of(question: str) -> dict[str, str]:
    """Return the options that a question offers, letter -> text; empty where it offers none.

    >>> options_of("Pick: A) one B) two")
    {'A': 'one', 'B': 'two'}
    """
    marks = list(_OPTION.finditer(question))
    ends = [mark.start() for mark in marks[1:]] + [len(question)]
    found: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        found.setdefault(mark[1], question[mark.end() : end].strip(" \t\r\n,;"))
    return found


def letters_of(question: str) -> tuple[str, ...]:
    """Return the letters that a question offers, A to D where it offers none.

    >>> letters_of("no options here")
    ('A', 'B', 'C', 'D')
    """
    return tuple(options_of(question)) or DEFAULT


def letter(reply: str, options: Mapping[str, str] | None = None) -> Parsed[str]:
    """Read which of the offered letters a reply means.

    Args:
        reply: what the model answered.
        options: letter -> text, of :func:`options_of`; A to D without texts where there are none.

    Source: the rule is ours, ``language_systems.md`` 8.

    >>> letter("A hand is visible, so the answer is D"), letter("B and C").reason
    (Parsed(value='D', reason='named'), 'several')
    """
    text = _TOKENS.sub("", unicodedata.normalize("NFKC", reply[:LONGEST]))
    if not text.strip():
        return Parsed(None, EMPTY)
    offered = options or dict.fromkeys(DEFAULT, "")
    one_of = "".join(offered)
    bare = re.sub(r"^[\W_]+|[\W_]+$", "", text).upper()
    if bare in offered:
        return Parsed(bare, "single_letter")
    text = re.sub(
        rf"\b(?:not|isn't|rather than|instead of)\s+(?:the\s+)?(?:answer\s+|option\s+)?\(?[{one_of}]\b\)?", "", text
    )
    for step in (_named, _leading, _marked):
        if (found := step(text, one_of)) is not None:
            return found
    if (found := _by_text(text, offered)) is not None:
        return found
    return _lone(text, one_of)


def qa_pairs(text: str) -> Parsed[list[tuple[str, str]]]:
    """Read VANE-Bench's file of questions, a Python literal: pairs of a question and the letter of its answer.

    >>> qa_pairs("[{'Q': 'What? A) x B) y', 'A': 'B)'}]").value
    [('What? A) x B) y', 'B')]
    """
    data = literal(text)
    if data is None:
        return Parsed(None, "not a literal")
    if not isinstance(data, list) or not all(_is_pair(row) for row in data):
        return Parsed(None, "not a list of Q/A pairs")
    pairs = [(row["Q"], row["A"].strip().rstrip(").:").lstrip("(").upper()) for row in data]
    if any(answer not in letters_of(question) for question, answer in pairs):
        return Parsed(None, "the answer is not an offered option")
    return Parsed(pairs, "ok")


def _is_pair(row: object) -> bool:
    return isinstance(row, dict) and isinstance(row.get("Q"), str) and isinstance(row.get("A"), str)


def _named(text: str, one_of: str) -> Parsed[str] | None:
    """The letter after a word that concludes."""
    pattern = (
        r"\b(final|so|therefore|thus|correct)?\b[^.\n]{0,20}?\b(?:answer|option|choice|choose|pick|select|go with)\b"
        rf"(?:\s+(?:is|would be|should be|option|letter))*\W*(?<![A-Za-z])([{one_of}])(?![A-Za-z'\u2019])"
    )
    hits = []
    for hit in re.finditer(pattern, text, re.IGNORECASE):
        if hit[2].islower() and re.match(r"\s[a-z]", text[hit.end() :]):
            continue  # "option a is": an article
        hits.append((bool(hit[1]), hit[2].upper()))
    letters = {name for _, name in hits}
    if len(letters) > 1:
        letters = {name for strong, name in hits if strong}
    if len(letters) == 1:
        return Parsed(letters.pop(), "named")
    return Parsed(None, SEVERAL) if hits else None


def _marks(text: str, one_of: str) -> list[str]:
    return re.findall(rf"(?<![A-Za-z])\(?([{one_of}])[).:](?!\w)", text)


def _leading(text: str, one_of: str) -> Parsed[str] | None:
    first = re.match(rf"^[\s\W_]*([{one_of}])\s*(?:[).:,\-\u2013]|$|\n)", text)
    if first is None or set(_marks(text, one_of)) - {first[1]}:
        return None
    return Parsed(first[1], "leading_letter")


def _marked(text: str, one_of: str) -> Parsed[str] | None:
    letters = set(_marks(text, one_of))
    if len(letters) == 1:
        return Parsed(letters.pop(), "marked_letter")
    return Parsed(None, SEVERAL) if letters else None


def _by_text(text: str, offered: Mapping[str, str]) -> Parsed[str] | None:
    said = f" {_words(text)} "
    found = [name for name, option in offered.items() if (words := _words(option)) and f" {words} " in said]
    if len(found) == 1:
        return Parsed(found[0], "option_text")
    return Parsed(None, SEVERAL) if found else None


def _words(text: str) -> str:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text)).strip().lower()


def _lone(text: str, one_of: str) -> Parsed[str]:
    if len(text.split()) > _LONGEST_LONE:
        return Parsed(None, UNPARSED)
    hits = re.finditer(rf"(?<![A-Za-z'\u2019])([{one_of}])(?![A-Za-z'\u2019])", text)
    letters = {hit[1] for hit in hits if not (hit[1] == "A" and re.match(r"\s[a-z]", text[hit.end() :]))}
    if len(letters) == 1:
        return Parsed(letters.pop(), "lone_capital")
    return Parsed(None, SEVERAL if letters else UNPARSED)
