import json
import os
import socket
import sqlite3
import threading
import time

import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts, rows, run
from zsad.errors import UsageError
from zsad.line.opening import opened
from zsad.line.settings import Camera
from zsad.line.sources.camera import CameraFrames, with_login


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
            {"part": "A1", "path": "0000.png"},
            {"part": "A3", "path": "none.png"},
            {"part": "A4", "path": "../line.yaml"},
            {"part": "A5", "path": "link.png"},
            b"nonsense",
            {"part": "A\x1b6", "path": "0000.png"},
            {"part": "A7"},
        )
        found = rows(configured.database)
    told = [(one["part"], one["verdict"], one["reject"]) for one in answers]
    assert told[:3] == [("A1", "ok", False), ("A2", "reject", True), ("A1", "ok", False)]
    assert {one[1:] for one in told[3:]} == {("unjudged", True)}
    for answer, says in zip(answers[3:], ["no such file", "outside of root", "outside of root", "not valid JSON",
                                          "printable", "path is missing"], strict=True):  # fmt: skip
        assert says in answer["error"]
    assert [one["known"] for one in answers] == [False, False, True, *[False] * 6]
    assert answers[2]["time"] == answers[0]["time"]
    assert [row["id"] for row in found] == ["A1", "A2", "A3", "A4", "A5", "A7"] and found == rows(configured.database)
    assert [row["error"] for row in found[2:]] == [answers[n]["error"] for n in (3, 4, 5, 8)]


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
        assert [alarm.kind for alarm in station.health.alarms.standing] == ["overload"]
        dropped = station.health.dropped
    busy = [one for one in answers if one["error"]]
    assert dropped == len(busy)
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


def feed(first=10**6, pause=0.005):
    """A camera of the video reader that gives some frames and breaks; can't be connected once; then gives frames."""
    pytest.importorskip("av")
    from zsad.errors import InputError
    from zsad.video.feeds import Feed, Shot
    from zsad.video.frames import Frame

    connections = []

    def shots(stopped):
        connections.append(1)
        if len(connections) == 2 and first < 10**6:
            raise InputError("camera 0: can't be opened")
        for _ in range(first if len(connections) == 1 else 10**6):
            if stopped():
                return
            time.sleep(pause)
            yield Shot(None, 30.0, (32, 24), lambda i, t: Frame(i, t, lambda: np.full((24, 32, 3), 50, np.uint8)))
        raise InputError("camera 0: gives no more frames")

    return lambda: Feed("camera 0", "camera0", True, shots)


def test_a_camera_that_vanishes_comes_back_and_the_gap_is_a_row(tmp_path, monkeypatch):
    given = feed(first=3, pause=0.05)
    monkeypatch.setattr("zsad.video.camera._FIRST_WAIT", 0.05)
    source = CameraFrames(Camera("0"), given)
    configured = line(tmp_path, source={"kind": "folder", "path": "."})
    with Running(configured, source=source) as station:
        deadline = time.monotonic() + 20
        while station.health.counts["ok"] < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
    found = rows(configured.database)
    gaps = [row for row in found if row["error"] and "no frame for" in row["error"]]
    assert gaps and all(row["verdict"] == "unjudged" for row in gaps) and 1 <= found.index(gaps[0]) <= 3
    assert sum(row["verdict"] == "ok" for row in found) >= 8
    numbers = [int(row["id"].rpartition("#")[2]) for row in found if row["verdict"] == "ok"]
    assert numbers == sorted(set(numbers))
    assert "source" in {row["kind"] for row in rows(configured.database, "select kind from alarms")}


def test_a_camera_that_is_not_there_at_first_is_waited_for(tmp_path, monkeypatch):
    from zsad.errors import InputError

    given, tries = feed(), []

    def late():
        tries.append(1)
        if len(tries) < 3:
            raise InputError("camera 0: can't be opened")
        return given()

    monkeypatch.setattr("zsad.line.sources.camera._FIRST_S", 0.05)
    configured = line(tmp_path, source={"kind": "folder", "path": "."})
    with Running(configured, source=CameraFrames(Camera("0"), late)) as station:
        deadline = time.monotonic() + 20
        while station.health.counts["ok"] < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
    found = rows(configured.database)
    assert ["can't be opened" in (row["error"] or "") for row in found[:3]] == [True, True, False]
    assert sum(row["verdict"] == "ok" for row in found) >= 3


@pytest.mark.parametrize("every", [1, 3])
def test_frames_that_nobody_has_time_for_are_a_row(tmp_path, every):
    class Slow(BrightDetector):
        def batch(self, images, **more):
            time.sleep(0.08)
            return super().batch(images, **more)

    configured, given = line(tmp_path, source={"kind": "folder", "path": "."}), feed()
    with Running(configured, Slow(thresholds=LIMITS), source=CameraFrames(Camera("0", every), given)) as station:
        end = time.monotonic() + 20
        while station.health.dropped < 20 and time.monotonic() < end:
            time.sleep(0.02)
    found = rows(configured.database)
    counted = sum(int(row["error"].split()[1]) for row in found if "left out" in (row["error"] or ""))
    judged = [int(row["id"].rpartition("#")[2]) - 1 for row in found if row["verdict"] == "ok"]
    assert counted > 0 and judged
    if every == 1:  # each frame up to the last that was judged is a row of its own, or is counted in one
        before = sum(int(row["error"].split()[1]) for row in found[: max(n for n, row in enumerate(found)
                     if row["verdict"] == "ok")] if "left out" in (row["error"] or ""))  # fmt: skip
        assert before + len(judged) == judged[-1] + 1


def test_what_is_no_camera_is_one_line(tmp_path):
    pytest.importorskip("av")
    for address, says in (("belt.mp4", "a source of kind video"), ("file:///etc/passwd", "cameras are read by")):
        with pytest.raises(UsageError, match=says):
            CameraFrames(Camera(address)).check()


def test_logins_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("ZSAD_CAMERA_USER", "me")
    monkeypatch.setenv("ZSAD_CAMERA_PASSWORD", "a/b@c")
    assert with_login("rtsp://10.0.0.5:554/s?x=1") == "rtsp://me:a%2Fb%40c@10.0.0.5:554/s?x=1"


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
    assert run(configured) == found and rows(configured.database, "select kind from alarms") == []
    later = time.time() + 60
    os.utime(tmp_path / "v.mp4", (later, later))  # another video under the old name
    assert run(configured) == found
    (alarm,) = rows(configured.database, "select kind, text from alarms")
    assert alarm["kind"] == "id-reused" and "3 are known" in alarm["text"]
