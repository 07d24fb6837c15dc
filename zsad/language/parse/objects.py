"""JSON in replies, for servers that keep to a schema and for those that do not."""

from __future__ import annotations

import ast
import re
from typing import Any

from zsad.documents import Limits, parse_json
from zsad.errors import ZsadError
from zsad.language.parse.reading import EMPTY, LONGEST, UNPARSED, Parsed, is_empty

_LIMITS = Limits(size=8 * LONGEST, entries=20_000, depth=20, text=LONGEST)
_FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_TRIES = 20


def json_object(reply: str) -> Parsed[dict[str, Any]]:
    r"""Return the JSON object of a reply: the whole of it, what stands in a fence, or the first that opens in it.

    >>> json_object('Sure:\n```json\n{"score": 0.5}\n```')
    Parsed(value={'score': 0.5}, reason='fence')
    >>> json_object("no object")
    Parsed(value=None, reason='unparsed')
    """
    if is_empty(reply):
        return Parsed(None, EMPTY)
    text = reply[:LONGEST]
    if (found := loaded(text.strip())) is not None:
        return Parsed(found, "whole")
    for inside in _FENCED.findall(text):
        if (found := loaded(inside.strip())) is not None:
            return Parsed(found, "fence")
    for opening in list(re.finditer(r"\{", text))[:_TRIES]:
        piece = _balanced(text, opening.start())
        if piece and (found := loaded(piece)) is not None:
            return Parsed(found, "inside")
    return Parsed(None, UNPARSED)


def loaded(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None."""
    try:
        value = parse_json(text, "reply", ZsadError, _LIMITS)
    except ZsadError:
        return None
    return value if isinstance(value, dict) else None


def literal(text: str) -> Any:
    """Return the Python literal that a text is, or None; nothing is evaluated."""
    if len(text) > LONGEST:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _balanced(text: str, start: int) -> str:
    """Return the text from an opening brace to the one that closes it, strings minded; ``""`` where none does."""
    depth, quoted, escaped = 0, False, False
    for i in range(start, len(text)):
        sign = text[i]
        if quoted:
            quoted, escaped = (sign != '"' or escaped), sign == "\\" and not escaped
        elif sign == '"':
            quoted = True
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if depth == 0:
                return text[start : i + 1]
    return ""
