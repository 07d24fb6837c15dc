"""Every frame once, in order, at its time, upright: told from numbers in the pixels, for each way a video comes."""

from __future__ import annotations

import shutil
import subprocess
import threading
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from tests.fakes import BrightDetector
from tests.video.clips import CODECS, HEIGHT, WIDTH, number, picture, write_clip, write_folder
from zsad.errors import InputError, UsageError
from zsad.stream import inspect
from zsad.video.frames import Clock
from zsad.video.source import frame_items, open_video, read_ahead, video_name

TURNS = pytest.mark.skipif(
    not hasattr(__import__("av").video.stream.VideoStream, "set_display_rotation"), reason="this PyAV can't write it"
)


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 30)


def numbers(video, **how):
    """Return what the pixels say, after a check that indices and times ascend."""
    frames = list(video.frames(**how))
    assert all(a.index < b.index and a.timestamp <= b.timestamp for a, b in pairwise(frames))
    return [number(frame.image) for frame in frames], frames


@pytest.mark.parametrize("suffix", CODECS)
def test_each_container_gives_every_frame_once_in_order_at_its_time(tmp_path, suffix):
    video = open_video(write_clip(tmp_path / f"a{suffix}"))
    seen, frames = numbers(video)
    assert seen == [frame.index for frame in frames] == list(range(30))
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 25 for i in range(30)], abs=0.011)
    assert (video.width, video.height, video.read, video.fault) == (WIDTH, HEIGHT, 30, "")
    assert video.kind == ("gif" if suffix == ".gif" else "container")
    assert video.fps == pytest.approx(25, rel=0.01)
    assert video.n_frames in ((None,) if suffix == ".mpg" else (30,))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_frames_that_need_later_ones_come_in_the_order_in_which_they_are_shown(tmp_path, suffix):
    import av

    path = write_clip(tmp_path / f"b{suffix}", 31, b_frames=2, codec="mpeg4")
    with av.open(str(path)) as container:
        stored = [packet.dts != packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    seen, frames = numbers(open_video(path))
    assert seen == list(range(31)), "none is lost at the end, either"
    assert [frame.timestamp for frame in frames] == pytest.approx([i / 25 for i in range(31)], abs=0.002)
    assert any(stored) or suffix == ".avi"  # AVI has no times of its own


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_keeps_its_times(tmp_path, suffix):
    times = [0, 40, 200, 240, 1000, 1001, 1500]
    _, frames = numbers(open_video(write_clip(tmp_path / f"v{suffix}", len(times), times=times)))
    assert [frame.timestamp for frame in frames] == pytest.approx([t / 1000 for t in times], abs=0.001)


@TURNS
@pytest.mark.parametrize("rotation", [90, -90, 180])
def test_a_turned_recording_is_upright(tmp_path, rotation):
    def marked(index, frame):
        frame[-16:, -16:] = (255, 0, 0)

    video = open_video(write_clip(tmp_path / "r.mp4", 3, rotation=rotation, draw=marked))
    frame = next(iter(video.frames()))
    assert frame.array.shape == (video.height, video.width, 3)
    assert (video.width, video.height) == ((WIDTH, HEIGHT) if rotation == 180 else (HEIGHT, WIDTH))
    assert frame.grey(32).shape == ((24, 32) if rotation == 180 else (32, 24))
    corner = {90: np.s_[:16, -16:], -90: np.s_[-16:, :16], 180: np.s_[:16, :16]}[rotation]  # of the lower right one
    assert frame.array[corner][..., 0].mean() > 180
    assert frame.array[corner][..., 1].mean() < 80
    assert "turned" in video.notes[0]


@TURNS
@pytest.mark.system
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_upright_is_what_ffmpeg_shows(tmp_path):
    path = write_clip(tmp_path / "r.mp4", 4, rotation=90)
    raw = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
        check=True,
        capture_output=True,
    ).stdout
    expected = np.frombuffer(raw, np.uint8).reshape(4, WIDTH, HEIGHT, 3)
    found = np.stack([frame.array for frame in open_video(path).frames()])
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_interlaced_frames_come_one_by_one_and_it_is_said(tmp_path):
    video = open_video(write_clip(tmp_path / "i.mpg", 12, interlaced=True))
    assert numbers(video)[0] == list(range(12))
    assert video.notes == ("interlaced: a frame shows both of its fields",)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mp4"])
def test_a_video_that_starts_late_counts_from_its_first_frame(tmp_path, suffix):
    seen, frames = numbers(open_video(write_clip(tmp_path / f"s{suffix}", 10, start=50)))
    assert seen == list(range(10))
    assert frames[0].timestamp == 0
    assert frames[9].timestamp == pytest.approx(9 / 25, abs=0.002)


def test_what_an_edit_list_cuts_away_is_not_shown(tmp_path):
    seen, frames = numbers(open_video(write_clip(tmp_path / "e.mp4", 20, start=-5)))
    assert seen == list(range(5, 20))
    assert [frame.index for frame in frames] == list(range(15))
    assert frames[0].timestamp == 0


