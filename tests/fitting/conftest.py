from __future__ import annotations

import pytest

from zsad import paths
from zsad.fitting import trial


@pytest.fixture(scope="session")
def small_model():
    """An ONNX file with features."""
    return paths.asset("tiny.onnx")


@pytest.fixture(scope="session", autouse=True)
def _quick():
    """One drawn defect on each image is enough to see what a trial does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial, "DEFECTS", 1)
        yield
