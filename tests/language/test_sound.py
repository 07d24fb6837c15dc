"""Sound in mcanet: an encoder cleans captions of it; without one they stay as they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("openai")
pytest.importorskip("tenacity")

from tests.language.clips import write_frames
from tests.language.test_scorers import LEVELS, RULES, reach
from zsad.errors import ModelError
from zsad.language.audio_file import AudioFile
from zsad.language.scorers import McanetScorer, Setting
from zsad.language.sound import Track

HEARD = [
    {"when": {"audio": True, "max_uses": 1}, "reply": {"text": "a low hum"}},
    {"when": {"audio": True, "max_uses": 1}, "reply": {"text": "a loud bang"}},
    {"when": {"audio": True}, "reply": {"text": "a low hum"}},
]


class Loudness:
    """Vectors of sound by how loud it is, and of texts by what they say of it."""

    name = "loudness"

    def sounds(self, clips, rate):
        return np.array([[1, 0] if np.abs(clip).max() > 0.5 else [0, 1] for clip in clips], np.float32)

    def texts(self, texts):
        return np.array([[1, 0] if "loud" in text else [0, 1] for text in texts], np.float32)


def asked(serve, tmp_path, monkeypatch, hearing):
    """Return what is said to be heard in each window: the clips are loud at the end of the video."""
    samples = np.full(12 * 100, 0.1, np.float32)
    samples[900:] = 0.9
    monkeypatch.setattr(McanetScorer, "_track", lambda self, footage: Track(samples, 100))
    server = serve(*HEARD, *RULES)
    video = write_frames(tmp_path / "yard", LEVELS)
    scorer = McanetScorer(reach(server, tmp_path / "c", concurrency=1), Setting(folder_fps=8.0), hearing=hearing)
    scorer.score(video)
    texts = [row["text"] for row in server.log if "Sum up" in row["text"]]
    return [text.partition("Heard in the same stretch of time:\n")[2].splitlines() for text in texts], len(server.log)


def test_without_an_encoder_each_clip_keeps_its_caption(serve, tmp_path, monkeypatch):
    heard, _ = asked(serve, tmp_path, monkeypatch, None)
    assert heard[0][:2] == ["a low hum", "a loud bang"]


def test_with_an_encoder_each_clip_has_the_most_fitting_one(serve, tmp_path, monkeypatch):
    heard, calls = asked(serve, tmp_path, monkeypatch, Loudness())
    assert heard[0] == ["a low hum"] and heard[-1][-1] == "a loud bang"
    assert calls == asked(serve, tmp_path / "again", monkeypatch, None)[1]  # an encoder asks nothing


def encoder(path, weights, rate="100", length=4):
    """Write an ONNX encoder: samples times a matrix."""
    onnx = pytest.importorskip("onnx")
    make, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = make.make_graph(
        [make.make_node("MatMul", ["samples", "w"], ["vectors"])], "g",
        [make.make_tensor_value_info("samples", kind, ["n", length])],
        [make.make_tensor_value_info("vectors", kind, ["n", weights.shape[1]])],
        [onnx.numpy_helper.from_array(weights.astype(np.float32), "w")],
    )  # fmt: skip
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=8)
    make.set_model_props(model, {"zsad_rate": rate})
    onnx.save(model, path)
    return path


def test_a_file_gives_vectors_of_sound(tmp_path):
    weights = np.arange(8.0).reshape(4, 2)
    text = SimpleNamespace(card=SimpleNamespace(embed_dim=2, fingerprint="f"), texts=lambda texts: texts)
    file = AudioFile(encoder(tmp_path / "a.onnx", weights), text)
    clips = [np.array([1, 2], np.float32), np.arange(9, dtype=np.float32)]  # filled with silence, and cut
    assert np.allclose(file.sounds(clips, 100), [[1, 2, 0, 0] @ weights, np.arange(4) @ weights])
    assert file.texts(["a"]) == ["a"] and file.sounds([], 100).shape == (0, 2)
    with pytest.raises(ModelError, match="takes 100 samples per second, not 16000"):
        file.sounds(clips, 16000)
    with pytest.raises(ModelError, match="zsad_rate is"):
        AudioFile(encoder(tmp_path / "b.onnx", weights, rate="fast"), text)
    text.card.embed_dim = 3
    with pytest.raises(ModelError, match="give the text tower that belongs to it"):
        file.sounds(clips, 100)
    from zsad.paths import asset

    with pytest.raises(ModelError, match="an encoder of sound has input samples"):
        AudioFile(asset("tiny.onnx"), text)
