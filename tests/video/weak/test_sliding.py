"""Live scoring: every row once, as late as stated, as the window alone would have it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.video.weak import small
from tests.video.weak.test_learned_without_torch import GOLDEN
from zsad.cli import app
from zsad.errors import InputError, UsageError
from zsad.video.detector import VideoDetector
from zsad.video.learned.live_method import LiveLearned
from zsad.video.learned.onnx_network import OnnxNetwork
from zsad.video.learned.scoring import score_features
from zsad.video.learned.sliding import SlidingWindow, live, seconds
from zsad.video.weak.folder import load_weak


@pytest.mark.parametrize("delay", [0, 3])
def test_every_row_is_scored_once_by_the_window_that_is_there(tmp_path, delay):
    network, x = load_weak(small.folder(tmp_path / "m", "vadclip-ucf")), small.features("vadclip-ucf", 20).numpy()
    window = SlidingWindow(network, length=8, delay=delay)
    found, when = [], {}
    for index, row in enumerate(x):
        scored = window.push(row)
        if scored is not None:
            found.append(scored)
            when[scored[0]] = index
    found += window.finish()
    assert [row for row, _, _ in found] == list(range(20))
    assert all(index - row == delay for row, index in when.items())
    for row, score, classes in found:
        last = min(row + delay, 19)
        seen = x[max(0, last - 7) : last + 1]
        want = score_features(network, seen)
        at = len(seen) - 1 - (last - row)
        assert abs(score - want.values[at]) < 1e-5 and np.allclose(classes, want.classes[at], atol=1e-5)
    assert seconds(window, 25.0) == delay * 16 / 25


def test_what_cannot_slide(tmp_path):
    network = load_weak(small.folder(tmp_path / "m", "vadclip-ucf"))
    for length, delay in ((300, 0), (8, 8), (8, -1)):
        with pytest.raises(UsageError, match="at most 256"):
            SlidingWindow(network, length, delay)
    with pytest.raises(UsageError, match="scores clips"):
        SlidingWindow(load_weak(small.folder(tmp_path / "v", "vador")))
    with pytest.raises(InputError, match="8 wide, the model reads 16"):
        SlidingWindow(network).push(np.zeros(8, np.float32))


def test_clips_of_a_stream_are_those_of_the_whole_video():
    network, x = OnnxNetwork(GOLDEN / "vador.onnx"), small.features("vador", 47).numpy()
    want, scoring, found = score_features(network, x), live(network), []
    for index, row in enumerate(x):
        scored = scoring.push(row)
        if scored is not None:
            found.append(scored)
            assert index - scored[0] == scoring.delay == 1
    found += scoring.finish()
    assert [row for row, _, _ in found] == want.rows.tolist()
    assert np.allclose([score for _, score, _ in found], want.values, atol=1e-5)


def test_a_model_of_clips_says_that_it_scores_clips():
    network = OnnxNetwork(GOLDEN / "vador.onnx")  # clips of 2 rows
    method = LiveLearned(network, "vador.onnx", backbone="tiny")
    assert method.told(25.0).startswith("vador.onnx: a score every 1.28 s, 0.64 s after its frame (1 rows of 16")
    assert method.late(25.0) == 0.64


def stream(path, frames, **more):
    """Return moments of a video of noise, and what the model says of its delay."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        place = out.add_stream("mpeg4", rate=25)
        place.width, place.height, place.pix_fmt = 48, 32, "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)
            out.mux(place.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(place.encode())
    method = LiveLearned(OnnxNetwork(GOLDEN / "ovvad.onnx"), "ovvad.onnx", **more)
    return list(VideoDetector(method=method, threshold=0.01).stream(path)), method


@pytest.mark.parametrize(("delay", "rows"), [(0.0, 0), (2.0, 3)])
def test_a_stream_is_scored_once_with_the_delay_that_is_said(tmp_path, delay, rows):
    pytest.importorskip("av")
    moments, method = stream(tmp_path / "a.mp4", 90, delay=delay)
    assert [one.index for one in moments] == [0, 16, 32, 48, 64, 80, 80]  # the event that was on comes at the end
    late = f"{rows * 0.64:.2f} s after its frame ({rows} rows of 16 frames at 25 frames/s)"
    assert method.told(25.0) == f"ovvad.onnx: a score every 0.64 s, {late}"
    event = moments[-1].event
    assert (event.start, event.end) == (0, 90) and event.label in small.NAMES
    # What is said of a row is what a shorter stream, which ends when it was said, would have had.
    shorter, _ = stream(tmp_path / "b.mp4", 16 * (rows + 1), delay=delay)
    assert shorter[0].score == moments[0].score


def test_a_stream_is_watched_from_the_command_line(tmp_path, monkeypatch):
    pytest.importorskip("av")
    from zsad.video.recorder import Recorder

    late = []
    monkeypatch.setattr(Recorder, "wait_for", lambda recorder, seconds: late.append(seconds))
    stream(tmp_path / "a.mp4", 20)
    run = CliRunner().invoke(app, ["video", "watch", str(tmp_path / "a.mp4"), "--method", str(GOLDEN / "ovvad.onnx"),
                                   "--threshold", "0.01", "--report", "0", "--delay", "1", "--record",
                                   str(tmp_path / "clips")])  # fmt: skip
    assert run.exit_code == 0, run.output
    assert late == [pytest.approx(0.64)]
    assert "0.64 s after its frame (1 rows of 16 frames at 25 frames/s)" in run.output
    event = json.loads(next(line for line in run.output.splitlines() if line.startswith("{")))
    assert event["phase"] == "end" and event["method"] == "ovvad" and event["label"] in small.NAMES
    learned = ("--method", str(GOLDEN / "ovvad.onnx"), "--stride", "2")
    for words, says in (
        (("--method", "motion", "--delay", "2"), "leave --delay out"),
        (learned, "leave --prompt, --object, --stride"),
    ):
        run = CliRunner().invoke(app, ["video", "watch", str(tmp_path / "a.mp4"), "--threshold", "1", *words])
        assert run.exit_code == 2 and says in " ".join(run.output.split())
