"""The station's SQLite file: each part exactly once, and what is still to be told; written before anybody is told.

One connection writes, in the station's own thread, in groups: what is ready goes into one transaction, and into one
``fsync`` (WAL, synchronous FULL). An id that is there already stays as it is, and nothing more is told of it. What
couriers have delivered is removed together with the next group, so that no other connection writes, but for a person's
marks.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from zsad.errors import OccupiedError, first_line
from zsad.files import output_errors
from zsad.line.health import Alarm
from zsad.line.part import VERDICTS, Record, now
from zsad.line.schema import WAIT_S, opened_file
from zsad.outside import printable
from zsad.stream.sinks.files import sole_writer

COLUMNS = (*("id", "source", "time", "score", "threshold", "verdict", "fired", "regions", "ms", "model_hash", "error"),)
_KEPT, _LATER = 8, 256
_INSERT = f"insert into parts({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))}) on conflict do nothing"
_COUNT = "insert into counts values (?, ?) on conflict do update set parts = parts + excluded.parts"


class RefusedError(Exception):
    """The database takes nothing now.

    Args:
        kind: ``"database-locked"``, ``"disk-full"`` or ``"database"``.
        text: what SQLite said.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True)
class Message:
    """One entry of the outbox.

    Attributes:
        sink: name of the sink that tells it.
        topic: ``"parts"`` or ``"alarms"``.
        id: key by which a receiver knows one that comes twice: the part's id.
        payload: JSON.
        seq: its number in the outbox; entries of one sink go out in this order.
    """

    sink: str
    topic: str
    id: str
    payload: str
    seq: int = 0


