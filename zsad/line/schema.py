"""The tables of a station's SQLite file, and how it is opened for writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from zsad.errors import OccupiedError, OutputError, first_line
from zsad.outside import printable

WAIT_S = 2.0
"""Seconds for which another connection's lock is waited for."""
_APPLICATION, _VERSION = 0x7A736164, 1  # "zsad"
_SCHEMA = """
create table if not exists parts(
  id text primary key, source text, time text, score real, threshold real, verdict text, fired text,
  regions json, ms json, model_hash text, error text);
create index if not exists parts_time on parts(time);
create table if not exists outbox(
  seq integer primary key autoincrement, sink text, topic text, id text, payload text);
create index if not exists outbox_sink on outbox(sink, seq);
create table if not exists alarms(id integer primary key autoincrement, time text, kind text, text text, ended text);
create table if not exists counts(verdict text primary key, parts integer) without rowid;
create table if not exists files(path blob primary key, stamp text) without rowid;
create table if not exists marks(id text primary key, mark text, time text);
"""


def opened_file(path: Path) -> sqlite3.Connection:
    """Return a connection that writes to a station's file, which is made where it is not there.

    Raises:
        OccupiedError: a database that is not a station's.
        OutputError: it can't be used.
    """
    try:
        db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        try:
            found = db.execute("pragma application_id").fetchone()[0]
            tables = db.execute("select count(*) from sqlite_master").fetchone()[0]
            if found != _APPLICATION and tables:
                raise OccupiedError(f"{printable(path)}: a database that is not a station's; choose another database")
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = full")
            db.execute(f"pragma application_id = {_APPLICATION}")
            db.execute(f"pragma user_version = {_VERSION}")
            db.executescript(_SCHEMA)
            if db.execute("select 1 from counts").fetchone() is None:
                db.execute("insert into counts select verdict, count(*) from parts group by verdict")
        except BaseException:
            db.close()
            raise
    except sqlite3.DatabaseError as error:
        raise OutputError(
            f"{printable(path)}: can't be used as a station's database ({first_line(error)}); "
            "close what holds it, or choose another database"
        ) from None
    return db
