"""A conversation that was kept, read again to be gone on with; nothing in it is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zsad.documents import Entries, is_number, read_json
from zsad.errors import InputError
from zsad.language.explain import document
from zsad.language.explain.chat import Talk
from zsad.language.explain.evidence import read_evidence
from zsad.language.footage import Footage
from zsad.outside import printable

_MOST = 200
"""Frames and answers of a conversation, at most."""


def read_talk(path: Path, footage: Footage) -> Talk:
    """Read a conversation that was kept, to go on with it.

    Raises:
        InputError: it can't be read, is none, or is about another video.
    """
    where = printable(path)
    entries = Entries.of(read_json(path, InputError, document.LIMITS), where, InputError)
    data = entries.data
    if data.get("kind") != document.KINDS[document.CONVERSATION] or data.get("format") != document.FORMAT:
        raise InputError(f"{where}: no conversation of `zsad video ask`; give its conversation.json")
    video = entries.entries("video")
    if video.text("sha256") != footage.identity:
        name = printable(video.text("name"))
        raise InputError(f"{where}: is about another video ({name}); give that one, or begin anew without --follow")
    last = footage.facts.n_frames - 1
    rows = [Entries.of(one, f"{where}: frames", InputError) for one in entries.items("frames", _MOST)]
    kept = [_frame(row, last) for row in rows]
    frames = tuple(row["index"] for row in kept)
    if list(frames) != sorted(set(frames)):
        raise InputError(f"{where}: its frames do not ascend; begin anew without --follow")
    turns = [Entries.of(one, f"{where}: answers", InputError) for one in entries.items("answers", _MOST)]
    if not frames:
        raise InputError(f"{where}: has no frames; begin anew without --follow")
    evidence = read_evidence(entries.entries("found"))
    about = {
        "video": {
            "name": video.text("name"), "path": video.text("path"), "n_frames": video.whole("n_frames"),
            "fps": video.number("fps", 0), "width": video.whole("width"), "height": video.whole("height"),
            "sha256": footage.identity,
        },
        "scores": _scored(entries), "sampler": _sampler(entries), "frames": kept, "found": evidence.to_dict(),
    }  # fmt: skip
    return Talk(about, frames, entries.text("spans", default=""), evidence, entries.text("anomaly", default=""),
                tuple(_turn(turn) for turn in turns))  # fmt: skip


def _frame(row: Entries, last: int) -> dict[str, Any]:
    return {
        "index": row.whole("index", 0, last), "timestamp": row.number("timestamp", 0),
        "score": None if row.data.get("score") is None else row.number("score", -1e300, 1e300),
        "sha256": row.text("sha256", 64), "motion_sha256": None,
    }  # fmt: skip


def _scored(entries: Entries) -> dict[str, Any] | None:
    if entries.data.get("scores") is None:
        return None
    found = entries.entries("scores")
    events = found.items("events", 10_000)
    return {
        "method": found.text("method"), "model": found.text("model"), "known": found.flag("known"),
        "threshold": found.number("threshold", -1e300, 1e300), "partial": found.flag("partial"), "events": events,
    }  # fmt: skip


def _sampler(entries: Entries) -> dict[str, Any]:
    found = entries.entries("sampler")
    name = found.text("name", 40)
    return {"name": name} | {key: found.data[key] for key in ("tau", "scaled") if is_number(found.data.get(key)) or
                             isinstance(found.data.get(key), bool)}  # fmt: skip


def _turn(turn: Entries) -> dict[str, Any]:
    claims = [Entries.of(one, f"{turn.where}: claims", InputError) for one in turn.items("claims")]
    for claim in claims:
        claim.text("kind"), claim.text("evidence")
        if claim.text("verdict") not in document.VERDICTS:
            raise InputError(f"{claim.where}: a verdict in it is none; begin anew without --follow")
    rows = [claim.data for claim in claims]
    texts = {key: turn.text(key, 1 << 20) for key in ("task", "title", "question", "prompts", "answer", "reason")}
    return {**texts, "frames": turn.items("frames"), "value": turn.data.get("value"), "claims": rows,
            "summary": {key: value for key, value in document.summary(rows).items() if key != "claims"}}  # fmt: skip
