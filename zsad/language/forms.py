"""JSON schemas of answers that have a form, sent where a user asks for them; they are read robustly either way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsad.language.parse import Parsed, bracket_score, judge_score

_SCORE: Mapping[str, Any] = {
    "type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"], "additionalProperties": False,
}  # fmt: skip
FORMS: Mapping[str, Mapping[str, Any]] = dict.fromkeys(
    ("ask.window", "lavad.score", "hawk.judge", "hivau.judge"), _SCORE
)
"""Step -> schema of its answer; an object at the top, since some servers take nothing else."""


def formed_score(reply: str) -> Parsed[float]:
    """Read a score in [0, 1] in the form of the schema, or as it is given without one.

    >>> formed_score('{"score": 0.3}').value, formed_score("[0.7]").value, formed_score("about 0.7").reason
    (0.3, 0.7, 'no_number')
    """
    plain, formed = bracket_score(reply), judge_score(reply)
    return formed if plain.value is None and formed.reason == "dict" else plain
