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
