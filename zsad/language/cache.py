"""Answers that were paid for, in a SQLite file: each is committed before anybody uses it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zsad import paths
from zsad.errors import OutputError
from zsad.outside import printable

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, step TEXT, item TEXT, attempt INTEGER, model TEXT,
    prompts TEXT, text TEXT, finish TEXT, prompt_tokens INTEGER, completion_tokens INTEGER, seconds REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
"""
_COLUMNS = (
    "key", "step", "item", "attempt", "model", "prompts", "text", "finish", "prompt_tokens", "completion_tokens",
    "seconds",
)  # fmt: skip
_WAIT = 60.0
"""Seconds to wait while another run writes."""


@dataclass(frozen=True)
class Stored:
    """An answer as it is kept; the names are those of a line of ``calls.jsonl``.

    Attributes:
        key: of the question and the model.
        step: which template asked.
        item: which window or question it was for.
        attempt: 0, or how often the form was asked for again.
        model: which model answered.
        prompts: name and version of the prompt set.
        text: the answer.
        finish: why it ended: ``"stop"``, ``"length"``, ``"content_filter"``, ``"refusal"``.
        prompt_tokens: of the question, as the server counts.
        completion_tokens: of the answer.
        seconds: that it took.
    """

    key: str
    step: str
    item: str
    attempt: int
    model: str
    prompts: str
    text: str
    finish: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in _COLUMNS}


class Cache:
    """Answers by key, and small facts by name; several runs may use one file at a time.

    Args:
        path: the file, or None for one in memory.

    Raises:
        OutputError: it can't be made, or is no such file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock = threading.Lock()
        with self._named():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(
                path or ":memory:", timeout=_WAIT, check_same_thread=False, isolation_level=None
            )
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(_TABLES)

    def get(self, key: str) -> Stored | None:
        """Return the answer of a key, or None."""
        with self._named():
            row = self._file.execute(f"SELECT {', '.join(_COLUMNS)} FROM replies WHERE key = ?", (key,)).fetchone()
        return Stored(*row) if row else None

    def put(self, *stored: Stored) -> None:
        """Keep answers; when this returns, they are on the disk."""
        rows = [tuple(getattr(one, name) for name in _COLUMNS) for one in stored]
        marks = ", ".join("?" * len(_COLUMNS))
        with self._named():
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(f"INSERT OR REPLACE INTO replies VALUES ({marks})", rows)
            self._file.execute("COMMIT")

    def all(self) -> Iterator[Stored]:
        """Yield every answer, sorted by key."""
        with self._named():
            rows = self._file.execute(f"SELECT {', '.join(_COLUMNS)} FROM replies ORDER BY key").fetchall()
        for row in rows:
            yield Stored(*row)

    def fact(self, name: str) -> bytes | None:
        """Return what is kept under a name, or None."""
        with self._named():
            row = self._file.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def keep(self, **facts: bytes) -> None:
        """Keep small values by name."""
        self.keep_all(facts)

    def keep_all(self, facts: dict[str, bytes]) -> None:
        """Keep small values by name, at once."""
        with self._named():
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))
            self._file.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """One at a time, and refusals of the file as one line."""
        where = printable(self.path or "cache")
        with self._lock:
            try:
                yield
            except sqlite3.DatabaseError as error:
                if self._open() and self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                remedy = "move the file away, or make space"
                raise OutputError(f"{where}: answers can't be kept here ({error}); {remedy}") from None
            except OSError as error:
                raise OutputError(
                    f"{where}: can't be written ({error.strerror}); set ZSAD_HOME to a place that can"
                ) from None

    def _open(self) -> bool:
        return hasattr(self, "_file")


def default_cache() -> Path:
    """Return the file that answers are kept in: ``language.sqlite`` in the folder of downloads (``ZSAD_HOME``)."""
    return paths.cache_dir() / "language.sqlite"
