import json
import socket
import sqlite3
import threading
import time

import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts, rows, run
from zsad.line.opening import opened
from zsad.line.settings import Camera
from zsad.line.sources.video import CameraFrames, _with_login


class Running:
    """A station in a thread of its own, stopped at the end of the block."""

    def __init__(self, configured, detector=None, more=(), source=None):
        self.configured, self.stop = configured, threading.Event()
        self.detector, self.more, self.source = detector or BrightDetector(thresholds=LIMITS), more, source

    def __enter__(self):
        self._open = opened(self.configured, detector=self.detector, more=self.more)
        self.station = self._open.__enter__()
        if self.source is not None:
            self.station.source = self.source
        self.thread = threading.Thread(target=self.station.run, args=(self.stop,))
        self.thread.start()
        return self.station

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join(20)
        self._open.__exit__(None, None, None)


def ask(port, *lines):
    with socket.create_connection(("127.0.0.1", port), 10) as client, client.makefile("rwb") as file:
        answers = []
        for text in lines:
            file.write((text if isinstance(text, bytes) else json.dumps(text).encode()) + b"\n")
            file.flush()
            answers.append(json.loads(file.readline()))
        return answers


def test_a_trigger_is_answered_when_its_part_is_recorded(tmp_path):
    parts(tmp_path / "parts", 2, bad=(1,))
    outside = part(tmp_path.parent, f"{tmp_path.name}-outside.png")
    (tmp_path / "parts" / "link.png").symlink_to(outside)
    configured = line(tmp_path, source={"kind": "trigger", "port": 0, "root": "parts"})
    with Running(configured) as station:
        assert station.source.listening.wait(20)
        answers = ask(
            station.source.port,
            {"part": "A1", "path": "0000.png"},
            {"part": "A2", "path": "0001.png"},
            {"part": "A1", "path": "0001.png"},
            {"part": "A3", "path": "none.png"},
            {"part": "A4", "path": "../line.yaml"},
            {"part": "A5", "path": "link.png"},
            b"nonsense",
            {"part": "A\x1b6", "path": "0000.png"},
            {"part": "A7"},
        )
        assert len(rows(configured.database)) == 3
    told = [(one["part"], one["verdict"], one["reject"]) for one in answers]
    assert told[:3] == [("A1", "ok", False), ("A2", "reject", True), ("A1", "ok", False)]
    assert {one[1:] for one in told[3:]} == {("unjudged", True)}
    for answer, says in zip(answers[3:], ["no such file", "outside of root", "outside of root", "not valid JSON",
                                          "printable", "path is missing"], strict=True):  # fmt: skip
        assert says in answer["error"]
    assert [row["id"] for row in rows(configured.database)] == ["A1", "A2", "A3"]


def test_a_trigger_that_finds_the_station_busy_is_answered_at_once_and_recorded(tmp_path):
    class Slow(BrightDetector):
        def batch(self, images, **more):
            time.sleep(0.15)
            return super().batch(images, **more)

    parts(tmp_path / "parts", 1)
    configured = line(tmp_path, source={"kind": "trigger", "port": 0, "root": "parts"})
    answers = []
    with Running(configured, Slow(thresholds=LIMITS)) as station:
        assert station.source.listening.wait(20)
        asked = [threading.Thread(target=lambda n=n: answers.extend(ask(station.source.port, {"part": f"P{n}",
                 "path": "0000.png"}))) for n in range(9)]  # fmt: skip
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join()
    busy = [one for one in answers if one["error"]]
    assert len(answers) == 9 and busy and all("overload" in one["error"] and one["reject"] for one in busy)
    assert len(rows(configured.database)) == 9


def test_while_the_database_is_locked_triggers_are_answered_with_reject(tmp_path):
    parts(tmp_path / "parts", 1)
    configured = line(tmp_path, source={"kind": "trigger", "port": 0, "root": "parts"})
    answers = []
    with Running(configured) as station:
        assert station.source.listening.wait(20)
        station.database._db.execute("pragma busy_timeout = 10")
        other = sqlite3.connect(configured.database, isolation_level=None)
        other.execute("begin immediate")

        def one(name):
            answers.extend(ask(station.source.port, {"part": name, "path": "0000.png"}))

        asked = [threading.Thread(target=one, args=(f"P{n}",)) for n in range(3)]
        for thread in asked:
            thread.start()
        for thread in asked:
            thread.join(20)
        assert len(answers) == 3 and rows(configured.database) == []
        other.execute("rollback")
        other.close()
    assert all(one["reject"] and "not recorded in time" in one["error"] for one in answers)
    found = rows(configured.database)
    assert {row["id"] for row in found} == {"P0", "P1", "P2"} and {row["verdict"] for row in found} == {"unjudged"}


class FakeCamera:
    """Gives some frames, then breaks; after that it gives frames for ever."""

    opened = 0

    def __init__(self, first=3):
        type(self).opened += 1
        if type(self).opened == 2:
            raise ConnectionError("can't be opened")
        self.left = first if type(self).opened == 1 else 10**6

    def read(self):
        time.sleep(0.005)
        self.left -= 1
        return self.left >= 0, np.full((24, 32, 3), 50, np.uint8)

    def release(self):
        pass


def test_a_camera_that_vanishes_comes_back_and_the_gap_is_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.line.sources.video._FIRST_S", 0.05)
    FakeCamera.opened = 0
    source = CameraFrames(Camera("0"), FakeCamera)
    configured = line(tmp_path, source={"kind": "folder", "path": "."})
    with Running(configured, source=source) as station:
        deadline = time.monotonic() + 20
        while station.health.counts["ok"] < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
    found = rows(configured.database)
    gaps = [row for row in found if row["error"] and "no frame for" in row["error"]]
    assert gaps and all(row["verdict"] == "unjudged" for row in gaps) and found.index(gaps[0]) == 3
    assert sum(row["verdict"] == "ok" for row in found) >= 8
    assert "source" in {row["kind"] for row in rows(configured.database, "select kind from alarms")}


def test_frames_that_nobody_has_time_for_are_a_row(tmp_path):
    class Slow(BrightDetector):
        def batch(self, images, **more):
            time.sleep(0.08)
            return super().batch(images, **more)

    FakeCamera.opened = 2
    configured = line(tmp_path, source={"kind": "folder", "path": "."})
    with Running(configured, Slow(thresholds=LIMITS), source=CameraFrames(Camera("0"), FakeCamera)) as station:
        time.sleep(0.8)
        assert station.health.dropped > 0
    found = rows(configured.database)
    counted = sum(int(row["error"].split()[1]) for row in found if "left out" in (row["error"] or ""))
    assert counted > 0 and any(row["verdict"] == "ok" for row in found)


def test_logins_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("ZSAD_CAMERA_USER", "me")
    monkeypatch.setenv("ZSAD_CAMERA_PASSWORD", "a/b@c")
    assert _with_login("rtsp://10.0.0.5:554/s?x=1") == "rtsp://me:a%2Fb%40c@10.0.0.5:554/s?x=1"


def test_a_video_file(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for n in range(6):
            image = np.full((48, 64, 3), 20 + 10 * n, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    configured = line(tmp_path, source={"kind": "video", "path": "v.mp4", "every": 2})
    found = run(configured)
    assert [row["id"] for row in found] == [f"{tmp_path / 'v.mp4'}#{n}" for n in (0, 2, 4)]
    assert run(configured) == found
