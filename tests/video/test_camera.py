"""Live sources: read in order, connected again, never far behind; a camera of this machine made of a local server."""

from __future__ import annotations

import io
import sys
import time
from itertools import islice, pairwise
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from tests.video.clips import cut, number, picture, write_clip, write_folder
from tests.video.servers import StreamServer
from zsad.errors import InputError, UsageError
from zsad.video import camera as camera_module
from zsad.video import feeds
from zsad.video.camera import Camera
from zsad.video.feeds import Feed, Shot, feed_of, without_password
from zsad.video.frames import Frame

SECONDS = 0.8


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(camera_module, "_FIRST_WAIT", 0.05)


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("stream") / "a.ts", 50, gop=5)


def shots(count, *, pause=0.0, rate=25.0, size=(64, 48), timed=True, held=None):
    """Yield numbered shots, as a source would."""

    def feed(stopped):
        for index in range(count):
            if stopped():
                return
            time.sleep(pause)
            yield Shot(
                index / rate if timed else None, rate, size, lambda i, t, n=index: Frame(i, t, lambda: picture(n))
            )
        if held is not None:
            while not held() and not stopped():
                time.sleep(0.01)

    return feed


def test_what_a_source_is_is_told_from_how_it_is_written(tmp_path):
    clip = write_clip(tmp_path / "hall.mp4", 2)
    found = [feed_of(source) for source in ("0", "-", clip, "rtsp://admin:pass@10.0.0.5:554/ch1?key=2")]
    assert [(feed.shown, feed.name, feed.endless) for feed in found] == [
        ("camera 0", "camera0", True), ("standard input", "pipe", False), (str(clip), "hall", False),
        ("rtsp://10.0.0.5:554/ch1", "10.0.0.5_554_ch1", True),
    ]  # fmt: skip
    assert without_password("http://u:p@h/x") == "http://h/x"
    with pytest.raises(InputError, match=r"nope\.mp4: no such file"):
        feed_of("nope.mp4")
    with pytest.raises(UsageError, match="file:///etc/passwd: cameras are read by rtsp"):
        feed_of("file:///etc/passwd")


def test_a_camera_that_is_killed_and_restored_goes_on(stream):
    said = []
    server = StreamServer(stream, SECONDS)
    with Camera(server.url, waiting=1000, say=said.append) as camera:
        frames = camera.frames()
        first = [number(frame.image) for frame in islice(frames, 20)]
        assert first == list(range(first[0], first[0] + 20))
        server.kill()
        time.sleep(0.1)
        server = StreamServer(stream, SECONDS, port=server.port)
        rest = list(islice(frames, 45))
        server.kill()
        assert camera.connections >= 2
        assert number(rest[-1].image) < 49
        indices = [frame.index for frame in rest]
        assert indices == list(range(20, 65)), "counted on"
        times = [frame.timestamp for frame in rest]
        assert all(a < b for a, b in pairwise(times))
        assert any("connecting again in 0.05 s" in line for line in said)
        assert any("is back, after" in line for line in said)


def test_who_is_slow_gets_the_newest_frames_and_the_rest_is_counted():
    with Camera(Feed("fast", "fast", True, shots(10_000, pause=0.002)), waiting=2) as camera:
        got = []
        for frame in camera.frames():
            time.sleep(0.03)  # fifteen times as slow
            got.append((frame.index, camera.age(frame.index)))
            if len(got) == 20:
                break
        assert max(age for _, age in got) < 0.5
        indices = [index for index, _ in got]
        assert indices == sorted(set(indices)) and indices[-1] > 40
        assert camera.received - 3 <= camera.dropped + len(got) <= camera.received
    given = [frame.index for frame in Camera(Feed("a", "a", False, shots(30, pause=0.005)), waiting=100).frames(4)]
    assert given == [0, 4, 8, 12, 16, 20, 24, 28]


def test_a_source_that_stays_away_is_an_error_when_it_is_given_up(stream):
    server = StreamServer(stream, 0.1)
    said = []
    with Camera(server.url, give_up=0.4, waiting=1000, say=said.append) as camera:
        server.kill()
        with pytest.raises(InputError, match=r"127.0.0.1:\d+/live: the camera has vanished, no frame for \d+ s"):
            list(camera.frames())
    assert any("can't be connected to" in line for line in said)


