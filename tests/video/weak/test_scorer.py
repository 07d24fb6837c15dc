"""A learned model as a method of ``zsad video score``: features extracted, scores with class names, events."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from tests.video.weak import small
from zsad.cli import app
from zsad.errors import ModelError
from zsad.video import read_series
from zsad.video.learned.card import VideoCard
from zsad.video.learned.scorer import LearnedScorer, is_learned, load_learned
from zsad.video.weak.folder import save_weak
from zsad.video.weak.model import FixedText, WeakModel


def model(path, width=128, backbone="tiny"):
    torch.manual_seed(0)
    config = replace(small.config("vadclip-ucf"), width=width)
    made = WeakModel(config, FixedText(torch.randn(3, width)))
    return save_weak(path, made, VideoCard(config, small.NAMES, backbone))


def test_a_video_is_scored_by_a_models_folder(frames, tmp_path):
    place = model(tmp_path / "m")
    assert is_learned(place) and not is_learned(frames)
    command = ["video", "score", str(frames), "--method", str(place), "--out", str(tmp_path / "out"), "--no-video",
               "--folder-fps", "20", "--threshold", "0.01"]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    series = read_series(tmp_path / "out" / "clip" / "scores.json")
    assert series.positions.tolist() == [0, 16, 32] and series.n_frames == 40 and series.method == "vadclip-ucf"
    assert list(series.classes) == ["fire", "fall"]
    events = (tmp_path / "out" / "clip" / "events.json").read_text(encoding="utf-8")
    assert '"fire"' in events or '"fall"' in events


def test_features_of_another_backbone_are_told(frames, tmp_path):
    place = model(tmp_path / "m", width=64)
    command = ["video", "score", str(frames), "--method", str(place), "--out", str(tmp_path / "out"), "--no-video"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and "128 wide, the model reads 64" in " ".join(result.output.split())


def test_a_model_whose_backbone_nobody_knows(tmp_path):
    place = model(tmp_path / "m", backbone="")
    with pytest.raises(ModelError, match="names no backbone"):
        LearnedScorer(load_learned(place), "m")