def test_a_stride_skips_frames_and_a_rate_takes_the_first_at_or_after_each_tick(clip, tmp_path):
    assert numbers(open_video(clip), stride=7)[0] == [0, 7, 14, 21, 28]
    assert numbers(open_video(clip), fps=25)[0] == list(range(30))
    assert numbers(open_video(clip), fps=100)[0] == list(range(30)), "a frame comes once"
    assert numbers(open_video(clip), fps=10)[0] == [0, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25, 28]
    times = [0, 90, 110, 480, 500, 1700]
    uneven = open_video(write_clip(tmp_path / "v.mkv", 6, times=times))
    ticks = [next(i for i, t in enumerate(times) if t >= tick) for tick in range(0, 1701, 100)]
    assert numbers(uneven, fps=10)[0] == sorted(set(ticks))
    video = open_video(clip)
    list(video.frames(7))
    assert video.read == 30, "all are decoded"


def test_frames_come_at_a_size_and_grey(clip):
    frame = next(open_video(clip).frames(size=(32, 24)))
    full = next(open_video(clip).frames())
    assert (frame.image.size, frame.image.mode, frame.array.shape) == ((32, 24), "RGB", (24, 32, 3))
    np.testing.assert_array_equal(frame.array, full.image.resize((32, 24), Image.Resampling.BICUBIC))
    small = full.grey(32)
    assert (small.shape, small.dtype) == ((24, 32), np.uint8)
    by_hand = full.array.mean(axis=2).reshape(24, 2, 32, 2).mean(axis=(1, 3))
    assert np.abs(small - by_hand).mean() < 4


@pytest.mark.parametrize("how", [{"stride": 0}, {"stride": 2, "fps": 5.0}, {"fps": 0.0}, {"fps": float("nan")}])
def test_a_choice_that_makes_no_sense_is_refused(clip, how):
    with pytest.raises(UsageError):
        next(open_video(clip).frames(**how))


def test_a_folder_of_numbered_pictures_is_a_video_in_the_order_of_its_numbers(tmp_path):
    write_folder(tmp_path / "Test001", 12, first=1, pattern="img_{}.png")  # 10 comes after 9
    (tmp_path / "Test001" / "notes.txt").write_text("no picture")
    video = open_video(tmp_path / "Test001")
    assert numbers(video)[0] == list(range(1, 13))
    assert (video.name, video.kind, video.n_frames, video.fps, video.read) == ("Test001", "folder", 12, 0.0, 12)
    assert "25 a second" in video.notes[0]
    assert [frame.timestamp for frame in open_video(tmp_path / "Test001", fps=10).frames(5)] == [0, 0.5, 1]
    with pytest.raises(UsageError, match="frame rate is not known"):
        next(video.frames(fps=5))


def test_frames_pass_the_loop_of_the_house(clip):
    video = open_video(clip)
    outcomes = list(inspect(BrightDetector(), frame_items(video, 10)))
    assert [number(outcome.item.frame.image) for outcome in outcomes] == [0, 10, 20]
    assert [outcome.item.id for outcome in outcomes] == [f"{clip}#{index}" for index in (0, 10, 20)]
    assert all(outcome.value is not None for outcome in outcomes)


def test_reading_ahead_keeps_order_stops_when_left_and_passes_errors_on(clip):
    prepared = []
    ahead = read_ahead(open_video(clip).frames(), lambda frame: prepared.append(threading.current_thread().name), 2)
    assert [frame.index for frame in ahead] == list(range(30))
    assert set(prepared) == {"zsad-frames"}
    prepared.clear()
    early = read_ahead(open_video(clip).frames(), prepared.append, 2)
    next(early)
    early.close()
    assert len(prepared) <= 5
    assert "zsad-frames" not in [thread.name for thread in threading.enumerate()]

    def broken():
        yield 1
        raise InputError("gone")

    rest = read_ahead(broken())
    assert next(rest) == 1
    with pytest.raises(InputError, match="gone"):
        next(rest)


def test_a_clock_counts_on_where_times_are_absent_or_go_back():
    clock = Clock(10)
    assert [clock.at(None) for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    assert clock.at(7.0) == pytest.approx(0.3), "the first known time follows what was counted"
    assert clock.at(7.5) == pytest.approx(0.8)
    assert clock.at(None) == pytest.approx(0.9)
    assert clock.at(2.0) == pytest.approx(1.0), "a break of the stream"
    assert clock.at(2.25) == pytest.approx(1.25)
    assert (clock.undated, clock.jumps) == (4, 1)


def test_names_are_safe_and_keep_their_dots():
    assert video_name("x/Beautiful.Mind.2001__#01_label_A.mp4") == "Beautiful.Mind.2001___01_label_A"
    assert video_name("x/CON.avi") == "_CON"
    assert video_name("v.1.raw") == "v.1.raw"


def test_the_number_in_the_pixels_is_read_back():
    assert [number(picture(i)) for i in range(256)] == list(range(256))
    assert number(Image.fromarray(picture(171)).resize((32, 24))) == 171
