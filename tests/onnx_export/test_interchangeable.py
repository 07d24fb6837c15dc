"""Detector (torch) and OnnxDetector answer alike: the same tests over both, then one against the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zsad.detector.base import Detector
from zsad.detector.onnx_detector import OnnxDetector
from zsad.errors import InputError, PromptError
from zsad.prompt.words import Words
from zsad.types import PromptVectors, Result, Thresholds


@pytest.fixture(params=["torch", "onnx"])
def either(request, detector, exported):
    return detector if request.param == "torch" else OnnxDetector(exported)


def test_smoke(either, photos):
    assert isinstance(either, Detector)
    for photo in photos:
        result = either(photo)
        assert isinstance(result, Result)
        assert result.map.shape == photo.shape[:2]
        assert result.map.dtype == np.float32
        assert 0.0 <= result.map.min() <= result.map.max() <= 1.0
        assert 0.0 <= result.score <= 1.0
        assert result.mask.shape == photo.shape[:2]
        assert result.thresholds.image == 0.6


def test_batch_is_one_by_one(either, photos):
    together = either.batch(photos * 3)  # more than one network batch
    for one, photo in zip(together, photos * 3, strict=True):
        alone = either(photo)
        np.testing.assert_allclose(one.map, alone.map, rtol=0, atol=1e-5)
        assert one.score == pytest.approx(alone.score, abs=1e-5)


def test_paths_images_and_arrays_agree(either, photos, tmp_path):
    Image.fromarray(photos[0]).save(tmp_path / "part.png")
    results = [either(tmp_path / "part.png"), either(Image.fromarray(photos[0])), either(photos[0])]
    assert len({r.score for r in results}) == 1
    assert results[0].name == str(tmp_path / "part.png")


def test_errors_name_the_input(either, photos, tmp_path):
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    results = either.batch([photos[0], tmp_path / "torn.png", photos[1]], errors="return")
    assert [type(r).__name__ for r in results] == ["Result", "InputError", "Result"]
    with pytest.raises(InputError, match=r"torn\.png"):
        either(tmp_path / "torn.png")
    with pytest.raises(InputError, match="NaN"):
        either(np.full((40, 40), np.nan))


def test_options(either, photos):
    tiled = either.with_options(tile=48, thresholds=Thresholds(0.1, 0.2))
    result = tiled(photos[0])
    assert result.map.shape == photos[0].shape[:2]
    assert (result.thresholds.image, either.thresholds.image) == (0.1, 0.6)


def test_other_vectors(either, photos):
    pair = np.eye(2, 32, dtype=np.float32)
    other = either.with_vectors(PromptVectors.shared(pair, 2), "axes")
    assert other.card.scoring.prompt == "axes"
    assert other(photos[0]).score != either(photos[0]).score
    assert either.card.scoring.prompt == "clean | broken"
    with pytest.raises(PromptError):
        either.with_vectors(PromptVectors.shared(np.eye(2, 31, dtype=np.float32), 2), "narrow")


def test_parity(detector, exported, photos):
    other = OnnxDetector(exported)
    assert other.card == detector.card  # the card's round trip
    for a, b in zip(detector.batch(photos), other.batch(photos), strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-5)
        assert a.score == pytest.approx(b.score, abs=1e-5)
        assert (a.notes, a.name) == (b.notes, b.name)


def test_parity_with_exchanged_prompt(detector, exported, photos):
    """The stored words give what the text tower gives, up to float16."""
    from zsad.prompt.bank import load_bank
    from zsad.prompt.ensemble import bank_vectors, text_vectors

    backbone = detector.backbone
    for vectors, options in (
        (bank_vectors(backbone, load_bank("industrial")), {"prompt": "industrial"}),
        (bank_vectors(backbone, load_bank("industrial"), "screw"), {"noun": "screw"}),
        (text_vectors(backbone, "clean", "a red square"), {"normal": "clean", "anomalous": "a red square"}),
    ):
        a, b = detector.with_vectors(vectors, "x")(photos[0]), OnnxDetector(exported, words=Words(**options))(photos[0])
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=5e-3)
        assert a.score == pytest.approx(b.score, abs=5e-3)
        exact = OnnxDetector(exported).with_vectors(vectors, "x")(photos[0])
        np.testing.assert_allclose(a.map, exact.map, rtol=0, atol=1e-5)


def test_threads_agree(exported, photos):
    one, two = (OnnxDetector(exported, threads=n).batch(photos) for n in (1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a.map, b.map, rtol=0, atol=1e-6)
        assert a.score == pytest.approx(b.score, abs=1e-6)


def test_torch_keeps_its_global_state(detector, photos):
    before = torch.is_grad_enabled(), torch.get_num_threads()
    detector(photos[0])
    assert (torch.is_grad_enabled(), torch.get_num_threads()) == before
