"""Answers that were paid for, in a SQLite file: each is committed before anybody uses it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM replies"
_WAIT = 60.0
"""Seconds to wait while another run writes."""
_AT_ONCE = 500
"""Keys of one look-up; SQLite takes 999 and more."""


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


@dataclass
class _Batch:
    """Answers of several threads that go to the disk together; all of these threads wait for it."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    done: bool = False
    error: Exception | None = None


class Cache:
    """Answers by key, and small facts by name; several runs may use one file at a time.

    Args:
        path: the file, or None for one in memory.

    Raises:
        OutputError: it can't be made, or is no such file.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._lock, self._queue = threading.RLock(), threading.Lock()
        self._batch = _Batch()
        with self._named(self._lock):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._connected()
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(_TABLES)
            # Who looks something up does not wait for the disk that another thread writes to.
            self._looks = self._file if path is None else self._connected()
        self._look = self._lock if path is None else threading.RLock()

    def _connected(self) -> sqlite3.Connection:
        where = self.path or ":memory:"
        return sqlite3.connect(where, timeout=_WAIT, check_same_thread=False, isolation_level=None)

    def get(self, key: str) -> Stored | None:
        """Return the answer of a key, or None."""
        with self._named(self._look):
            row = self._looks.execute(f"{_SELECT} WHERE key = ?", (key,)).fetchone()
        return Stored(*row) if row else None

    def get_all(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Return the answers that are there, by key; quicker than one by one."""
        found: dict[str, Stored] = {}
        for i in range(0, len(keys), _AT_ONCE):
            some = keys[i : i + _AT_ONCE]
            with self._named(self._look):
                rows = self._looks.execute(f"{_SELECT} WHERE key IN ({_marks(len(some))})", some).fetchall()
            found.update((row[0], Stored(*row)) for row in rows)
        return found

    def put(self, *stored: Stored) -> None:
        """Keep answers; when this returns, they are on the disk.

        Threads that come while one of them writes wait, and are then written together: one wait for the disk for all.
        """
        rows = [tuple(getattr(one, name) for name in _COLUMNS) for one in stored]
        with self._queue:
            batch = self._batch
            batch.rows += rows
        with self._lock:
            if not batch.done:
                with self._queue:
                    self._batch = _Batch()
                try:
                    self._write(f"INSERT OR REPLACE INTO replies VALUES ({_marks(len(_COLUMNS))})", batch.rows)
                except Exception as error:
                    batch.error = error
                batch.done = True
        if batch.error is not None:
            raise batch.error

    def _write(self, line: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._named(self._lock):
            self._file.execute("BEGIN IMMEDIATE")
            try:
                self._file.executemany(line, rows)
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise

    def all(self) -> Iterator[Stored]:
        """Yield every answer, sorted by key."""
        with self._named(self._look):
            rows = self._looks.execute(f"{_SELECT} ORDER BY key").fetchall()
        for row in rows:
            yield Stored(*row)

    def fact(self, name: str) -> bytes | None:
        """Return what is kept under a name, or None."""
        with self._named(self._look):
            row = self._looks.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def keep(self, **facts: bytes) -> None:
        """Keep small values by name."""
        self.keep_all(facts)

    def keep_all(self, facts: dict[str, bytes]) -> None:
        """Keep small values by name, at once."""
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._look:
            self._looks.close()
            self._file.close()

    @contextmanager
    def _named(self, lock: threading.RLock) -> Iterator[None]:
        """One at a time, and refusals of the file as one line."""
        with lock:
            try:
                yield
            except sqlite3.DatabaseError as error:
                where, remedy = printable(self.path or "cache"), "move the file away, or make space"
                raise OutputError(f"{where}: answers can't be kept here ({error}); {remedy}") from None
            except OSError as error:
                where = printable(self.path or "cache")
                raise OutputError(
                    f"{where}: can't be written ({error.strerror}); set ZSAD_HOME to a place that can"
                ) from None


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def default_cache() -> Path:
    """Return the file that answers are kept in: ``language.sqlite`` in the folder of downloads (``ZSAD_HOME``)."""
    return paths.cache_dir() / "language.sqlite"
