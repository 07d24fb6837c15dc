"""CLIP's byte-pair tokens without torch: strings -> token ids, out of the list of merges alone.

Source: Radford et al., 2021 (CLIP), byte-pair encoding over lower-cased text with 49,152 entries.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zsad.errors import PromptError
from zsad.outside import shown

KIND = "clip byte pairs"
_PLAIN = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
_REST = sorted(set(range(256)) - set(_PLAIN))
_BYTES = {**{b: chr(b) for b in _PLAIN}, **{b: chr(256 + n) for n, b in enumerate(_REST)}}
"""A printable character for each byte, as GPT-2 chose them; those without one of their own come after."""
_SHORTENED = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_SAME = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"',
     "\u201e": '"', "\u201f": '"', "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"}
)  # fmt: skip
_KEPT_CONTROLS = "\t\n\f\r"


class ClipTokens:
    """A tokenizer.

    Args:
        merges: pairs of pieces, the most frequent first.
        context_length: positions T of the text tower.
    """

    def __init__(self, merges: Sequence[tuple[str, str]], context_length: int) -> None:
        self.merges, self.context_length = tuple(merges), context_length
        single = [_BYTES[b] for b in (*_PLAIN, *_REST)]
        pieces = [*single, *(one + "</w>" for one in single), *(a + b for a, b in self.merges)]
        self._ids = {piece: i for i, piece in enumerate(pieces)}
        self._ranks = {pair: i for i, pair in enumerate(self.merges)}
        self.start, self.end = len(pieces), len(pieces) + 1
        self._pieces = lru_cache(maxsize=100_000)(self._merged)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without its start and its end."""
        return [self._ids[piece] for word in words(cleaned(text)) for piece in self._pieces(word)]

    def ids(self, texts: Sequence[str], cut: bool = False) -> NDArray[np.int64]:
        """Return token ids, (P, T) int64: start, text, end, zeros.

        Args:
            texts: any strings.
            cut: leave out what is beyond T positions; else that is an error.

        Raises:
            PromptError: a text that is too long.
        """
        found = np.zeros((len(texts), self.context_length), np.int64)
        for row, text in zip(found, texts, strict=True):
            inner = self.encode(text)
            if len(inner) + 2 > self.context_length and not cut:
                count, limit = len(inner) + 2, self.context_length
                raise PromptError(f"text {shown(text, 40)} has {count} tokens, the limit is {limit}; shorten it")
            whole = [self.start, *inner[: self.context_length - 2], self.end]
            row[: len(whole)] = whole
        return found

    def _merged(self, word: str) -> tuple[str, ...]:
        """Return the pieces of a word: neighbours joined in the order of the merges."""
        pieces = [_BYTES[b] for b in word.encode("utf-8", "surrogatepass")]
        pieces[-1] += "</w>"
        while len(pieces) > 1:
            pairs = list(pairwise(pieces))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined: list[str] = []
            for piece in pieces:
                # A joined pair is longer than its first piece, so that it can't be taken for the first of another one.
                if joined and (joined[-1], piece) == best:
                    joined[-1] += piece
                else:
                    joined.append(piece)
            pieces = joined
        return tuple(pieces)


def cleaned(text: str) -> str:
    r"""Return text as CLIP reads it: entities resolved, plain quotes, composed letters, single blanks, lower case.

    What the package ftfy mends besides, text that was decoded wrongly, stays as it is.

    >>> cleaned("A  \u201cred\u201d\nvan &amp; a gate")
    'a "red" van & a gate'
    """
    text = html.unescape(html.unescape(text)).translate(_SAME)
    text = "".join(c for c in text if c in _KEPT_CONTROLS or unicodedata.category(c) != "Cc")
    narrow = "".join(
        unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" or c == "\u3000" else c for c in text
    )
    return " ".join(unicodedata.normalize("NFC", narrow).split()).lower()


def words(text: str) -> list[str]:
    """Return what a cleaned text is cut into: shortened verbs, runs of letters, single digits, runs of all else.

    >>> words("it's 12 o'clock!")
    ['it', "'s", '1', '2', 'o', "'", 'clock', '!']
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        kind = _kind(text[at])
        short = next((one for one in _SHORTENED if text.startswith(one, at)), "")
        end = at + 1
        if short:
            end = at + len(short)
        elif kind in "Lo":
            while end < len(text) and _kind(text[end]) == kind:
                end += 1
        if kind != " ":
            found.append(text[at:end])
        at = end
    return found


def _kind(character: str) -> str:
    """Return ``"L"`` for a letter, ``"N"`` for a number, a blank for space, ``"o"`` for all else."""
    if character.isspace():
        return " "
    first = unicodedata.category(character)[0]
    return first if first in "LN" else "o"
