"""Shared by the tests of weakly supervised models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def frames(tmp_path_factory):
    """Forty frames of noise, as a folder of numbered pictures."""
    place = tmp_path_factory.mktemp("clip") / "clip"
    place.mkdir()
    rng = np.random.default_rng(0)
    for index in range(40):
        Image.fromarray(rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)).save(place / f"{index:03d}.png")
    return place


@pytest.fixture
def one_thread():
    """Torch computes with one thread: sums are then the same each time."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def small_presets(monkeypatch):
    """Presets at small sizes."""
    presets = pytest.importorskip("zsad.video.weak.presets")
    found = dict(presets.PRESETS)
    for name in ("vadclip-ucf", "vadclip-xd", "ovvad"):
        found[name] = replace(found[name], temporal=replace(found[name].temporal, length=32),
                              head=replace(found[name].head, hidden=16))  # fmt: skip
    found["urdmu"] = replace(
        found["urdmu"],
        temporal=replace(found["urdmu"].temporal, width=16, heads=2, head_width=8, hidden=16, dropout=0.1),
        context=replace(found["urdmu"].context, slots=16),
        recipe=replace(found["urdmu"].recipe, segments=32),
    )
    found["vador"] = replace(found["vador"], temporal=replace(found["vador"].temporal, clip=4, length=32))
    monkeypatch.setattr("zsad.video.weak.starting.PRESETS", found)
