"""``zsad video watch``: events of a live source, told while it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("av")
pytest.importorskip("cv2")

from tests.cli.test_commands import invoke
from tests.video.clips import number, write_clip
from tests.video.servers import StreamServer
from zsad.video.source import open_video

MOVES = range(30, 45)


def square(index, frame):
    """Draw a square that stands still, and moves for a while."""
    step = min(max(index - MOVES.start, 0), len(MOVES))
    frame[28:44, 4 + 2 * step : 20 + 2 * step] = (230, 230, 230)
    frame[:24] = 128  # no number: it would be motion


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "hall.mp4", 70, fps=50, draw=square)


def watch(*arguments):
    return invoke("video", "watch", *map(str, arguments))


def test_an_event_is_a_line_a_program_is_told_and_a_clip_is_kept(clip, tmp_path):
    script = tmp_path / "keep.py"
    script.write_text("import sys\nopen(sys.argv[1], 'a').write(sys.stdin.read())\n")
    tell = f"{sys.executable} {script}"
    done = watch(clip, "--motion-kind", "difference", "--threshold", 1, "--record", tmp_path / "clips", "--before", 0.2,
                 "--after", 0.2, "--gap", 3, "--on-event", f"{tell} {tmp_path / 'end'}",
                 "--on-start", f"{tell} {tmp_path / 'start'}")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    (line,) = done.stdout.splitlines()
    event = json.loads(line)
    assert event["source"] == str(clip) and event["method"] == "motion" and event["phase"] == "end"
    assert 30 <= event["start"] <= 36 and 45 <= event["end"] <= 56, "the causal mean of nine is late"
    assert event["start_s"] == pytest.approx(event["start"] / 50, abs=0.1)
    assert event["began_at"] < event["ended_at"]
    assert json.loads((tmp_path / "end").read_text()) == event
    begun = json.loads((tmp_path / "start").read_text())
    assert begun["phase"] == "start" and begun["frame"] == event["start"]
    (kept,) = (tmp_path / "clips").iterdir()
    assert str(kept) == event["clip"]
    recorded = list(open_video(kept).frames())
    assert 0.3 < recorded[-1].timestamp < event["end_s"] - event["start_s"] + 0.6
    assert "70 frames" in done.stderr and "1 events" in done.stderr


def test_what_is_on_at_the_end_is_told_too(clip):
    done = watch(clip, "--motion-kind", "difference", "--threshold", 0)
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["end"] == 70 and json.loads(line)["clip"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["hall.mp4"], 2, "give --threshold, or --thresholds FILE"),
        (["hall.mp4", "--threshold", "1"], 1, "hall.mp4: no such file"),
        (["ftp://x/y", "--threshold", "1"], 2, "ftp://x/y: cameras are read by rtsp"),
        (["http://u:secret@127.0.0.1:9/x", "--threshold", "1"], 1, "http://127.0.0.1:9/x: can't be connected to"),
        (["-", "--threshold", "1", "--on-event", "no-such-program"], 2, "no such program"),
        (["-", "--threshold", "1", "--model", "tiny"], 2, "--method motion looks at no model"),
    ],
)
def test_wrong_use_and_bad_sources_are_one_line(arguments, code, line):
    done = watch(*arguments)
    assert (done.exit_code, "Traceback" in done.stderr) == (code, False)
    assert line in done.stderr and "secret" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_a_watch_that_is_asked_to_end_tells_what_is_on_and_ends_cleanly(tmp_path):
    stream = write_clip(tmp_path / "a.ts", 60, gop=5)
    server = StreamServer(stream, 1.0, hold=True)
    command = [sys.executable, "-m", "zsad", "video", "watch", server.url, "--threshold", "0", "--motion-kind",
               "difference", "--record", str(tmp_path / "clips")]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not server.served:
        time.sleep(0.05)
    time.sleep(2.5)
    process.send_signal(signal.SIGTERM)
    out, complaints = process.communicate(timeout=30)
    server.kill()
    assert process.returncode == 0, complaints
    event = json.loads(out.splitlines()[-1])
    assert event["source"] == server.url
    assert number(next(open_video(event["clip"]).frames()).image) < 60
