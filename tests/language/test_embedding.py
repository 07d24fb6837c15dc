"""Vectors of the project's towers: pictures with and without torch, texts where there is a text tower."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

import zsad
from zsad.errors import ModelError
from zsad.language.embedding import ClipEmbedder
from zsad.paths import asset

PICTURES = [Image.new("RGB", (40, 30), (level, 0, 90)) for level in (0, 200)]


def test_an_exported_file_gives_pictures_and_no_texts():
    embedder = ClipEmbedder(zsad.load(str(asset("tiny.onnx"))))
    found = embedder.images(PICTURES)
    assert found.shape[0] == 2 and np.isfinite(found).all() and not embedder.has_texts
    with pytest.raises(ModelError, match="takes no texts"):
        embedder.texts(["a van"])


@pytest.mark.skipif(importlib.util.find_spec("open_clip") is None, reason="needs the torch extra")
def test_a_backbone_gives_both_in_one_space():
    embedder = ClipEmbedder(zsad.load(f"local-dir:{asset('tiny.onnx').parent / 'tiny'}"))
    pictures, texts = embedder.images(PICTURES), embedder.texts(["a red van", "a gate"])
    assert (
        embedder.has_texts
        and pictures.shape == texts.shape
        and np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    )
    assert embedder.name.startswith("clip ") and (texts[0] != texts[1]).any()
