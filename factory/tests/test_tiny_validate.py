"""The figures that choices are based on, on cases made by hand."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from factory import validate  # noqa: E402
from zsad.card import ModelCard  # noqa: E402
from zsad.scoring.direction_head import DirectionHead  # noqa: E402
from zsad.types import PromptVectors  # noqa: E402


def units(*shape, seed=0):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_word_accuracy_by_hand():
    words = torch.eye(10)
    vectors = words[[3, 4, 5, 6]]
    right = torch.eye(10)[[3, 4, 5, 6]].bool().numpy()
    assert validate.word_accuracy(vectors, words, right) == 1.0
    half = right.copy()
    half[2:] = np.roll(half[2:], 1, axis=1)
    assert validate.word_accuracy(vectors, words, half) == 0.5
    left_out = right.copy()
    left_out[0] = False
    assert validate.word_accuracy(vectors, words, left_out) == 1.0
    assert np.isnan(validate.word_accuracy(vectors, words, np.zeros((4, 10), bool)))


def test_word_accuracy_of_noise_is_chance():
    right = np.eye(40, dtype=bool)[np.random.default_rng(0).integers(0, 40, 3000)]
    assert abs(validate.word_accuracy(units(3000, 8), units(40, 8, seed=1), right) - 1 / 8) < 0.02


@pytest.mark.parametrize("sigma", [0.0, 2.0])
@pytest.mark.parametrize("fusion", [0.0, 0.25, 1.0])
def test_maps_and_scores_are_the_detectors(sigma, fusion):
    cls, patches, pair = units(3, 6), units(3, 16, 6, seed=1), units(2, 6, seed=2)
    rule = {0.0: "cls", 1.0: "map_top1"}.get(fusion, f"fused({fusion})")
    card = ModelCard.of(
        image_size=32, patch_size=8, embed_dim=6, layers=(2,), sigma=sigma, score_rule=rule, vv_blocks=1
    )
    head = DirectionHead(card, PromptVectors.shared(pair.numpy(), 1))
    maps, scores = head(cls, patches[:, None])
    ours = validate.maps(patches, pair, card.scoring.temperature, 32, sigma)
    np.testing.assert_allclose(ours, maps.numpy(), atol=1e-6)
    theirs = validate.image_scores(validate.score_parts(cls, ours, pair, card.scoring.temperature), fusion)
    np.testing.assert_allclose(theirs, scores.numpy(), atol=1e-6)


def test_a_row_is_of_the_readout_that_was_asked_for():
    def at(value):
        rules = {"fused(0.0)": value + 0.3, "fused(1.0)": value + 0.4}
        return {"pixel_auroc": value, "pixel_aupro": value + 0.1, "pixel_f1": value + 0.2, "image_auroc": rules}

    found = {"sigma": {0.0: at(0.1), 4.0: at(0.123456)}, "words": {"defect_of_8": 0.25}}
    assert validate.row_of(found, 4.0, 1.0) == {
        "pixel_auroc": 0.1235,
        "pixel_aupro": 0.2235,
        "image_auroc": 0.5235,
        "defect_of_8": 0.25,
    }
