from __future__ import annotations

from pathlib import Path

import pytest

from .drawn_parts import MICRO, write_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "data")


@pytest.fixture(scope="session")
def tower():
    from zsad.backbone import load_backbone

    return load_backbone(MICRO)


@pytest.fixture(autouse=True)
def _no_drawn_thresholds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of training don't need thresholds, which take seconds; those of thresholds do."""
    if request.module.__name__.endswith("test_thresholds"):
        return
    monkeypatch.setattr("zsad.training.experiment.drawn_thresholds", lambda *arguments: None)
