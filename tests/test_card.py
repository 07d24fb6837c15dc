from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsad.card import ModelCard
from zsad.errors import CardError


def test_round_trip_keeps_every_value():
    card = ModelCard(name="x", layers=(6, 12), layer_weights=(0.25, 0.75), score_rule="fused(0.3)", details={"a": "é"})
    assert ModelCard.from_json(card.to_json()) == card


@given(st.floats(0.01, 10), st.floats(0, 1), st.text(max_size=20), st.integers(1, 40))
def test_round_trip_property(temperature, threshold, name, grid):
    card = ModelCard(name=name, temperature=temperature, image_threshold=threshold, image_size=14 * grid)
    again = ModelCard.from_json(card.to_json())
    assert again == card
    assert again.grid == grid


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"surprise": 1}, "unknown card key 'surprise'"),
        ({"format": 2}, "card format 2"),
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
        ({"head": "cnn"}, "head"),
        ({"quick_gelu": 1}, "quick_gelu"),
    ],
)
def test_errors_name_file_and_key(change, word):
    data = json.loads(ModelCard().to_json()) | change
    with pytest.raises(CardError, match=r"model\.onnx") as caught:
        ModelCard.from_json(json.dumps(data), "model.onnx")
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"card"', "{" * 100_000])
def test_errors_not_a_card(text):
    with pytest.raises(CardError):
        ModelCard.from_json(text)


def test_fusion_reads_the_score_rule():
    assert [ModelCard(score_rule=rule).fusion for rule in ("cls", "map_top1", "fused(0.25)")] == [0.0, 1.0, 0.25]


def test_map_weights_sum_to_one():
    assert sum(ModelCard(layers=(6, 12, 18, 24)).map_weights) == pytest.approx(1.0)
