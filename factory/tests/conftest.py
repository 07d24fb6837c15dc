"""Micro models for the factory's tests. pytest loads this file without torch too, so torch is imported in fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from factory.config import RunConfig
from zsad.config import from_mapping

if TYPE_CHECKING:
    from factory.model import DualEncoder

MODEL = {
    "image_size": 64,
    "patch_size": 16,
    "embed_dim": 16,
    "width": 32,
    "depth": 2,
    "head_width": 16,
    "vv_blocks": 1,
    "text_width": 16,
    "text_depth": 1,
    "text_heads": 1,
}
DATA = {"pool": 24, "batch": 4, "early_size": 32}
TRAIN = {"steps": 8, "early": 3, "warmup": 2, "decay": 3, "save_every": 2, "log_every": 1, "precision": "float32"}


def mapping(data=None, loss=None, model=None, **train):
    parts = {
        "model": {**MODEL, **(model or {})},
        "data": {**DATA, **(data or {})},
        "loss": loss or {},
        "train": {**TRAIN, **train},
    }
    return {"name": "micro", **parts}


@pytest.fixture(scope="session")
def micro():
    return mapping


@pytest.fixture
def config() -> RunConfig:
    return from_mapping(RunConfig, mapping())


@pytest.fixture
def config_file(tmp_path: Path):
    import yaml

    def write(data=None, loss=None, model=None, **train) -> Path:
        path = tmp_path / "micro.yaml"
        path.write_text(yaml.safe_dump(mapping(data, loss, model, **train)))
        return path

    return write


@pytest.fixture
def encoder(config: RunConfig) -> DualEncoder:
    import torch

    from factory.model import DualEncoder

    torch.manual_seed(0)
    return DualEncoder(config.model).requires_grad_(False)


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
