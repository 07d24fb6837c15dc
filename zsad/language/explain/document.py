"""The documents that explanations leave: versioned JSON, written whole, and not at all where nothing has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zsad.documents import Limits, parse_json, read_json
from zsad.errors import InputError
from zsad.files import write_whole
from zsad.language.explain.answers import Answer
from zsad.language.explain.shots import Shot
from zsad.language.replies import Counts
from zsad.outputs import check_folder, check_output, holds, is_page

FORMAT = 1
EXPLANATION, CONVERSATION = "explanation", "conversation"
KINDS = {EXPLANATION: "zsad explanation", CONVERSATION: "zsad conversation"}
VERDICTS = ("aligned", "contradicted", "unsupported")
LIMITS = Limits(size=64 << 20, entries=1_000_000, text=1 << 20)
_REMEDY = "choose another --out"


def head(kind: str) -> dict[str, Any]:
    """Return how a document begins."""
    return {"kind": KINDS[kind], "format": FORMAT}


def shown_frames(shots: Sequence[Shot], scores: Mapping[int, float]) -> list[dict[str, Any]]:
    """Return what is said of the frames that were sent: index, time, score, and SHA-256 of the pictures.

    Args:
        shots: the frames.
        scores: index -> score of the frame, where there are any.
    """
    found = []
    for shot in shots:
        score = scores.get(shot.index)
        found.append({
            "index": shot.index, "timestamp": round(shot.seconds, 3), "score": None if score is None else float(score),
            "sha256": shot.picture.sha, "motion_sha256": shot.motion.sha if shot.motion else None,
        })  # fmt: skip
    return found


def summary(claims: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many claims have which verdict, and the share of aligned ones among those that are decided."""
    counts = {verdict: sum(one["verdict"] == verdict for one in claims) for verdict in VERDICTS}
    decided = counts["aligned"] + counts["contradicted"]
    return {"claims": len(claims), **counts, "trust": counts["aligned"] / decided if decided else None}


def closing(answers: Sequence[Answer], counts: Counts, earlier: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return what stands at the end: answers, verdicts, what is missing and what was sent.

    Args:
        answers: of this run.
        counts: of the gateway.
        earlier: answers of the conversation that goes on.
    """
    rows = [*earlier, *(one.to_dict() for one in answers if not one.failed)]
    lost = [{"task": one.question.task, "title": one.question.title, "reason": one.reason}
            for one in answers if one.failed]  # fmt: skip
    return {
        "answers": rows,
        "summary": summary([claim for row in rows for claim in row["claims"]]),
        "unparsed": sum(row["value"] is None for row in rows),
        "partial": bool(lost),
        "missing": lost,
        "calls": counts.to_calls(),
    }


def check_places(folder: Path, name: str) -> None:
    """Refuse a folder whose files of that name were not written by zsad.

    Args:
        folder: where they go.
        name: ``"explanation"`` or ``"conversation"``.

    Raises:
        OccupiedError: such a file is there.
    """
    check_folder(folder, _REMEDY)
    check_output(folder / f"{name}.json", holds(KINDS[name].encode()), _REMEDY)
    check_output(folder / f"{name}.html", is_page, _REMEDY)


def write_document(path: Path, data: Mapping[str, Any]) -> dict[str, Any]:
    """Write a document, whole or not at all; one that says the same as what is there, but for calls, stays.

    Returns:
        What stands in the file.

    Raises:
        OutputError: it can't be written.
    """
    text = json.dumps(data, indent=1, allow_nan=False)
    new = parse_json(text.encode(), path.name, InputError, LIMITS)  # as it will be read: tuples become lists
    if path.is_file():
        try:
            old = read_json(path, InputError, LIMITS)
        except InputError:
            old = None
        if isinstance(old, dict) and {**old, "calls": None} == {**new, "calls": None}:
            return dict(old)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f"{text}\n".encode())
    return dict(new)
