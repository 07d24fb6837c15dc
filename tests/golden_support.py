"""The small fixtures and the plain form of the method, for every test that compares with them."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from benchmarks import parity
from tests.oracles import naive

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
FULL = ROOT.parent / "shared" / "golden"

__all__ = ["FULL", "GOLDEN", "ROOT", "complete_weights", "naive", "parity"]


def complete_weights():
    """Set T, a CLIP of width 128 with 3 blocks and patch 8, with a drawn token table, which its file lacks."""
    weights = load_file(GOLDEN / "T_clip_weights.safetensors")
    generator = torch.Generator().manual_seed(3)
    weights["token_embedding.weight"] = torch.randn(49408, 64, generator=generator) * 0.3
    return weights
