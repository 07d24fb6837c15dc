"""A learned model as a method of ``zsad video score``: features extracted, scores with class names, events."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.video.weak import small
from zsad.cli import app
from zsad.errors import InputError, MissingExtraError, ModelError
from zsad.video import read_series
from zsad.video.extraction import extract
from zsad.video.features import Choice
from zsad.video.learned.card import VideoCard
from zsad.video.learned.scorer import LearnedScorer, is_learned, load_learned
from zsad.video.learned.scoring import score_features
from zsad.video.source import open_video
from zsad.video.towers import feature_detector
from zsad.video.weak.folder import save_weak
from zsad.video.weak.model import FixedText, WeakModel


def model(path, width=128, backbone="tiny", every=16, length=256, **made_by):
    torch.manual_seed(0)
    config = small.config("vadclip-ucf", layers=1)
    config = replace(config, width=width, temporal=replace(config.temporal, length=length))
    made = WeakModel(config, FixedText(torch.randn(3, width)))
    return save_weak(path, made, VideoCard(config, small.NAMES, backbone, every, made_by))


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


def test_a_folder_of_pictures_has_the_times_that_are_said(frames, tmp_path):
    network = load_learned(model(tmp_path / "m"))
    series = LearnedScorer(network, "m", folder_fps=20.0).score(frames)
    assert series.fps == 20 and series.timestamps.tolist() == pytest.approx([0, 0.8, 1.6])
    command = ["video", "calibrate", "--normals", str(frames), "--method", str(tmp_path / "m"), "--folder-fps", "20",
               "--out", str(tmp_path / "t.json")]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output


def test_a_damaged_frame_is_named_as_what_makes_it_partial(frames, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(frames, folder)
    (folder / "032.png").write_bytes((folder / "032.png").read_bytes()[:200])
    command = ["video", "score", str(folder), "--method", str(model(tmp_path / "m")), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 1 and "032.png: damaged or truncated" in " ".join(result.output.split())
    assert read_series(tmp_path / "out" / "damaged" / "scores.json").partial


def test_rows_are_scored_while_they_are_read(frames, tmp_path, monkeypatch):
    network = load_learned(model(tmp_path / "m", every=2, length=8))
    monkeypatch.setattr("zsad.video.learned.scoring.TOGETHER", 1)
    scorer, seen, real, progress = LearnedScorer(network, "m"), [], network.run, []
    monkeypatch.setattr(network, "run", lambda x, lengths: seen.append(sum(lengths)) or real(x, lengths))
    got = scorer.score(frames, lambda done, total: progress.append((done, len(seen))))
    assert seen == [8, 8, 4] and progress[-1] == (40, 2)  # blocks were scored before the last frame was read
    with open_video(frames) as video:
        rows, found = scorer._reading.whole(video, lambda done, total: None)
    assert np.array_equal(got.values, score_features(network, rows).values)
    assert np.array_equal(got.positions, found.positions) and np.array_equal(got.timestamps, found.timestamps)


def test_stored_features_are_scored_and_no_frame_is_read(frames, tmp_path, monkeypatch):
    place, stored = model(tmp_path / "m"), tmp_path / "f"
    for _ in extract([frames], feature_detector("tiny"), stored, Choice()):
        pass
    want = LearnedScorer(load_learned(place), "m").score(frames)
    np.save(stored / "clip__1.npy", np.load(stored / "clip__0.npy") * 2)
    network = load_learned(place)
    both = [score_features(network, np.load(stored / f"clip__{crop}.npy")).values for crop in (0, 1)]
    monkeypatch.setattr("zsad.video.learned.scorer.open_video", lambda *_, **__: pytest.fail("was read"))
    got = LearnedScorer(network, "m", features=stored).score(frames)
    assert np.allclose(got.values, np.mean(both, axis=0)) and got.positions.tolist() == want.positions.tolist()
    assert (got.n_frames, got.classes.keys()) == (want.n_frames, want.classes.keys())
    (stored / "clip__1.npy").unlink()
    assert np.array_equal(LearnedScorer(network, "m", features=stored).score(frames).values, want.values)
    command = ["video", "score", str(frames), "--method", str(place), "--out", str(tmp_path / "out"), "--no-video",
               "--features", str(stored)]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert np.allclose(read_series(tmp_path / "out" / "clip" / "scores.json").values, want.values, atol=1e-6)
    result = CliRunner().invoke(app, [*command[:3], "--out", str(tmp_path / "o"), "--features", str(stored)])
    assert result.exit_code == 2 and "only a learned model takes --features alone" in " ".join(result.output.split())


def test_stored_features_that_the_model_does_not_read(frames, tmp_path):
    stored = tmp_path / "f"
    for _ in extract([frames], feature_detector("tiny"), stored, Choice(every=8)):
        pass
    for more, says in (({}, "stride 8, the model reads 16"), ({"every": 8, "backbone": "x"}, "backbone 'tiny', the"),
                       ({"every": 8, "width": 64}, "128 wide, the model reads 64")):  # fmt: skip
        network = load_learned(model(tmp_path / says[:9], **more))
        with pytest.raises(InputError, match=says):
            LearnedScorer(network, "m", features=stored).score(frames)
    with pytest.raises(InputError, match=r"b\.json"):
        LearnedScorer(network, "m", features=stored).score(tmp_path / "b.mp4")


def test_a_backbone_that_reads_otherwise_than_the_model_learned_from(frames, tmp_path):
    reading = asdict(feature_detector("tiny").card.reading)
    network = load_learned(model(tmp_path / "m", reading=reading))
    assert len(LearnedScorer(network, "m").score(frames)) == 3
    other = {**reading, "class_norm": not reading["class_norm"]}
    network = load_learned(model(tmp_path / "o", reading=other))
    with pytest.raises(ModelError, match=r"other features .*\(class_norm is .* learned with .*\); give --model what"):
        LearnedScorer(network, "o").score(frames)


def test_without_torch_the_file_of_the_features_is_asked_for(frames, tmp_path, monkeypatch):
    network = load_learned(model(tmp_path / "m", backbone="ViT-B-16/openai"))
    monkeypatch.setattr("zsad.video.towers.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="unless --model names the ONNX file that features were extracted with"):
        LearnedScorer(network, "m").score(frames)
    assert len(LearnedScorer(network, "m", backbone="tiny").score(frames)) == 3
