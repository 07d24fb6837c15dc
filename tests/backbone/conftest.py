"""A small CLIP in OpenAI's layout: set T of tests/golden, width 128, 3 blocks, patch 8, native size 40."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="session")
def clip_file():
    return GOLDEN / "T_clip_weights.safetensors"


@pytest.fixture(scope="session")
def weights(full_weights):
    return {name: value.float() for name, value in full_weights.items()}


@pytest.fixture(scope="session")
def full_weights():
    """With a token table, in the types of the file."""
    from tests.golden_support import complete_weights

    return complete_weights()


@pytest.fixture(scope="session")
def full_clip_file(full_weights, tmp_path_factory):
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(full_weights, path)
    return path
