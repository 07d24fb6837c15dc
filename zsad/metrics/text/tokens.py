"""Texts cut into tokens, as each text metric wants them."""

from __future__ import annotations

import re

from zsad.metrics.text.porter import stem

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_ABBREVIATION = r"(?:[a-z]\.)+(?![a-z])|(?:mr|mrs|ms|dr|st|jr|sr|vs|etc|prof|inc|co|corp)\.(?=\s+\S)"
_PTB = re.compile(
    rf"{_ABBREVIATION}|\d+(?:[.,:/-]\d+)*|[^\W_]+?(?=n't\b)|n't\b|'(?:s|m|d|ll|re|ve)\b"
    r"|[^\W_]+(?:[-_][^\W_]+)*|\.\.\.|--|[^\w\s]|_+"
)
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_DROPPED = frozenset("'\"`\u2018\u201c\u201d.?!,:;-\u2013\u2014") | {"--", "..."}


def words(text: str, lower: bool = False) -> list[str]:
    """Return what stands between blanks."""
    return (text.lower() if lower else text).split()


def rouge_tokens(text: str) -> list[str]:
    """Return the stems of a text's lower-case words of ASCII letters and digits; words of up to three letters stay.

    Source: the tokeniser of ``rouge_score`` with its stemmer on.

    >>> rouge_tokens("The bus stopped suddenly.")
    ['the', 'bus', 'stop', 'suddenli']
    """
    found = _NOT_WORD.sub(" ", text.lower()).split()
    return [stem(word) if len(word) > 3 else word for word in found]


def ptb_tokens(text: str) -> list[str]:
    """Return lower-case tokens in the manner of the Penn Treebank, without punctuation, as COCO's scores want them.

    Contractions are split and round brackets are written out, as the Java tokeniser does that COCO's own code starts;
    on rarer spellings (addresses, fractions, unusual abbreviations) the two may differ, so that a figure made with
    this function is named ``coco-...-ptb-lite`` by :func:`zsad.metrics.text.text_scores`.

    >>> ptb_tokens("The guard's door wasn't locked (twice).")
    ['the', 'guard', "'s", 'door', 'was', "n't", 'locked', '-lrb-', 'twice', '-rrb-']
    """
    found = (match.group() for match in _PTB.finditer(text.lower().replace("\u2019", "'")))
    return [_BRACKETS.get(token, token) for token in found if token not in _DROPPED]
