"""``calls.jsonl``: paid answers as lines of JSON, to be shared and to be replayed without an endpoint."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zsad.documents import Entries, Limits, parse_json
from zsad.errors import InputError
from zsad.files import write_whole
from zsad.language.cache import Cache, Stored
from zsad.outputs import begins, check_output
from zsad.outside import printable, terminal

LINE = b'{"key": "'
"""How each line begins."""
_LIMITS = Limits(size=8 << 20, entries=100, depth=3, text=4 << 20)


def write_calls(path: str | Path, calls: Iterable[Stored]) -> int:
    """Write answers as ``calls.jsonl``, whole or not at all, sorted by key; return how many.

    Raises:
        OutputError: no space, not allowed, or something else is there.
    """
    check_output(Path(path), begins(LINE), "choose another --record")
    distinct = {one.key: one for one in calls}
    lines = [json.dumps(distinct[key].to_dict()) for key in sorted(distinct)]
    write_whole(Path(path), "".join(f"{line}\n" for line in lines).encode())
    return len(lines)


def read_calls(path: str | Path) -> list[Stored]:
    """Read ``calls.jsonl``; a last line that was cut off is left out.

    Raises:
        InputError: it can't be read, or a line is none of its kind.
    """
    where = printable(path)
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"{where}: no such file") from None
    except OSError as error:
        raise InputError(f"{where}: can't be read ({error.strerror}); give a file that --record wrote") from None
    lines = data.split(b"\n")
    lines.pop()  # after the last line break: nothing, or a line that was cut off
    return [_stored(line, f"{where}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def import_calls(path: str | Path, cache: Cache, model: str = "") -> int:
    """Keep the answers of ``calls.jsonl`` in a cache; those that it has already stay. Return how many the file has.

    Args:
        path: the record.
        cache: where its answers go.
        model: which will be asked for what is missing; ``""`` for any.

    Raises:
        InputError: it can't be read, or has answers of other models alone.
        OutputError: the cache can't be written.
    """
    calls = read_calls(path)
    models = sorted({one.model for one in calls})
    if model and models and model not in models:
        named = ", ".join(terminal(name, 60) for name in models[:5])
        remedy = "choose the same model with --llm NAME"
        raise InputError(f"{printable(path)}: answers of {named}, none of {terminal(model, 60)}; {remedy}")
    there = cache.get_all([one.key for one in calls])
    if new := [one for one in calls if one.key not in there]:
        cache.put(*new)
    return len(calls)


def _stored(line: bytes, where: str) -> Stored:
    entries = Entries.of(parse_json(line, where, InputError, _LIMITS), where, InputError)
    texts: dict[str, Any] = {name: entries.text(name, 4 << 20) for name in ("key", "step", "item", "model", "prompts")}
    numbers: dict[str, Any] = {name: entries.whole(name) for name in ("attempt", "prompt_tokens", "completion_tokens")}
    seconds = entries.number("seconds", 0, 1e9)
    return Stored(
        **texts, **numbers, text=entries.text("text", 4 << 20), finish=entries.text("finish"), seconds=seconds
    )
