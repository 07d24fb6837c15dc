import os
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, parts, rows, run
from zsad.errors import ConfigError, InUseError, OccupiedError, OutputError
from zsad.line.database import COLUMNS, Database, Message, RefusedError
from zsad.line.health import Alarm
from zsad.line.opening import opened
from zsad.line.part import Record, failed


def record(name, verdict="ok"):
    return Record(name, "here", "2026-11-30T10:00:00.000Z", 0.5, 0.8, verdict, "score", ({"box": [0, 0, 1, 1]},),
                  {"total": 3.5}, "0f", "")  # fmt: skip


@pytest.fixture
def database(tmp_path):
    found = Database(tmp_path / "s.sqlite")
    yield found
    found.close()


def test_the_table_is_as_documented(database):
    columns = database.read("select name, type, pk from pragma_table_info('parts')")
    assert [name for name, _, _ in columns] == list(COLUMNS) and columns[0][1:] == ("TEXT", 1)
    assert database._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert database._db.execute("pragma synchronous").fetchone() == (2,)


def test_a_part_is_recorded_once_and_told_once(database):
    told = [Message("mqtt", "parts", name, "{}") for name in "aab"]
    assert database.commit([record("a"), record("a", "reject"), record("b")], told[1:]) == [True, False, True]
    assert database.commit([record("a", "reject")], told[:1]) == [False]
    assert [found.id for found in database.last(9)] == ["b", "a"]
    assert database.record("a") == record("a") and database.record("c") is None and database.knows("b")
    waiting = database.waiting("mqtt", 0)
    assert [message.id for message in waiting] == ["a", "b"]
    database.delivered(waiting[:1])
    assert database.settling
    database.commit([])
    assert [m.id for m in database.waiting("mqtt", 0)] == ["b"] and database.backlog() == {"mqtt": 1}


def test_rows_of_a_period_and_rows_after_one(database):
    database.commit([record("a"), failed("b", "here", "torn"), record("c", "reject")])
    assert [r.id for r in database.after("a")] == ["b", "c"] and len(database.after(None)) == 3
    assert len(list(database.between("2026-11-30T10:00:00.000Z", "2026-11-30T10:00:01"))) >= 2
    assert database.counts() == {"ok": 1, "reject": 1, "unjudged": 1}


def test_alarms_are_kept(database):
    database.commit([], [], [Alarm("drift", "higher", "t1"), Alarm("drift", "higher", "t2", ended=True)])
    assert database.read("select kind, time, ended from alarms") == [("drift", "t1", "t2")]


def test_a_full_disk_and_a_locked_file_record_nothing(database):
    database._db.execute("pragma max_page_count = 12")
    with pytest.raises(RefusedError) as caught:
        for n in range(200):
            database.commit([record(f"{n}" * 100)])
    assert caught.value.kind == "disk-full"
    database._db.execute("pragma max_page_count = 100000")
    before = database.counts()
    database._db.execute("pragma busy_timeout = 20")
    with sqlite3.connect(database.path, isolation_level=None) as other:
        other.execute("begin immediate")
        with pytest.raises(RefusedError) as caught:
            database.commit([record("new")])
        assert caught.value.kind == "database-locked"
        other.execute("rollback")
    assert database.counts() == before and database.commit([record("new")]) == [True]
    assert rows(database.path, "pragma integrity_check") == [{"integrity_check": "ok"}]


def test_threads_that_come_and_go_leave_no_connection_open(database):
    open_files = Path("/proc/self/fd")
    if not open_files.is_dir():
        pytest.skip("this system does not show its open files")
    database.commit([record("a")])
    together, found = threading.Barrier(4), []

    def look():
        together.wait()
        found.append(database.knows("a"))

    for _ in range(20):
        threads = [threading.Thread(target=look) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 80
    assert sum(os.path.realpath(one).startswith(str(database.path)) for one in open_files.iterdir()) < 30


def test_only_a_station_s_file_and_only_one_station(tmp_path, database):
    with pytest.raises(InUseError):
        Database(database.path)
    foreign = tmp_path / "foreign.sqlite"
    with sqlite3.connect(foreign) as db:
        db.execute("create table mine(a)")
    with pytest.raises(OccupiedError, match="not a station's"):
        Database(foreign)
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to have a head of its own" * 9)
    with pytest.raises(OutputError, match="can't be used"):
        Database(tmp_path / "text.sqlite")
    with pytest.raises(OccupiedError, match="is a folder"):
        Database(tmp_path)


def test_entries_of_a_sink_that_is_gone_stay_until_they_are_dropped(tmp_path):
    first = Database(tmp_path / "station.sqlite")
    first.commit([record("a")], [Message(sink, "parts", "a", "{}") for sink in ("mqtt", "webhook")])
    first.commit([], [], [Alarm("drift", "higher", "t1")])
    first.close()
    (tmp_path / "parts").mkdir()
    for _ in range(2):
        with opened(line(tmp_path), detector=BrightDetector(thresholds=LIMITS)) as station:
            assert [one.kind for one in station.health.alarms.standing] == ["outbox-mqtt", "outbox-webhook"]
            assert "line.yaml --forget mqtt" in station.health.alarms.standing[0].text
            assert [(one.kind, one.ended) for one in station.health.alarms.news()][:1] == [("drift", True)]
    with opened(line(tmp_path), detector=BrightDetector(thresholds=LIMITS), forget=["mqtt"]) as station:
        assert station.database.backlog() == {"webhook": 1}
        station._settle()
    assert rows(tmp_path / "station.sqlite", "select 1 from alarms where ended is null and kind = 'drift'") == []


def test_counts_are_kept_and_made_of_the_rows_of_an_older_file(database):
    database.commit([record("a"), record("a"), record("b", "reject")])
    database.commit([record("a"), record("c")])
    assert database.counts() == {"ok": 2, "reject": 1, "unjudged": 0}
    path = database.path
    database._db.execute("drop table counts")
    database.close()
    again = Database(path)
    assert again.counts() == {"ok": 2, "reject": 1, "unjudged": 0}
    plan = again.read("explain query plan select verdict, parts from counts")
    assert "parts" not in plan[0][3].replace("counts", "")
    again.close()


def test_the_oldest_rows_are_forgotten_and_no_row_is_told_again(database):
    old, new = "2026-01-01T00:00:00.000Z", "2026-11-30T10:00:00.000Z"
    database.commit([replace(record(name), time=old if name in "abcf" else new) for name in "abcdef"])
    database.mark("a", "bad")
    assert database.forget("2026-06-01", most=2) == 2 and [one.id for one in database.after("b")] == list("cdef")
    assert database.forget("2026-06-01") == 1 and database.forget("2026-06-01") == 0
    assert database.forget("2027") == 2 and database.forget("2027") == 0  # the last one stays
    assert [one.id for one in database.after(None)] == ["f"] and database.marked() == []
    assert database.counts()["ok"] == 6


def test_a_station_forgets_rows_that_are_older_than_it_keeps(tmp_path):
    parts(tmp_path / "parts", 2)
    source = {"kind": "folder", "path": "parts", "settle_ms": 0, "poll_ms": 5, "after": "delete"}
    configured = line(tmp_path, source=source, keep_days=30)
    first = Database(configured.database)
    first.commit([replace(record(name), time="2020-01-01T00:00:00.000Z") for name in "ab"])
    first.close()
    run(configured)
    assert [row["id"] for row in rows(configured.database) if row["id"] in "ab"] == []
    with pytest.raises(ConfigError, match="would forget parts whose files are still there"):
        line(tmp_path, keep_days=30)
