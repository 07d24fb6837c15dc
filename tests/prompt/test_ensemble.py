import numpy as np
import pytest
import torch

from zsad.backbone import load_backbone
from zsad.errors import ModelError, PromptError
from zsad.prompt.bank import PromptBank, load_bank
from zsad.prompt.ensemble import bank_vectors, mean_direction, text_vectors

BANK = PromptBank("part", ("{}", "good {}"), ("broken {}",), ("a photo of a {}.", "the {}."))


def test_reference_by_hand(backbone):
    """Unit vectors of all sentences, averaged, made unit again; through open_clip's own order of calls."""
    text = backbone.text_tower()
    have = bank_vectors(backbone, BANK, "screw")
    for side, sentences in enumerate(
        (
            ["a photo of a screw.", "a photo of a good screw.", "the screw.", "the good screw."],
            ["a photo of a broken screw.", "the broken screw."],
        )
    ):
        rows = np.concatenate([text.encode_texts([s]).detach().numpy() for s in sentences]).astype(np.float64)
        mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
        assert np.allclose(have.image[side], mean / np.linalg.norm(mean), atol=1e-6)
    assert have.pixel.shape == (2, 2, 48) and np.array_equal(have.pixel[1], have.image)
    assert np.allclose(np.linalg.norm(have.image, axis=-1), 1, atol=1e-6) and have.image.dtype == np.float32


def test_noun_changes_the_vectors_and_chunks_do_not(backbone, monkeypatch):
    bank = load_bank("medical")
    assert not np.allclose(bank_vectors(backbone, bank).image, bank_vectors(backbone, bank, "colon").image)
    want = bank_vectors(backbone, bank, "skin").image
    monkeypatch.setattr("zsad.prompt.ensemble.CHUNK", 7)
    assert np.allclose(bank_vectors(backbone, bank, "skin").image, want, atol=1e-6)


def test_free_texts(backbone):
    one = text_vectors(backbone, "a clean surface", "a scratch")
    several = text_vectors(backbone, ["a clean surface", "a shiny surface"], ["a scratch"])
    assert np.allclose(one.image[1], several.image[1], atol=1e-6)
    assert not np.allclose(one.image[0], several.image[0], atol=1e-3)


def test_errors(backbone):
    with pytest.raises(PromptError, match="say the same"):
        text_vectors(backbone, "a scratch", "a scratch")
    with pytest.raises(PromptError, match="empty"):
        text_vectors(backbone, "", "a scratch")
    with pytest.raises(PromptError, match="empty"):
        mean_direction(backbone.text_tower(), [])
    with pytest.raises(PromptError, match="shorten it"):
        text_vectors(backbone, "very " * 90, "a scratch")
    with pytest.raises(ModelError, match="no CLIP text tower"):
        text_vectors(load_backbone("random:timm:test_vit"), "a", "b")


def test_no_gradient_is_kept(backbone):
    assert not mean_direction(backbone.text_tower(), ["a"]).requires_grad
    assert torch.is_grad_enabled()
