import json
import os
import sqlite3
import threading
import time

import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts, rows, run
from zsad.errors import OutputError
from zsad.line.opening import opened
from zsad.line.part import Opened, Part
from zsad.line.sinks.sink import Display
from zsad.types import Thresholds


class Shown(Display):
    """Remembers what it was shown."""

    name = "shown"

    def __init__(self):
        self.parts, self.kinds = [], set()

    def show(self, record, reject, seen):
        self.parts.append((record.verdict, reject, record.error))

    def tick(self, health):
        self.kinds |= {alarm.kind for alarm in health.alarms.standing}


def seen(test, seconds=20):
    """Wait until something has come about; what follows then fails if it has not."""
    end = time.monotonic() + seconds
    while not test() and time.monotonic() < end:
        time.sleep(0.02)


def test_each_file_is_a_row_and_a_second_run_adds_none(tmp_path):
    parts(tmp_path / "parts", 6, bad=(2, 4))
    (tmp_path / "parts" / "torn.png").write_bytes(part(tmp_path, "a.png").read_bytes()[:60])
    (tmp_path / "parts" / "empty.png").write_bytes(b"")
    found = run(line(tmp_path))
    assert [row["verdict"] for row in found] == ["ok", "ok", "reject", "ok", "reject", "ok", "unjudged", "unjudged"]
    assert found[2]["fired"] == "score" and found[2]["threshold"] == 0.8 and found[2]["score"] == 0.980392
    assert all(row["error"].startswith(row["source"]) for row in found[6:]) and not found[0]["error"]
    assert run(line(tmp_path)) == found
    part(tmp_path / "parts", "0000.png", 250)
    assert len(run(line(tmp_path))) == 9


def test_without_thresholds_parts_are_unjudged_and_go_out_as_reject(tmp_path):
    parts(tmp_path / "parts", 2)
    shown = Shown()
    assert {row["verdict"] for row in run(line(tmp_path), limits=Thresholds(), more=[shown])} == {"unjudged"}
    assert shown.parts == [("unjudged", True, "")] * 2 and "no-thresholds" in shown.kinds
    assert rows(tmp_path / "station.sqlite", "select kind from alarms") == [{"kind": "no-thresholds"}]
    parts(tmp_path / "parts", 1, first=5)
    shown = Shown()
    run(line(tmp_path, decision={"unjudged": "ok"}), limits=Thresholds(), more=[shown])
    assert shown.parts == [("unjudged", False, "")]


def test_lines_follow_the_rows_after_a_stop_in_between(tmp_path):
    parts(tmp_path / "parts", 5, bad=(1,))
    sinks = [{"kind": "jsonl", "path": "out/parts.jsonl"}, {"kind": "csv", "path": "out/parts.csv"}]
    run(line(tmp_path, sinks=sinks))
    whole, table = (tmp_path / "out" / "parts.jsonl").read_bytes(), (tmp_path / "out" / "parts.csv").read_bytes()
    assert [json.loads(text)["verdict"] for text in whole.splitlines()] == ["ok", "reject", "ok", "ok", "ok"]
    assert table.startswith(b"id,source,time,score,threshold,verdict,fired,regions,ms,model_hash,error\r\n")
    (tmp_path / "out" / "parts.jsonl").write_bytes(whole[:-200])  # a kill, or a loss of power
    (tmp_path / "out" / "parts.csv").write_bytes(table[:-150])
    run(line(tmp_path, sinks=sinks))
    assert (tmp_path / "out" / "parts.jsonl").read_bytes() == whole
    assert (tmp_path / "out" / "parts.csv").read_bytes() == table
    (tmp_path / "out" / "parts.jsonl").write_text("mine\n")
    with pytest.raises(OutputError, match="not written by zsad"):
        run(line(tmp_path, sinks=sinks))
    assert (tmp_path / "out" / "parts.jsonl").read_text() == "mine\n"


def test_a_late_part_is_unjudged(tmp_path):
    class Slow(BrightDetector):
        def batch(self, images, **more):
            time.sleep(0.03)
            return super().batch(images, **more)

    parts(tmp_path / "parts", 2)
    found = run(line(tmp_path, decision={"budget_ms": 5}), detector=Slow(thresholds=LIMITS))
    assert [row["verdict"] for row in found] == ["unjudged"] * 2 and all("late: " in row["error"] for row in found)
    assert found[0]["score"] is not None


def test_a_detector_that_fails_is_the_part_s_failure(tmp_path):
    class Broken(BrightDetector):
        def __call__(self, image):
            raise RuntimeError("no memory on the device\nand more")

    parts(tmp_path / "parts", 2)
    found = run(line(tmp_path), detector=Broken(thresholds=LIMITS))
    assert all("unexpected RuntimeError: no memory on the device" in row["error"] for row in found)


def test_a_full_disk_shows_reject_and_loses_nothing(tmp_path):
    parts(tmp_path / "parts", 60)
    shown, configured = Shown(), line(tmp_path)
    with opened(configured, once=True, detector=BrightDetector(thresholds=LIMITS), more=[shown]) as station:
        pages = station.database.read("pragma page_count")[0][0]
        station.database._db.execute(f"pragma max_page_count = {pages}")

        def free():
            seen(lambda: any(error for _, _, error in shown.parts))
            station.database._db.execute("pragma max_page_count = 1000000")

        thread = threading.Thread(target=free)
        thread.start()
        station.run(threading.Event())
        thread.join()
        assert station.health.alarms.standing == []
    assert ("unjudged", True, "not recorded in time: disk-full") in shown.parts
    assert {row["verdict"] for row in rows(configured.database)} == {"ok"} and len(rows(configured.database)) == 60
    assert "disk-full" in {row["kind"] for row in rows(configured.database, "select kind from alarms")}


