import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.golden_support import complete_weights
from tests.scoring.test_directions import vectors
from tests.scoring.test_memory import D, card, features, memory
from zsad.backbone import load_backbone
from zsad.detector.torch_detector import TorchDetector
from zsad.errors import ModelError
from zsad.scoring import FusedScorer, Fusion, Memory, memory_head
from zsad.scoring.direction_head import DirectionHead
from zsad.scoring.foreground import Foreground
from zsad.scoring.memory import half
from zsad.scoring.memory_scorer import MemoryScorer
from zsad.scoring.scorer import Unscored
from zsad.types import PromptVectors


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("part", [5, 8192])
def test_the_twin_says_the_same(monkeypatch, masked, part):
    monkeypatch.setattr(memory_head, "PART", part)
    ground = Foreground(np.eye(D, dtype=np.float32)[0], 0.1) if masked else None
    scorer, seen = MemoryScorer(memory(scale=0.2, foreground=ground), card()), features(3)
    with torch.no_grad():
        values, score = scorer.module()(torch.from_numpy(seen.cls), torch.from_numpy(seen.patches))
    maps, scores = scorer.score(seen)
    assert np.abs(values.numpy() - maps).max() < 1e-5 and np.abs(score.numpy() - scores).max() < 1e-5


def test_a_memory_of_the_last_layer_alone():
    scorer, seen = MemoryScorer(Memory(memory().layers[1:], 0.2), card()), features(2)
    with torch.no_grad():
        values, _ = scorer.module()(torch.from_numpy(seen.cls), torch.from_numpy(seen.patches))
    assert np.abs(values.numpy() - scorer.score(seen)[0]).max() < 1e-5


def test_the_fused_twin_says_the_same():
    scorer = FusedScorer(memory(scale=0.2), Fusion(0.3, 0.6, 0.2), card())
    own = DirectionHead(card(), vectors())
    seen = features(3)
    tensors = torch.from_numpy(seen.cls), torch.from_numpy(seen.patches)
    with torch.no_grad():
        values, score = scorer.fusing_module(own)(*tensors)
        maps, scores = scorer.fuse(seen, *(part.numpy() for part in own(*tensors)))
    assert np.abs(values.numpy() - maps).max() < 1e-5 and np.abs(score.numpy() - scores).max() < 1e-5


def test_on_a_torch_detector_with_and_without_its_own_head(tmp_path):
    save_file(complete_weights(), tmp_path / "clip.safetensors")
    seen = TorchDetector(load_backbone(str(tmp_path / "clip.safetensors"), layers=(2, 3)), Unscored())
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    with pytest.raises(ModelError, match="features only"):
        seen(picture)
    patches = seen.features([picture]).patches[0]
    memo = Memory(tuple(half(layer) for layer in patches))
    assert seen.with_scorer(MemoryScorer(memo, seen.card))(picture).score < 0.01
    with pytest.raises(ModelError, match="scores by itself"):
        seen.with_scorer(FusedScorer(memo, Fusion(0.5, 0.5), seen.card))
    pair = np.random.default_rng(1).standard_normal((2, seen.card.reading.embed_dim)).astype(np.float32)
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    own = seen.with_vectors(PromptVectors.shared(pair, len(patches)), "own")
    fused = own.with_scorer(FusedScorer(memo, Fusion(0.5, 0.5), own.card))
    want = Fusion(0.5, 0.5).map(seen.with_scorer(MemoryScorer(memo, seen.card)).raw(picture)[0], own.raw(picture)[0])
    assert np.abs(fused.raw(picture)[0] - want).max() < 1e-5
    assert len({seen.fingerprint, own.fingerprint, fused.fingerprint}) == 1
