import json
from pathlib import Path

import open_clip
import pytest
import torch

from tests.golden_support import naive
from zsad.backbone import TextTower, load_backbone
from zsad.backbone.state_dict import build
from zsad.backbone.text_tower import token_ids
from zsad.errors import ModelError, PromptError

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TEXTS = ["a metal nut", "a photo of a damaged screw with a very long scratch.", ""]


@pytest.fixture(scope="module")
def tower(full_clip_file):
    return load_backbone(str(full_clip_file)).text_tower()


def test_reference_open_clip(tower, full_weights):
    model, _ = build("T", {k: v for k, v in full_weights.items() if v.dtype != torch.int64}, True)
    with torch.no_grad():
        want = model.encode_text(open_clip.tokenize(TEXTS))
    assert torch.allclose(tower.encode_texts(TEXTS), want, atol=1e-5)


def test_reference_naive_over_all_positions(tower, full_weights):
    """Only positions up to the last end are computed; the plain form computes all 77."""
    weights = {name: value.float() for name, value in full_weights.items()}
    ids = tower.tokenize(TEXTS)
    want = naive.say(weights["token_embedding.weight"][ids], ids, [], weights, half=False)
    seen = []

    def insert(index, x):
        seen.append(x.shape[1])
        return x

    have = tower.encode(tower.embed(ids), tower.ends(ids), insert)
    assert torch.allclose(have, want, atol=1e-5)
    assert set(seen) == {int(ids.argmax(dim=-1).max()) + 1} and seen[0] < 77


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_type": "last"},
        {"pool_type": "first", "no_causal_mask": True},
        {"pool_type": "eos", "eos_id": 49407},
        {"proj_bias": True},
        {"ls_init_value": 0.5},
    ],
)
def test_reference_other_text_towers(changes):
    config = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 20, "width": 64, "heads": 2, "layers": 2} | changes,
    }
    torch.manual_seed(0)
    model = open_clip.CustomTextCLIP(**config).eval()
    ids = token_ids(open_clip.SimpleTokenizer(), TEXTS, 20)
    tower = TextTower(model, open_clip.SimpleTokenizer())
    with torch.no_grad():
        assert torch.allclose(tower.encode_texts(TEXTS), model.encode_text(ids), atol=1e-5)


def test_golden_tokens():
    for entry in json.loads((GOLDEN / "tokenizer.json").read_text(encoding="utf-8")):
        ids = token_ids(open_clip.SimpleTokenizer(), [entry["text"]], 77)[0]
        assert ids[: len(entry["ids"])].tolist() == entry["ids"]
        assert int(ids[len(entry["ids"]) :].sum()) == 0
        assert int(ids.argmax()) == entry["eot_argmax"]


def test_a_text_that_would_be_cut_off_is_refused(tower):
    with pytest.raises(PromptError, match="shorten it"):
        tower.tokenize(["scratch " * 80])
    assert tower.tokenize(["scratch " * 75]).shape == (1, 77)


def test_another_kind_of_text_tower_is_refused():
    with pytest.raises(ModelError, match="not a CLIP text transformer"):
        TextTower(torch.nn.Linear(2, 2), None)
