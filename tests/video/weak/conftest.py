"""Shared by the tests of weakly supervised models."""

from __future__ import annotations

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
