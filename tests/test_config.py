from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Literal

import pytest

from zsad.card import LARGEST_INPUT
from zsad.config import from_mapping, from_yaml, knob, to_mapping, to_yaml
from zsad.errors import ConfigError


@dataclass(frozen=True)
class Optimiser:
    lr: float = knob(1e-3, "step size", low=0, high=1)
    betas: tuple[float, float] = knob((0.5, 0.999), "momentum")


@dataclass(frozen=True)
class Run:
    steps: int = knob(10, "steps", low=1, unit="steps")
    name: str = knob("a", "name")
    kind: Literal["fast", "exact"] = knob("fast", "kind")
    seed: int | None = knob(None, "seed")
    optimiser: Optimiser = Optimiser()
    sizes: tuple[int, ...] = knob((1, 2), "sizes")
    flag: bool = knob(False, "flag")


def test_round_trip(tmp_path):
    run = Run(steps=3, optimiser=Optimiser(lr=0.1), sizes=(5,), seed=7, flag=True, kind="exact")
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(run), encoding="utf-8")
    assert from_yaml(Run, path) == run
    assert from_mapping(Run, to_mapping(run)) == run


def test_absent_keys_keep_their_defaults():
    assert from_mapping(Run, None) == Run()
    assert from_mapping(Run, {"optimiser": {"lr": 1}}).optimiser.lr == 1.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"step": 3}, "unknown key 'step'"),
        ({"steps": 0}, "at least 1 steps"),
        ({"steps": 1.5}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"name": 3}, "text"),
        ({"kind": "slow"}, "one of fast, exact"),
        ({"optimiser": {"lr": 2}}, "at most 1"),
        ({"optimiser": {"lr": float("nan")}}, "NaN"),
        ({"optimiser": {"beta": 2}}, "unknown key 'beta'"),
        ({"optimiser": 3}, "mapping"),
        ({"optimiser": {"betas": [0.1]}}, "list of 2"),
        ({"sizes": "ab"}, "must be a list"),
        ({"flag": 1}, "true or false"),
        ([1], "mapping"),
    ],
)
def test_errors_name_the_key(data, message):
    with pytest.raises(ConfigError) as caught:
        from_mapping(Run, data, "run.yaml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("run.yaml")


@pytest.mark.parametrize("text", ["a: [", "\x00", "!!python/object/apply:os.system ['true']"])
def test_errors_in_yaml(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        from_yaml(Run, path)
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        from_yaml(Run, tmp_path / "absent.yaml")


@pytest.mark.parametrize("kind", ["training.config:TrainConfig", "suites.suite:Choice", "onnx_export.recipe:Recipe"])
def test_a_side_of_the_input_is_at_most_what_a_card_takes(kind):
    module, name = kind.split(":")
    if module.startswith(("onnx_export", "training")):
        pytest.importorskip("torch")
    made = getattr(importlib.import_module(f"zsad.{module}"), name)
    assert from_mapping(made, {"image_size": LARGEST_INPUT}, "run.yaml").image_size == LARGEST_INPUT
    with pytest.raises(ConfigError, match=f"image_size is {LARGEST_INPUT + 1}, it must be at most {LARGEST_INPUT} px"):
        from_mapping(made, {"image_size": LARGEST_INPUT + 1}, "run.yaml")
