"""English words cut to their stems by Porter's algorithm, with the extensions that ROUGE's usual code relies on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise

_VOWELS = frozenset("aeiou")
_IRREGULAR = {
    form: stem
    for stem, forms in {
        "sky": ("sky", "skies"),
        "die": ("dying",),
        "lie": ("lying",),
        "tie": ("tying",),
        "news": ("news",),
        "inning": ("innings", "inning"),
        "outing": ("outings", "outing"),
        "canning": ("cannings", "canning"),
        "howe": ("howe",),
        "proceed": ("proceed",),
        "exceed": ("exceed",),
        "succeed": ("succeed",),
    }.items()
    for form in forms
}
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("bli", "ble"),
    ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"), ("ation", "ate"),
    ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"),
    ("iviti", "ive"), ("biliti", "ble"), ("fulli", "ful"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of a lower-case word.

    Source: Porter, An algorithm for suffix stripping (Program 1980), with the extensions of the Natural Language
    Toolkit, which are what ``rouge_score`` applies.

    >>> [stem(word) for word in ("suddenly", "stories", "hopping", "relational")]
    ['suddenli', 'stori', 'hop', 'relat']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    for step in (_plural, _past, _last_y, _step_2, _step_3, _step_4, _last_e, _double_l):
        word = step(word)
    return word


def _consonant(word: str, place: int) -> bool:
    if word[place] == "y":
        return place == 0 or not _consonant(word, place - 1)
    return word[place] not in _VOWELS


def _measure(word: str) -> int:
    """Count how often a consonant follows a vowel: the m of the paper."""
    kinds = [_consonant(word, i) for i in range(len(word))]
    return sum(after and not before for before, after in pairwise(kinds))


def _has_vowel(word: str) -> bool:
    return not all(_consonant(word, i) for i in range(len(word)))


def _double_consonant(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _consonant(word, len(word) - 1)


def _short(word: str) -> bool:
    """Whether a word ends with consonant, vowel, consonant other than w, x and y; or is a vowel and a consonant."""
    n = len(word)
    if n == 2:
        return not _consonant(word, 0) and _consonant(word, 1)
    return (
        n >= 3
        and _consonant(word, n - 3)
        and not _consonant(word, n - 2)
        and _consonant(word, n - 1)
        and word[-1] not in "wxy"
    )


def _replaced(word: str, rules: Iterable[tuple[str, str]], allowed: Callable[[str, str], bool]) -> str:
    """Apply the first rule whose ending fits; where its condition fails, nothing happens."""
    for ending, other in rules:
        if word.endswith(ending):
            kept = word[: -len(ending)]
            return kept + other if allowed(kept, ending) else word
    return word


def _plural(word: str) -> str:
    if word.endswith("ies") and len(word) == 4:
        return word[:-1]
    return _replaced(word, (("sses", "ss"), ("ies", "i"), ("ss", "ss"), ("s", "")), lambda kept, ending: True)


def _past(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        kept = word.removesuffix(ending)
        if kept != word and _has_vowel(kept):
            return _mended(kept)
    return word


def _mended(kept: str) -> str:
    """Give a word back what the past tense took."""
    if kept.endswith(("at", "bl", "iz")):
        return kept + "e"
    if _double_consonant(kept):
        return kept if kept[-1] in "lsz" else kept[:-1]
    return kept + "e" if _measure(kept) == 1 and _short(kept) else kept


def _last_y(word: str) -> str:
    if word.endswith("y") and len(word) > 2 and _consonant(word, len(word) - 2):
        return word[:-1] + "i"
    return word


def _step_2(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _step_2(word[:-2])
    if word.endswith("logi"):  # the condition takes the l with it
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replaced(word, _STEP_2, lambda kept, ending: _measure(kept) > 0)


def _step_3(word: str) -> str:
    return _replaced(word, _STEP_3, lambda kept, ending: _measure(kept) > 0)


def _step_4(word: str) -> str:
    def allowed(kept: str, ending: str) -> bool:
        return _measure(kept) > 1 and (ending != "ion" or kept[-1:] in ("s", "t"))

    return _replaced(word, [(ending, "") for ending in _STEP_4], allowed)


def _last_e(word: str) -> str:
    if not word.endswith("e"):
        return word
    kept = word[:-1]
    measure = _measure(kept)
    return kept if measure > 1 or (measure == 1 and not _short(kept)) else word


def _double_l(word: str) -> str:
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