def test_what_can_t_be_connected_to_at_first_is_one_line_without_the_password(stream):
    server = StreamServer(stream, 0.1)
    server.kill()
    with pytest.raises(InputError, match=rf"^http://127.0.0.1:{server.port}/x: can't be connected to") as caught:
        Camera(f"http://user:secret@127.0.0.1:{server.port}/x")
    assert "secret" not in str(caught.value)


def test_a_file_is_played_at_its_own_speed_and_ends(tmp_path):
    begin = time.monotonic()
    with Camera(write_clip(tmp_path / "a.mp4", 26), waiting=100) as camera:
        frames = list(camera.frames())
    assert 0.9 < time.monotonic() - begin < 5
    assert [number(frame.image) for frame in frames] == [frame.index for frame in frames] == list(range(26))
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 25 for i in range(26)], abs=0.06)
    assert (camera.width, camera.height, camera.fps, camera.fault) == (64, 48, 25.0, "")
    with Camera(write_folder(tmp_path / "frames", 3), waiting=100) as camera:
        assert len(list(camera.frames())) == 3


def test_a_file_that_is_cut_off_says_so_at_its_end(tmp_path):
    path = cut(write_clip(tmp_path / "a.mkv", 20, gop=2), 0.7)
    with Camera(path, waiting=100) as camera:
        frames = list(camera.frames())
    assert 0 < len(frames) < 20
    assert "cut off" in camera.fault


def test_a_pipe_is_read_to_its_end(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stream.read_bytes())))
    with Camera("-", waiting=1000) as camera:
        assert [number(frame.image) for frame in camera.frames()] == list(range(50))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"no video at all" * 100)))
    with pytest.raises(InputError, match="standard input: can't be connected to"):
        Camera("-")


def test_a_camera_of_this_machine_is_read_through_opencv(monkeypatch):
    class Capture:
        def __init__(self, index):
            self.left = 3 if index == 1 else 0

        def isOpened(self):  # noqa: N802
            return self.left > 0

        def get(self, what):
            return 30.0

        def read(self):
            self.left -= 1
            bgr = np.zeros((48, 64, 3), np.uint8)
            bgr[..., 2] = 200
            return self.left >= 0, bgr

        def release(self):
            pass

    monkeypatch.setattr(feeds, "opencv", lambda: SimpleNamespace(VideoCapture=Capture, CAP_PROP_FPS=5))
    with Camera("1", waiting=10) as camera:
        frame = next(camera.frames())
        assert frame.array[0, 0].tolist() == [200, 0, 0], "RGB"
        assert camera.fps == 30.0
    with pytest.raises(InputError, match="camera 0: can't be opened"):
        Camera("0")


def test_frames_of_another_size_end_it():
    turns = iter([shots(3), shots(3, size=(128, 96))])
    feed = Feed("cam", "cam", True, lambda stopped: next(turns)(stopped))
    with Camera(feed, waiting=100) as camera:
        assert len(list(camera.frames())) == 3
    assert "cam: its frames have 128 x 96 pixels where it had 64 x 48" in camera.fault


def test_bursts_and_breaks_do_not_bend_the_time():
    burst = Feed("cam", "cam", False, shots(20))  # all at once, as a camera sends what it has gathered
    with Camera(burst, waiting=100) as camera:
        times = [frame.timestamp for frame in camera.frames()]
    assert np.diff(times) == pytest.approx(np.full(19, 0.04), abs=1e-6)
    undated = Feed("cam", "cam", False, shots(20, timed=False))
    with Camera(undated, waiting=100) as camera:
        times = [frame.timestamp for frame in camera.frames()]
    assert (np.diff(times) >= 0.2 / 25 - 1e-9).all(), "no speed of a frame is divided by nothing"


def test_stopping_ends_the_frames_soon():
    camera = Camera(Feed("cam", "cam", True, shots(3, held=lambda: False)), waiting=10)
    frames = camera.frames()
    assert len(list(islice(frames, 3))) == 3
    camera.stop()
    begin = time.monotonic()
    assert list(frames) == []
    camera.close()
    assert time.monotonic() - begin < 1.5
    assert not camera._thread.is_alive()


def test_a_server_that_has_just_begun_may_close_before_its_first_frame():
    turns = iter([shots(0), shots(0), shots(5, held=lambda: False)])
    with Camera(Feed("cam", "cam", True, lambda stopped: next(turns)(stopped)), waiting=10) as camera:
        assert (camera.connections, camera.width) == (3, 64)
    with pytest.raises(InputError, match="cam: not one frame came"):
        Camera(Feed("cam", "cam", True, shots(0)))
