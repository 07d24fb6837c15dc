"""Finished classes on disk: written whole or not at all, reused after a kill, collected from shards."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zsad import documents
from zsad.errors import DatasetError, UsageError
from zsad.files import output_errors, write_whole

_LONGEST = 100
"""Bytes of a part's name, at most; file systems take 255."""


def fingerprint(facts: dict[str, Any]) -> str:
    """SHA-256 of everything that a class's figures depend on; a part with another one is measured again."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def part_path(out: Path, run: str, dataset: str, name: str) -> Path:
    """Where the part of one class lies."""
    return out / f"{run}.parts" / _file_name(dataset) / f"{_file_name(name)}.json"


def read_part(path: Path, wanted: str | None = None) -> dict[str, Any] | None:
    """Read a finished part, or None if there is none, it is damaged, or its fingerprint is not the wanted one."""
    data = read_json(path)
    if data is None or "fingerprint" not in data or "class" not in data:
        return None
    return data if wanted in (None, data["fingerprint"]) else None


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object, or None if there is none."""
    try:
        data = documents.read_json(path, DatasetError, documents.LARGE)
    except DatasetError:
        return None
    return data if isinstance(data, dict) else None


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that a kill leaves the old file or the new one.

    Raises:
        OutputError: it can't be written.
    """
    text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    write_whole(path, text.encode(), output_errors(path, again="run it again: what is finished is kept"))


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``i/n``, i from 1.

    Raises:
        UsageError: not of that form.

    >>> parse_shard("2/4")
    (2, 4)
    """
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: give i/n with 1 <= i <= n, such as 1/4")
    return int(found[1]), int(found[2])


def collect(sources: Iterable[Path], out: Path) -> int:
    """Copy the parts and run descriptions of other output folders into this one.

    Returns:
        How many files were copied.

    Raises:
        DatasetError: a source without parts, or two sources that disagree on one class.
    """
    copied = 0
    for source in sources:
        found = sorted(source.glob("*.parts/**/*.json"))
        if not found:
            raise DatasetError(f"{source}: no parts of a benchmark in it")
        for path in found:
            target = out / path.relative_to(source)
            data = _read(path)
            if target.is_file() and path.resolve() != target.resolve():
                mine = _read(target)
                if _identity(mine) != _identity(data):
                    raise DatasetError(f"{path}: measured otherwise than {target}; merge runs of one kind only")
                if path.name == "run.json":
                    data = joined(mine, data)
            if path.resolve() != target.resolve():
                write_json(target, data)
                copied += 1
    return copied


def _identity(data: dict[str, Any]) -> Any:
    return data.get("fingerprint")


def joined(mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Unite two descriptions of one run: a dataset that either of them found is not missing."""
    data = mine["data"] | other["data"]
    missing = [key for key in mine["missing"] if key in other["missing"] and key not in data]
    started = min(mine["started"], other["started"])
    machines = mine["machines"] + [m for m in other["machines"] if m not in mine["machines"]]
    return other | {"data": data, "missing": missing, "started": started, "machines": machines}


def _read(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if data is None:
        raise DatasetError(f"{path}: not a finished part; run that shard again")
    return data


def _file_name(name: str) -> str:
    """A name that every file system takes; a changed one carries a hash, so that two never meet."""
    plain = re.sub(r"[^\w. -]", "_", name).strip(" .") or "_"
    plain = plain.encode()[:_LONGEST].decode(errors="ignore")
    mark = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return plain if plain == name else f"{plain}-{mark}"