class Database:
    """A station's file.

    Args:
        path: the file; its folder is made.

    Raises:
        OccupiedError: a file that is not a station's, or a folder.
        InUseError: another station writes to it.
        OutputError: it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ExitStack()
        self._delivered: deque[int] = deque()
        self._files: deque[tuple[bytes, str]] = deque()
        self._readers: deque[sqlite3.Connection] = deque()  # those that nobody uses now
        self._closed = False
        if path.is_dir():
            raise OccupiedError(f"{printable(path)}: is a folder; give database the name of a file")
        with output_errors(path, "choose another database"):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(sole_writer(path, path.with_name(f".{path.name}.lock")))
        try:
            self._db = opened_file(path)
        except BaseException:
            self._held.close()
            raise

    def commit(
        self, records: Sequence[Record], messages: Iterable[Message] = (), alarms: Iterable[Alarm] = ()
    ) -> list[bool]:
        """Record parts in one transaction, and put what is to be told of the new ones into the outbox.

        Args:
            records: rows, in order.
            messages: for the outbox; of a part only if its row is new.
            alarms: what has begun or ended, in order.

        Returns:
            For each record, whether it is new.

        Raises:
            RefusedError: nothing was recorded.
        """
        delivered, files = list(self._delivered), list(self._files)
        pending = list(messages)
        new: list[bool] = []
        try:
            self._db.execute("begin immediate")
            try:
                new.extend(self._db.execute(_INSERT, record.to_row()).rowcount == 1 for record in records)
                told = {record.id for record, fresh in zip(records, new, strict=True) if fresh}
                kept = [(m.sink, m.topic, m.id, m.payload) for m in pending if m.topic != "parts" or m.id in told]
                verdicts = Counter(record.verdict for record, fresh in zip(records, new, strict=True) if fresh)
                self._db.executemany(_COUNT, verdicts.items())
                self._db.executemany("insert into outbox(sink, topic, id, payload) values (?, ?, ?, ?)", kept)
                self._db.executemany("delete from outbox where seq = ?", [(seq,) for seq in delivered])
                self._db.executemany("insert or replace into files values (?, ?)", files)
                for alarm in alarms:
                    self._note(alarm)
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        except sqlite3.Error as error:
            raise _refused(error) from None
        for _ in delivered:
            self._delivered.popleft()
        for _ in files:
            self._files.popleft()
        return new

    def _note(self, alarm: Alarm) -> None:
        if alarm.ended:
            self._db.execute("update alarms set ended = ? where kind = ? and ended is null", (alarm.time, alarm.kind))
        else:
            self._db.execute("insert into alarms(time, kind, text) values (?, ?, ?)",
                             (alarm.time, alarm.kind, alarm.text))  # fmt: skip

    def delivered(self, messages: Sequence[Message]) -> None:
        """Take note, from any thread, of entries of the outbox that have arrived; removed with the next commit."""
        self._delivered.extend(message.seq for message in messages)

    @property
    def settling(self) -> bool:
        """Whether entries that have arrived are still to be removed, or many files to be noted."""
        return bool(self._delivered) or len(self._files) >= _LATER

    def note_file(self, path: str, stamp: str) -> None:
        """Take note, from any thread, that what a file holds is recorded; written with the next commit."""
        self._files.append((os.fsencode(path), stamp))

    def knows_file(self, path: str, stamp: str) -> bool:
        """Whether a file is noted with this stamp; safe in any thread."""
        return bool(self.read("select 1 from files where path = ? and stamp = ?", (os.fsencode(path), stamp)))

    def waiting(self, sink: str, after: int, most: int = 100) -> list[Message]:
        """Return entries of the outbox in order, from a courier's thread.

        Args:
            sink: whose.
            after: number of the last one that it has had.
            most: how many at most.
        """
        sql = "select sink, topic, id, payload, seq from outbox where sink = ? and seq > ? order by seq limit ?"
        found = self.read(sql, (sink, after, most))
        return [Message(*row) for row in found]

    def knows(self, part_id: str) -> bool:
        """Whether a part is recorded; safe in any thread."""
        return bool(self.read("select 1 from parts where id = ?", (part_id,)))

    def record(self, part_id: str) -> Record | None:
        """Return the row of a part; safe in any thread."""
        found = self.read(f"select {', '.join(COLUMNS)} from parts where id = ?", (part_id,))
        return Record.of_row(found[0]) if found else None

    def last(self, count: int) -> list[Record]:
        """Return the last rows, the newest first; safe in any thread."""
        rows = self.read(f"select {', '.join(COLUMNS)} from parts order by rowid desc limit ?", (count,))
        return [Record.of_row(row) for row in rows]

    def after(self, part_id: str | None, most: int = 1000) -> list[Record]:
        """Return rows in order that came after a part; from the first on for None or a part that is not there."""
        found = self.read("select rowid from parts where id = ?", (part_id,)) if part_id is not None else []
        rows = self.read(f"select {', '.join(COLUMNS)} from parts where rowid > ? order by rowid limit ?",
                         (found[0][0] if found else 0, most))  # fmt: skip
        return [Record.of_row(row) for row in rows]

    def between(self, start: str, end: str) -> Iterator[Record]:
        """Yield rows of a period in order; times as rows have them."""
        last = 0
        columns = ", ".join(COLUMNS)
        while rows := self.read(f"select rowid, {columns} from parts where time >= ? and time < ? and rowid > ? "
                                "order by rowid limit 1000", (start, end, last)):  # fmt: skip
            last = rows[-1][0]
            yield from (Record.of_row(row[1:]) for row in rows)

    def counts(self) -> dict[str, int]:
        """Return how many parts were recorded with each verdict, those that are forgotten included."""
        found = dict(self.read("select verdict, parts from counts"))
        return {verdict: int(found.get(verdict, 0)) for verdict in VERDICTS}

    def backlog(self) -> dict[str, int]:
        """Return how many entries each sink still has in the outbox."""
        return dict(self.read("select sink, count(*) from outbox group by sink"))

    def standing(self) -> dict[str, str]:
        """Return kind and text of the alarms whose end nobody has noted."""
        return dict(self.read("select kind, text from alarms where ended is null order by id"))

    def drop(self, sink: str) -> int:
        """Remove what waits for a sink; returns how many entries.

        Raises:
            RefusedError: not now.
        """
        return self.write("delete from outbox where sink = ?", (sink,))

    def forget(self, before: str, most: int = 500) -> int:
        """Remove the first rows, with their marks, as long as they are older; the last row always stays.

        Rows are removed in the order in which they came, so that those who follow them miss none.

        Args:
            before: time, as rows have it.
            most: how many rows at most.

        Returns:
            How many rows were removed.

        Raises:
            RefusedError: not now.
        """
        rows = self.read("select rowid, time from parts order by rowid limit ?", (most + 1,))
        old = list(takewhile(lambda row: row[1] < before, rows[:-1]))
        if old:
            last = (old[-1][0],)
            self.write("delete from marks where id in (select id from parts where rowid <= ?)", last)
            self.write("delete from parts where rowid <= ?", last)
        return len(old)

    def write(self, sql: str, values: tuple[Any, ...] = ()) -> int:
        """Change something beside what is recorded, in the station's thread; returns how many rows have changed.

        Raises:
            RefusedError: not now.
        """
        try:
            return self._db.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise _refused(error) from None

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Read in any thread, through a connection that nobody else uses meanwhile; a few are kept for the next.

        Raises:
            RefusedError: not now.
        """
        try:
            db = self._reader()
            try:
                with closing(db.execute(sql, values)) as found:
                    return list(found.fetchall())
            finally:
                if self._closed or len(self._readers) >= _KEPT:
                    db.close()
                else:
                    self._readers.append(db)
        except sqlite3.Error as error:
            raise _refused(error) from None

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            db = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
            db.execute("pragma query_only = on")
            return db

    def mark(self, part_id: str, mark: str) -> None:
        """Keep what a person says of a part, ``good`` or ``bad``, or ``""`` for nothing; in any thread.

        Raises:
            RefusedError: not now.
        """
        try:
            with closing(sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)) as db:
                if mark:
                    db.execute("insert or replace into marks(id, mark, time) values (?, ?, ?)", (part_id, mark, now()))
                else:
                    db.execute("delete from marks where id = ?", (part_id,))
        except sqlite3.Error as error:
            raise _refused(error) from None

    def marked(self) -> list[tuple[str, str]]:
        """Return what people have said: source and mark of each part, in the order of the parts."""
        rows = self.read("select source, mark from marks join parts using (id) order by parts.rowid")
        return [(source, mark) for source, mark in rows]

    def close(self) -> None:
        """Close the file and let it go."""
        with suppress(RefusedError):  # without these notes, files are read again
            if self._files:
                self.commit(())
        self._closed = True
        while self._readers:
            self._readers.pop().close()
        self._db.close()
        self._held.close()


def _refused(error: sqlite3.Error) -> RefusedError:
    text = first_line(error)
    code = getattr(error, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or "locked" in text:
        return RefusedError("database-locked", text)
    if code.startswith(("SQLITE_FULL", "SQLITE_IOERR")) or "full" in text:
        return RefusedError("disk-full", text)
    return RefusedError("database", text)
