"""A small CLIP in OpenAI's layout: set T of tests/golden, width 128, 3 blocks, patch 8, native size 40."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="session")
def clip_file():
    return GOLDEN / "T_clip_weights.safetensors"


@pytest.fixture(scope="session")
def weights(clip_file):
    from safetensors.torch import load_file

    return {name: value.float() for name, value in load_file(clip_file).items()}


@pytest.fixture(scope="session")
def full_weights(clip_file):
    """The same with a token table, in the types of the file."""
    import torch
    from safetensors.torch import load_file

    loaded = load_file(clip_file)
    generator = torch.Generator().manual_seed(3)
    loaded["token_embedding.weight"] = torch.randn(49408, 64, generator=generator) * 0.3
    return loaded


@pytest.fixture(scope="session")
def full_clip_file(full_weights, tmp_path_factory):
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(full_weights, path)
    return path