def test_a_locked_database_is_waited_for(tmp_path):
    parts(tmp_path / "parts", 4)
    configured = line(tmp_path)
    with opened(configured, once=True, detector=BrightDetector(thresholds=LIMITS)) as station:
        station.database._db.execute("pragma busy_timeout = 10")
        other = sqlite3.connect(configured.database, isolation_level=None, check_same_thread=False)
        other.execute("begin immediate")

        def unlock():
            seen(lambda: station.health.alarms.standing)
            other.execute("rollback")

        thread = threading.Thread(target=unlock)
        thread.start()
        station.run(threading.Event())
        thread.join()
    other.close()
    assert len(rows(configured.database)) == 4
    assert rows(configured.database, "select kind, ended is null as stands from alarms") == [
        {"kind": "database-locked", "stands": 0}
    ]


@pytest.mark.parametrize("rule", ["go_on", "stop"])
def test_a_model_that_is_exchanged(tmp_path, rule):
    parts(tmp_path / "parts", 2)
    model = tmp_path / "m.onnx"
    model.write_bytes(b"one")
    configured = line(tmp_path, model="m.onnx", decision={"model_changed": rule})
    stop = threading.Event()
    with opened(configured, detector=BrightDetector(thresholds=LIMITS)) as station:

        def exchange():
            seen(lambda: len(rows(configured.database)) == 2)
            model.write_bytes(b"another")
            if rule == "go_on":
                seen(lambda: station.health.alarms.standing)
                stop.set()

        thread = threading.Thread(target=exchange)
        thread.start()
        if rule == "go_on":
            station.run(stop)
            assert [alarm.kind for alarm in station.health.alarms.standing] == ["model-changed"]
        else:
            with pytest.raises(OutputError, match="exchanged; start the station again"):
                station.run(stop)
        thread.join()
    assert len(rows(configured.database)) == 2


def test_frames_are_parts_by_source_and_name(tmp_path):
    for name in ("f9.png", "f10.png", "f2.png"):
        part(tmp_path / "seq", name)
    configured = line(tmp_path, source={"kind": "frames", "path": "seq"})
    found = run(configured)
    assert [row["id"] for row in found] == [f"{tmp_path / 'seq'}#{name}" for name in ("f2.png", "f9.png", "f10.png")]
    assert run(configured) == found and rows(configured.database, "select kind from alarms") == []
    later = time.time() + 60
    os.utime(tmp_path / "seq" / "f9.png", (later, later))
    assert run(configured) == found
    (alarm,) = rows(configured.database, "select kind, text from alarms")
    assert alarm["kind"] == "id-reused" and "1 are known" in alarm["text"]


def test_the_same_id_twice_at_once_is_judged_and_told_once(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSAD_WEBHOOK_SECRET", "shh")
    monkeypatch.setattr("zsad.line.telling._ONCE_S", 0.1)
    configured = line(
        tmp_path, source={"kind": "folder", "path": "."}, sinks=[{"kind": "webhook", "url": "http://127.0.0.1:1/"}]
    )
    told, judged = [], []

    class Twice:
        place, overload = "here", ""

        def run(self, put, stop, health):
            for n in range(3):
                image = np.full((24, 32, 3), 250 if n == 1 else 10, np.uint8)
                put(Part("here", lambda image=image: Opened("A1", image), time.monotonic(),
                         lambda record, known=False: told.append((record.verdict, known)), "A1"))  # fmt: skip

    with opened(configured, once=True, detector=BrightDetector(thresholds=LIMITS)) as station:
        station.source = Twice()
        station.lanes._knows = lambda part_id: False  # as a lane sees it that looks before the first is recorded
        judge = station.judge.judge
        station.judge.judge = lambda result: judged.append(1) or judge(result)
        station.run(threading.Event())
    assert sorted(told) == [("ok", False), ("ok", True), ("ok", True)] and len(judged) == 1
    assert [row["id"] for row in rows(configured.database)] == ["A1"]
    assert len(rows(configured.database, "select 1 from outbox where topic = 'parts'")) == 1


def test_a_thousand_parts_while_they_arrive(tmp_path):
    """Parts arrive while the station runs, some twice, some replaced: each content of each path is one row."""
    target = tmp_path / "parts"
    target.mkdir()
    stop = threading.Event()

    def arrive():
        source = part(tmp_path, "x.png").read_bytes()
        for n in range(1000):
            hidden = target / f".{n:04d}.part"
            hidden.write_bytes(source)
            hidden.rename(target / f"{n:04d}.png")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(rows(tmp_path / "station.sqlite", "select 1 from parts")) < 1000:
            time.sleep(0.05)
        stop.set()

    with opened(line(tmp_path), detector=BrightDetector(thresholds=LIMITS)) as station:
        thread = threading.Thread(target=arrive)
        thread.start()
        station.run(stop)
        thread.join()
        assert station.health.total == 1000 and set(station.health.latency()) == {"p50", "p95", "p99"}
    assert rows(tmp_path / "station.sqlite", "select count(*) as n, count(distinct id) as ids from parts") == [
        {"n": 1000, "ids": 1000}
    ]


def test_images_are_archived(tmp_path):
    parts(tmp_path / "parts", 3, bad=(1,))
    run(line(tmp_path, sinks=[{"kind": "archive", "path": "kept", "keep": "reject", "overlays": True}]))
    kept = sorted(path.name.split("-", 1)[1] for path in (tmp_path / "kept").rglob("*.png"))
    assert len(kept) == 2 and all(name.startswith("reject-") for name in kept) and kept[0].endswith("-overlay.png")
