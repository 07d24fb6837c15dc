"""Clips around events, read back; and programs that are told of them."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest

pytest.importorskip("av")

from tests.video.clips import number, picture
from zsad.errors import UsageError
from zsad.video.commands import Commands, parse_command
from zsad.video.frames import Frame
from zsad.video.recorder import Recorder
from zsad.video.source import open_video


def frame(index, rate=10.0):
    return Frame(index, index / rate, lambda: picture(index))


def numbers(path):
    return [number(found.image) for found in open_video(path).frames()]


def test_frames_are_kept_for_an_event_that_is_told_late(tmp_path):
    recorder = Recorder(tmp_path, "hall", before=1.0)
    recorder.wait_for(3.0)
    for index in range(0, 150, 5):
        recorder.tap(frame(index))
    assert recorder._ring[0].seconds == 5.5  # of 14.5: 1 before, 3 late, and 5 for its shortest length
    recorder.close()


def test_a_clip_has_what_came_before_an_event_and_after_it(tmp_path):
    recorder, clips = Recorder(tmp_path, "hall", before=1.0, after=0.5), []
    for index in range(60):
        recorder.tap(frame(index))
        if index == 33:  # known a little late
            recorder.begin(3.0)
        if index == 42:
            recorder.end(3.0, 4.0, clips.append)
    recorder.close()
    (clip,) = clips
    assert clip.name.startswith("hall_") and clip.suffix == ".webm"
    assert numbers(clip) == list(range(20, 46))
    assert [found.timestamp for found in open_video(clip).frames()] == pytest.approx(
        [i / 10 for i in range(26)], abs=2e-3
    )
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


def test_the_end_of_a_stream_finishes_a_clip_and_two_events_have_two(tmp_path):
    recorder, clips = Recorder(tmp_path, "a", before=0.5, after=2.0, longest=1.0), []
    for index in range(40):
        recorder.tap(frame(index))
        if index == 11:
            recorder.begin(1.0)
            recorder.end(1.0, 1.1, clips.append)
        if index == 21:
            recorder.begin(2.0)
        if index == 39:
            recorder.end(2.0, 3.9, clips.append)
    recorder.close()
    assert [numbers(clip) for clip in clips] == [list(range(5, 21)), list(range(15, 31))], "the second: longest"


def test_memory_of_the_last_seconds_is_bounded(tmp_path):
    recorder = Recorder(tmp_path, "a", before=1.0)
    for index in range(500):
        recorder.tap(frame(index))
    recorder.close()
    assert len(recorder._ring) <= 61
    assert recorder._held == sum(len(kept.jpeg) for kept in recorder._ring)
    assert not list(tmp_path.iterdir())


def test_a_clip_that_can_t_be_written_is_said_and_the_watch_goes_on(tmp_path):
    said, clips = [], []
    recorder = Recorder(tmp_path / "out", "a", say=said.append)
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("in the way")
    recorder.tap(frame(0))
    recorder.begin(0.0)
    recorder.end(0.0, 0.1, clips.append)
    recorder.close()
    assert clips == [None]
    assert len(said) >= 1


def test_a_program_gets_the_event_on_its_standard_input(tmp_path):
    script = tmp_path / "keep.py"
    script.write_text("import sys, pathlib\nwith open(sys.argv[1], 'a') as f: f.write(sys.stdin.read())\n")
    out = tmp_path / "events of $HOME.jsonl"
    command = parse_command(f"{sys.executable} {script} '{out}'")
    assert command == [sys.executable, str(script), str(out)], "no shell: nothing is expanded"
    commands = Commands([command])
    commands.send({"number": 1, "label": "a; rm -rf"})
    commands.send({"number": 2})
    commands.close()
    assert [json.loads(line)["number"] for line in out.read_text().splitlines()] == [1, 2]


def test_a_program_that_fails_hangs_or_is_absent_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("zsad.video.commands._PATIENCE", 0.3)
    said = []
    commands = Commands([[sys.executable, "-c", "raise SystemExit(3)"], ["/no/such/program"],
                         [sys.executable, "-c", "import time; time.sleep(9)"]], said.append)  # fmt: skip
    begin = time.monotonic()
    commands.send({})
    commands.close()
    assert time.monotonic() - begin < 5
    assert [line.split(": ")[1].split(" (")[0] for line in said] == [
        "ended with code 3", "can't be run", "took longer than 0.3 s with an event and was ended"
    ]  # fmt: skip
    assert "zsad-commands" not in [thread.name for thread in threading.enumerate()]
    for text, line in (("", "is empty"), ("no-such-program-at-all x", "no such program"), ("echo 'a", "no closing")):
        with pytest.raises(UsageError, match=line):
            parse_command(text)
