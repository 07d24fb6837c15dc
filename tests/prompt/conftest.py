"""Backbones for prompt tests: the small CLIP of set T with a drawn token table."""

from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    import torch
    from safetensors.torch import load_file, save_file

    from zsad.backbone import load_backbone

    weights = load_file(GOLDEN / "T_clip_weights.safetensors")
    generator = torch.Generator().manual_seed(3)
    weights["token_embedding.weight"] = torch.randn(49408, 64, generator=generator) * 0.3
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(weights, path)
    return load_backbone(str(path), image_size=56, vv_blocks=2, layers=(2, 3))
