"""What a PLC is told, and whether the rows say the same: ids that come again, files that are never whole, no time."""

import json
import socket
import sqlite3
import threading
from contextlib import suppress

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts, rows
from tests.line.test_sources import Running, ask
from tests.line.test_station import seen
from zsad.line.health import Health
from zsad.line.part import AgainError, failed
from zsad.line.settings import Trigger
from zsad.line.sources import trigger
from zsad.line.sources.asking import Desk, _Waiting

SOURCE = {"kind": "trigger", "port": 0, "root": "parts"}


def triggered(folder, **said):
    return line(folder, source=SOURCE | said)


def test_an_id_that_comes_again_for_another_part_is_reject_and_an_alarm(tmp_path):
    parts(tmp_path / "parts", 2)
    configured = triggered(tmp_path)
    with Running(configured) as station:
        assert station.source.listening.wait(20)
        first, again, other = ask(station.source.port, *({"part": "A1", "path": f"000{n}.png"} for n in (0, 0, 1)))
        assert [alarm.kind for alarm in station.health.alarms.standing] == ["id-reused"]
        with sqlite3.connect(configured.database) as db:
            db.execute("update parts set time = '2025-01-01T00:00:00.000Z' where id = 'A1'")
        (old,) = ask(station.source.port, {"part": "A1", "path": "0000.png"})
    assert first["verdict"] == again["verdict"] == "ok" and (first["known"], again["known"]) == (False, True)
    assert first["time"] == again["time"]
    for answer, says in ((other, "0000.png; give each part an id of its own"), (old, "more than 300 s ago")):
        assert answer["part"] == "A1" and answer["verdict"] == "unjudged" and answer["reject"] and not answer["known"]
        assert says in answer["error"]
    found = rows(configured.database)
    assert [row["verdict"] for row in found] == ["ok", "unjudged", "unjudged"] and found[0]["id"] == "A1"
    assert all(row["id"].startswith("A1@20") for row in found[1:])


def test_a_row_that_is_there_may_be_asked_for_as_long_as_is_set(tmp_path):
    parts(tmp_path / "parts", 1)
    with Running(triggered(tmp_path, repeat_s=0)) as station:
        assert station.source.listening.wait(20)
        asked = {"part": "A1", "path": "0000.png"}
        _, again = ask(station.source.port, asked, asked)
    assert again["reject"] and "repeat_s" in again["error"]


def test_a_file_that_is_never_whole_has_a_row(tmp_path, monkeypatch):
    def never(path, stamp):
        raise AgainError

    monkeypatch.setattr("zsad.line.sources.asking.read_whole", never)
    monkeypatch.setattr("zsad.line.sources.asking._TRIES", 3)
    parts(tmp_path / "parts", 1)
    configured = triggered(tmp_path)
    with Running(configured) as station:
        assert station.source.listening.wait(20)
        (answer,) = ask(station.source.port, {"part": "A1", "path": "0000.png"})
    (row,) = rows(configured.database)
    assert answer["reject"] and answer["error"] == row["error"] and row["error"].endswith("is still being written")


def test_who_waited_too_long_is_told_reject_and_so_says_the_row(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.line.sources.asking._ANSWER_S", 0.05)
    go = threading.Event()
    go.set()

    class Slow(BrightDetector):
        def batch(self, images, **more):
            assert go.wait(20)
            return super().batch(images, **more)

    parts(tmp_path / "parts", 1)
    configured = triggered(tmp_path)
    with Running(configured, Slow(thresholds=LIMITS)) as station:
        assert station.source.listening.wait(20)
        go.clear()
        (answer,) = ask(station.source.port, {"part": "A1", "path": "0000.png"})
        go.set()
        seen(lambda: station.health.total)
    assert answer["reject"] and answer["error"] == "not recorded in time"
    (row,) = rows(configured.database)
    assert (row["id"], row["verdict"], row["error"]) == ("A1", "unjudged", "not recorded in time")


def test_once_a_part_is_judged_its_record_is_waited_for():
    waiting = _Waiting()
    assert not waiting.answered() and not waiting.leave()
    waiting.done(failed("A1", "here", "disk-full"))
    waiting.done(None)
    assert waiting.record.error == "disk-full" and not waiting.leave()
    left = _Waiting()
    assert left.leave() and left.answered()


def test_more_refusals_than_can_be_kept_are_answered_and_are_an_alarm(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.line.sources.asking._PUT_OFF", 2)
    part(tmp_path, "a.png")
    room, stop, health, taken = threading.Event(), threading.Event(), Health({}), []

    def put(one, *, wait=True):
        if not wait or not room.wait(20):
            return False
        taken.append(one.open().id)
        return True

    desk = Desk(Trigger(tmp_path), True, put, stop, health)
    answers = [desk.answer(json.dumps({"part": f"P{n}", "path": "a.png"}).encode()) for n in range(9)]
    assert all(one["reject"] and "overload" in one["error"] for one in answers) and health.dropped == 9
    assert {alarm.kind for alarm in health.alarms.standing} == {"overload", "unrecorded"}
    room.set()
    desk.close()
    assert taken[:2] == ["P0", "P1"] and 2 <= len(taken) <= 3
    stop.set()


def test_who_takes_no_answers_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.line.sources.trigger._SEND_S", 0.1)
    port, stop = trigger.TcpTrigger(Trigger(tmp_path)), threading.Event()
    desk = Desk(Trigger(tmp_path), True, lambda part, **more: False, stop, Health({}))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        other, _ = server.accept()
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port._clients.acquire()
        thread = threading.Thread(target=port._serve, args=(other, desk, stop))
        thread.start()
        client.settimeout(10)
        with suppress(ConnectionError):
            for _ in range(100_000):
                client.sendall(b"nonsense\n" * 100)
        thread.join(10)
        assert not thread.is_alive() and other.fileno() == -1
    desk.close()


def test_who_is_gone_without_a_word_is_noticed_and_who_is_one_too_many_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.line.sources.trigger.CLIENTS", 1)
    (tmp_path / "parts").mkdir()
    options, keep_alive = [], trigger._keep_alive

    def kept(client):
        keep_alive(client)
        options.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    monkeypatch.setattr("zsad.line.sources.trigger._keep_alive", kept)
    with Running(triggered(tmp_path)) as station:
        assert station.source.listening.wait(20)
        with socket.create_connection(("127.0.0.1", station.source.port), 10):
            seen(lambda: options)
            with socket.create_connection(("127.0.0.1", station.source.port), 10) as second:
                answer = json.loads(second.makefile("rb").readline())
            assert [alarm.kind for alarm in station.health.alarms.standing] == ["connections"]
    assert options[0] and answer["reject"] and "1 connections are open" in answer["error"]


def test_an_alarm_that_comes_and_goes_ends_when_it_is_calm():
    health = Health({})
    health.alarms.rise("overload", "busy", calm_s=60)
    health.alarms.rise("drift", "higher")
    health.beat()
    assert len(health.alarms.standing) == 2
    health.alarms.rise("overload", "busy", calm_s=-1)
    health.beat()
    assert [alarm.kind for alarm in health.alarms.standing] == ["drift"]
