"""Learned models as ONNX files, where there is no torch: features, a video, a stream."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from zsad.cli import app
from zsad.errors import InputError
from zsad.video import read_series
from zsad.video.learned.onnx_network import OnnxNetwork
from zsad.video.learned.scoring import score_features

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "video_learned"
"""Of random weights, exported once: ``ovvad`` on the bundled backbone, ``vador`` with its folder."""


def run(*words):
    return CliRunner().invoke(app, ["video", *map(str, words)], env={"COLUMNS": "200", "TERM": "dumb"})


def test_a_video_is_scored_and_its_events_are_named(frames, tmp_path):
    pytest.importorskip("av")
    words = ("--method", GOLDEN / "ovvad.onnx", "--no-video", "--folder-fps", "20", "--threshold", "0.01")
    result = run("score", frames, "--out", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    series = read_series(tmp_path / "out" / "clip" / "scores.json")
    assert series.positions.tolist() == [0, 16, 32] and series.method == "ovvad"
    event = json.loads((tmp_path / "out" / "clip" / "events.json").read_text(encoding="utf-8"))["events"][0]
    assert event["label"] in series.classes
    assert (tmp_path / "out" / "clip" / "keyframes" / event["picture"]).is_file()
    assert f"clip: 0.0-{event['end_s']:.1f} s {event['label']} {event['score']:.2f}" in result.output


def test_class_names_of_a_file_are_fixed(frames, tmp_path):
    file = GOLDEN / "ovvad.onnx"
    result = run("score", frames, "--out", tmp_path / "out", "--method", file, "--set", "classes=flood")
    assert result.exit_code == 2 and "zsad video export MODEL_DIR --classes" in result.output
    result = run("score", frames, "--out", tmp_path / "out", "--method", file, "--set", "frames=2")
    assert result.exit_code == 2 and "knows only classes=NAMES" in result.output


@pytest.mark.parametrize(
    ("method", "more", "line"),
    [(GOLDEN / "ovvad.onnx", ("--stride", "2"), "leave --prompt, --object, --stride, --fps and --normal out"),
     ("motion", ("--delay", "2"), "--method motion waits for nothing; leave --delay out")],
)  # fmt: skip
def test_options_of_a_watch_that_mean_nothing(method, more, line):
    pytest.importorskip("av")
    result = run("watch", "rtsp://camera/live", "--method", method, "--threshold", "0.5", *more)
    assert result.exit_code == 2 and line in " ".join(result.output.split())


def test_clips_with_banks_are_scored_as_they_were():
    with np.load(GOLDEN / "vador.npz") as data:
        x, want = data["x"], data["scores"]
    network = OnnxNetwork(GOLDEN / "vador.onnx")
    for _ in range(2):  # nothing of the video before is left
        assert np.allclose(score_features(network, x).values, want, atol=1e-5)
    with pytest.raises(InputError, match="8 wide, the model reads 16"):
        score_features(network, x[..., :8])
