"""Parts under way when the detector is slow, hangs or fails: bounded, given up, and with an alarm."""

import threading
import time

import numpy as np
import pytest

from tests.fakes import BrightDetector
from tests.line.stations import LIMITS, line, part, parts, rows, run
from tests.line.test_sources import Running
from tests.line.test_station import seen
from zsad.line.lanes import Lanes
from zsad.line.part import Opened, Part
from zsad.line.sources.video import frame_part


class Hanging(BrightDetector):
    """Looks at nothing until it is let go."""

    def __init__(self, **options):
        super().__init__(**options)
        self.go, self.scored = threading.Event(), []

    def batch(self, images, **more):
        self.scored.append(1)
        assert self.go.wait(20)
        return super().batch(images, **more)


@pytest.fixture
def hanging():
    detector = Hanging(thresholds=LIMITS)
    yield detector
    detector.go.set()


def frame(n):
    return frame_part("belt.mp4", f"belt.mp4#{n}", np.zeros((24, 32, 3), np.uint8), time.monotonic() - 9)


def test_parts_that_are_given_up_keep_their_room_until_their_lane_is_free(hanging):
    lanes = Lanes(hanging, lambda part_id: False)
    most = 2 * lanes.lanes + 2
    assert [lanes.put(frame(n), wait=False) for n in range(most + 1)] == [True] * most + [False]
    late = [lanes.give_up(5.0) for _ in range(most)]
    assert all(one.error.startswith("late: ") for one in late) and lanes.busy == 0 and lanes.give_up(5.0) is None
    assert not lanes.put(frame(most), wait=False) and lanes._pool._work_queue.qsize() <= most
    hanging.go.set()
    assert lanes.put(frame(most)) and [one.part.id for one in lanes.finished(20)] == [f"belt.mp4#{most}"]
    assert len(hanging.scored) <= lanes.lanes + 1  # those that no lane had begun were not looked at
    lanes.close()


def test_a_part_in_time_or_without_a_name_is_not_given_up(hanging):
    lanes = Lanes(hanging, lambda part_id: False)
    unread = threading.Event()
    lanes.put(Part("a.png", lambda: (unread.wait(20), Opened("a.png|1|2", np.zeros((24, 32, 3), np.uint8)))[1], 0.0))
    assert lanes.give_up(5.0) is None
    unread.set()
    seen(lambda: hanging.scored)
    assert lanes.give_up(1e12) is None and lanes.give_up(5.0).opened.id == "a.png|1|2"
    lanes.close()


def test_a_hung_detector_is_kept_awake_once(hanging):
    lanes = Lanes(hanging, lambda part_id: False)
    for _ in range(9):
        lanes.keep_alive()
    assert lanes._pool._work_queue.qsize() <= 1
    seen(lambda: lanes.busy_for() > 0)
    hanging.go.set()
    seen(lambda: not lanes.busy_for())
    assert lanes.busy_for() == 0
    lanes.close()


def test_a_budget_below_the_time_of_a_part_piles_up_no_frames(tmp_path):
    av = pytest.importorskip("av")
    waiting = []

    class Slow(BrightDetector):
        def batch(self, images, **more):
            waiting.append(lanes[0]._pool._work_queue.qsize() if lanes else 0)
            time.sleep(0.02)
            return super().batch(images, **more)

    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for _ in range(60):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    lanes = []
    configured = line(tmp_path, source={"kind": "video", "path": "v.mp4"}, decision={"budget_ms": 5})
    with Running(configured, Slow(thresholds=LIMITS)) as station:
        lanes.append(station.lanes)
        seen(lambda: station.health.total == 60)
    assert [row["verdict"] for row in rows(configured.database)] == ["unjudged"] * 60
    assert max(waiting) <= 2 * station.lanes.lanes + 2


def test_a_folder_s_part_that_hangs_is_late_under_its_own_id(tmp_path, hanging):
    hanging.go.set()  # for the warm-up
    (tmp_path / "parts").mkdir()
    configured = line(tmp_path, decision={"budget_ms": 5})
    with Running(configured, hanging) as station:
        seen(lambda: hanging.scored and not station.lanes.busy_for())
        hanging.go.clear()
        path = part(tmp_path / "parts", "a.png")
        seen(lambda: station.health.total)
        (found,) = rows(configured.database)
        hanging.go.set()
    assert found["id"].startswith(f"{path}|") and len(found["id"].rpartition("|")[2]) == 32
    assert "late: " in found["error"] and rows(configured.database) == [found]


def test_a_hung_detector_is_an_alarm_and_stops_the_heartbeat_until_it_goes_on(tmp_path, monkeypatch, hanging):
    monkeypatch.setattr("zsad.line.watching.STALLED_S", 0.1)
    monkeypatch.setattr("zsad.line.health.ALIVE_S", 0.5)
    monkeypatch.setattr("zsad.line.station._TICK_S", 0.02)
    fed = []
    monkeypatch.setattr("zsad.line.station.notify", lambda state: fed.append(state))
    hanging.go.set()
    parts(tmp_path / "parts", 1)
    configured = line(tmp_path)
    with Running(configured, hanging) as station:
        seen(lambda: station.health.total == 1)
        hanging.go.clear()
        parts(tmp_path / "parts", 1, first=1)
        seen(lambda: station.health.alarms.standing and not station.health.alive)
        assert [alarm.kind for alarm in station.health.alarms.standing] == ["stalled"] and not station.health.alive
        before = len(fed)
        seen(lambda: len(rows(configured.database, "select 1 from alarms")), 5)
        assert len(fed) == before > 1
        hanging.go.set()
        seen(lambda: station.health.alive and station.health.total == 2 and len(fed) > before)
        assert station.health.alarms.standing == [] and len(fed) > before
    assert [row["verdict"] for row in rows(configured.database)] == ["ok", "ok"]
    assert rows(configured.database, "select kind, ended is null as stands from alarms") == [
        {"kind": "stalled", "stands": 0}
    ]


def test_a_detector_that_fails_again_and_again_is_an_alarm_that_ends_with_the_next_result(tmp_path):
    class Broken(BrightDetector):
        broken = True

        def __call__(self, image):
            if self.broken:
                raise RuntimeError("no memory on the device")
            return super().__call__(image)

    parts(tmp_path / "parts", 4)
    detector, torn = Broken(thresholds=LIMITS), tmp_path / "parts" / "torn.png"
    torn.write_bytes(b"no image")
    with Running(line(tmp_path), detector) as station:
        seen(lambda: station.health.total == 5)
        assert station.health.alarms.standing == []
        parts(tmp_path / "parts", 1, first=5)
        seen(lambda: station.health.alarms.standing)
        (alarm,) = station.health.alarms.standing
        assert alarm.kind == "detector" and "no memory on the device" in alarm.text
        detector.broken = Broken.broken = False
        parts(tmp_path / "parts", 1, first=6)
        seen(lambda: station.health.counts["ok"])
        assert station.health.alarms.standing == [] and station.health.counts["ok"] == 1


def test_torn_files_are_no_alarm_of_the_detector(tmp_path):
    (tmp_path / "parts").mkdir()
    for n in range(9):
        (tmp_path / "parts" / f"{n}.png").write_bytes(b"no image")
    configured = line(tmp_path)
    assert len(run(configured)) == 9 and rows(configured.database, "select kind from alarms") == []
