"""Every preset as an ONNX file: free length, padding, texts inside, banks that go on; the same scores without torch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
from tests.video.weak import small
from tests.video.weak.test_learned_without_torch import GOLDEN
from zsad.errors import ModelError
from zsad.video.learned.card import VideoCard
from zsad.video.learned.onnx_network import OnnxNetwork
from zsad.video.learned.scoring import score_features
from zsad.video.weak.folder import load_weak
from zsad.video.weak.onnx_file import TOLERANCE, _difference, export_weak

CASES = [("vadclip-ucf", {"motion": small.WIDTH}), ("urdmu", {})]
"""OVVAD is exported in test_onnx_file; vadclip-xd has the blocks of vadclip-ucf; vador takes long, and was exported."""


@pytest.mark.parametrize(("preset", "changes"), CASES, ids=lambda value: str(value))
def test_a_file_of_each_preset(tmp_path, preset, changes):
    network = load_weak(small.folder(tmp_path / "m", preset, layers=1, **changes))
    export_weak(network, tmp_path / "m.onnx")
    file = OnnxNetwork(tmp_path / "m.onnx")
    rng = np.random.default_rng(0)
    for rows in (1, 20, 300):
        x = rng.normal(size=(rows, network.card.config.read)).astype(np.float32)
        want, have = score_features(network, x), score_features(file, x)
        assert np.allclose(have.values, want.values, atol=1e-5) and np.allclose(have.classes, want.classes, atol=1e-5)
    padded = np.zeros((2, 20, network.card.config.read), np.float32)
    padded[:, :9] = x[:9]
    padded[1] = x[:20]
    want, have = network.run(padded, [9, 20]), file.run(padded, [9, 20])
    assert np.allclose(have[0][0, :9], want[0][0, :9], atol=1e-5)
    assert np.allclose(have[0][0, :9], score_features(file, x[:9]).values, atol=1e-5)  # as if it were alone
    assert b"/site-packages/" not in (tmp_path / "m.onnx").read_bytes()


def test_banks_go_on_from_piece_to_piece_in_the_file_as_in_the_model():
    network, file = load_weak(GOLDEN / "vador"), OnnxNetwork(GOLDEN / "vador.onnx")
    for rows in (1, 7, 47):
        x = small.features("vador", rows, seed=rows).numpy()
        want, have = score_features(network, x), score_features(file, x)
        assert np.allclose(have.values, want.values, atol=1e-5)
        network.begin()
        alone = np.concatenate(
            [network.run(x[a : a + 16][None], [len(x[a : a + 16])])[0][0] for a in range(0, rows, 16)]
        )
        assert np.allclose(alone, want.values, atol=1e-6)
    file.begin()
    fresh = file.run(x[16:32][None], [16])[0][0]
    assert not np.allclose(fresh, want.values[8:16], atol=1e-7)  # what was before counts


def test_a_file_that_gives_no_numbers_is_as_far_apart_as_can_be():
    scores = np.zeros((2, 1)), np.zeros((2, 1, 0))
    network, file = (SimpleNamespace(card=VideoCard(small.config("urdmu")), begin=lambda: None) for _ in "ab")
    network.run, given = (lambda x, lengths: scores), iter([(scores[0] * np.nan, scores[1])])
    file.run = lambda x, lengths: next(given, scores)  # of the first piece alone
    assert not _difference(network, file) <= TOLERANCE


def test_a_file_whose_inputs_are_not_those_of_its_card(tmp_path):
    import onnx

    model = onnx.load(GOLDEN / "vador.onnx")
    entry = next(entry for entry in model.metadata_props if entry.key == "zsad_video_card")
    entry.value = entry.value.replace('"kind": "banks"', '"kind": "graphs"')
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match="its inputs are not those of its card; export it again"):
        OnnxNetwork(tmp_path / "m.onnx")
