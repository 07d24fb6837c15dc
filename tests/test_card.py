from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.card import CardScoring, ModelCard
from zsad.errors import CardError


def test_round_trip_keeps_every_value():
    card = ModelCard.of(
        name="x", layers=(6, 12), layer_weights=(0.25, 0.75), score_rule="fused(0.3)", details={"a": "é"}
    )
    assert ModelCard.from_json(card.to_json()) == card


@given(st.floats(0.01, 10), st.floats(0, 1), st.text(max_size=20), st.integers(1, 40))
def test_round_trip_property(temperature, threshold, name, grid):
    card = ModelCard.of(name=name, temperature=temperature, image_threshold=threshold, image_size=14 * grid)
    again = ModelCard.from_json(card.to_json())
    assert again == card
    assert again.grid == grid


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"surprise": 1}, "unknown card key 'surprise'"),
        ({"format": 3}, "card format 3, this zsad reads 1 to 2"),
        ({"format": True}, "card format True"),
        ({"format": "9" * 500}, "card format"),
        ({"input": 3}, "group 'input'"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"image_size": 500}, "multiple of patch_size"),
        ({"image_size": "518"}, "image_size"),
        ({"score_rule": "max"}, "score_rule"),
        ({"score_rule": "fused(1.5)"}, "score_rule"),
        ({"layers": []}, "layers"),
        ({"layers": [0]}, "layers"),
        ({"layer_weights": [0.5, 0.5]}, "layer_weights"),
        ({"layer_weights": [0.5]}, "layer_weights"),
        ({"std": [0, 1, 1]}, "std"),
        ({"details": {"a": 1}}, "details"),
        ({"head": "two words"}, "head"),
        ({"reduction": "mean"}, "reduction"),
        ({"classes": ["a", "a"]}, "classes"),
        ({"classes": []}, "classes"),
        ({"classes": [["a"]]}, "classes"),
        ({"sigma": 10**400}, "sigma"),
        ({"mean": [10**400, 0, 0]}, "mean"),
        ({"image_size": 14 * 10**6}, "image_size must be an integer of 1 to 8192"),
        ({"layers": [1] * 200}, "layers"),
        ({"quick_gelu": 1}, "quick_gelu"),
    ],
)
def test_errors_name_file_and_key(change, word):
    data = json.loads(ModelCard().to_json())
    for key, value in change.items():
        groups = [group for group, part in data.items() if isinstance(part, dict) and key in part]
        (data[groups[0]] if groups else data)[key] = value
    with pytest.raises(CardError, match=r"model\.onnx") as caught:
        ModelCard.from_json(json.dumps(data), "model.onnx")
    assert word in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


FLAT = {
    "format": 1, "name": "old", "backbone": "ViT-B-16/openai", "image_size": 224, "patch_size": 16, "embed_dim": 512,
    "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "pos_interp": "bicubic", "pos_antialias": True,
    "quick_gelu": False, "vv_blocks": 1, "class_norm": True, "layers": [6, 12], "layer_weights": [0.5, 0.5],
    "temperature": 0.05, "sigma": 2.0, "score_rule": "map_top1", "head": "weights", "prompt": "p",
    "image_threshold": 0.3, "pixel_threshold": 0.4, "min_area": 0.001, "calibrated": True, "training_data": "t",
    "licence": "MIT", "source": "s", "description": "d", "details": {"seed": "1"},
}  # fmt: skip


def test_a_card_of_zsad_0_1_is_read_and_written_in_groups():
    card = ModelCard.from_json(json.dumps(FLAT))
    expected = {key: tuple(value) if isinstance(value, list) else value for key, value in FLAT.items()}
    assert card.flat() == {key: value for key, value in expected.items() if key != "format"} | {
        "reduction": "sum",
        "classes": ("anomalous",),
        "verdict_rule": "either",
    }
    written = json.loads(card.to_json())
    assert written["format"] == 2 and set(written) == {"format", "input", "reading", "scoring", "provenance"}
    assert written["input"]["image_size"] == 224 and written["scoring"]["prompt"] == "p"
    assert ModelCard.from_json(card.to_json()) == card


def test_errors_a_key_in_the_wrong_group():
    data = json.loads(ModelCard().to_json())
    data["input"]["sigma"] = 1.0
    with pytest.raises(CardError, match=r"unknown card key 'input\.sigma'"):
        ModelCard.from_json(json.dumps(data))


def test_values_that_fit_only_together_are_changed_together():
    card = ModelCard.of(image_size=224, patch_size=16)
    assert card.changed(image_size=210, patch_size=14).grid == 15
    with pytest.raises(CardError, match="multiple"):
        card.changed(image_size=210)
    with pytest.raises(KeyError):
        card.changed(colour="red")


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"card"', "{" * 100_000])
def test_errors_not_a_card(text):
    with pytest.raises(CardError):
        ModelCard.from_json(text)


def test_fusion_reads_the_score_rule():
    assert [CardScoring(score_rule=rule).fusion for rule in ("cls", "map_top1", "fused(0.25)")] == [0.0, 1.0, 0.25]


def test_map_weights_sum_to_one():
    assert sum(CardScoring().map_weights(4)) == pytest.approx(1.0)
