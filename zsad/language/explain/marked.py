"""An answer for a page: its sentences, each with the verdict of what it claims, and claims in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zsad.language.align.claims import pieces
from zsad.outside import printable

_RANK = {"contradicted": 2, "unsupported": 1, "aligned": 0}


def paragraphs(answer: str, claims: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Return an answer line by line, each as pieces of text with a verdict or ``""``.

    A sentence has the worst verdict of its claims; one without claims has none.

    >>> paragraphs("A man. He runs.", [{"text": "He runs", "verdict": "aligned"}])
    [[('A man. ', ''), ('He runs.', 'aligned')]]
    """
    verdicts: dict[str, str] = {}
    for claim in claims:
        text, verdict = str(claim.get("text", "")), str(claim.get("verdict", ""))
        if _RANK.get(verdict, -1) > _RANK.get(verdicts.get(text, ""), -1):
            verdicts[text] = verdict
    whole = verdicts.get(" ".join(answer.split())[:300], "")
    parts = pieces(answer)
    lines: list[list[tuple[str, str]]] = [[]]
    for i in range(0, len(parts), 2):
        sentence, end = parts[i], parts[i + 1] if i + 1 < len(parts) else ""
        verdict = verdicts.get(" ".join(sentence.split()), "") or (whole if len(parts) <= 3 else "")
        for k, row in enumerate((sentence + end).split("\n")):
            if k:
                lines.append([])
            _add(lines[-1], row, verdict)
    return [line for line in lines if any(text.strip() for text, _ in line)]


def _add(line: list[tuple[str, str]], text: str, verdict: str) -> None:
    """Put a piece at the end of a line; the blanks before a sentence stay outside of its colour."""
    bare = text.lstrip()
    for piece, kind in ((text[: len(text) - len(bare)], ""), (bare, verdict if bare.strip() else "")):
        if not piece:
            continue
        if line and line[-1][1] == kind:
            line[-1] = line[-1][0] + piece, kind
        else:
            line.append((piece, kind))


def in_words(claim: Mapping[str, Any]) -> str:
    """Return what a claim says, in a few words.

    >>> in_words({"kind": "time", "start": 3.0, "end": 3.0}), in_words({"kind": "count", "noun": "car", "at_least": 3})
    ('at 3 s', 'car: at least 3')
    """
    kind, get = claim.get("kind"), claim.get
    if kind == "presence":
        said = "something is anomalous" if get("anomaly") else "nothing is anomalous"
    elif kind == "time":
        start, end = _number(get("start")), _number(get("end"))
        said = f"at {start} s" if start == end else f"from {start} to {end} s"
    elif kind == "duration":
        said = f"lasts {_number(get('seconds'))} s"
    elif kind == "class":
        said = f"{'no ' if get('negated') else ''}{get('label')}"
    elif kind == "order":
        said = f"{get('first')} before {get('second')}"
    elif kind == "count":
        least = get("at_least") is not None
        said = f"{get('noun')}: {'at least ' if least else ''}{get('at_least') if least else get('equals')}"
    elif kind == "location":
        said = " ".join(str(get(key)) for key in ("row", "col") if get(key))
    else:
        said = f"{get('level')} severity" if get("level") else f"score {_number(get('score'))}"
    return printable(f"{said}, hedged" if get("hedged") else said)[:160]


def value_in_words(value: Any) -> str:
    """Return what was read of an answer, in a few words; ``""`` where that is its text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(f"{_number(span[0])} to {_number(span[1])} s" for span in value if _is_span(span))
    if not isinstance(value, dict):
        return ""
    if "name" in value:
        return printable(f"{value.get('number')}: {value['name']}")[:160]
    said = ["yes" if value.get("anomaly") else "no", *map(str, _listed(value.get("classes")))]
    return printable(", ".join([*said, value_in_words(value.get("spans"))]).strip(", "))[:300]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_span(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, int | float) else "?"
