from __future__ import annotations

import pytest

from tests.quick_trial import quick_trial
from zsad import paths


@pytest.fixture(scope="session")
def small_model():
    """An ONNX file with features."""
    return paths.asset("tiny.onnx")


@pytest.fixture(scope="session", autouse=True)
def _quick():
    """Two images with one drawn defect each are enough to see what a trial does."""
    with pytest.MonkeyPatch.context() as patch:
        quick_trial(patch)
        yield
