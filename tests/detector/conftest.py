from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small_onnx() -> Path:
    """A few-kilobyte model with the signature of every exported file; see make_small.py."""
    return Path(__file__).with_name("small.onnx")


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """uint8 (50, 70, 3)."""
    return np.random.default_rng(1).integers(0, 256, (50, 70, 3), dtype=np.uint8)
