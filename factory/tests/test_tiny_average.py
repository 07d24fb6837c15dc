from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from factory.average import average
from factory.checkpoint import Checkpoint
from zsad.errors import ModelError


def made(value: float, step: int, width: int = 8, seed: int = 0) -> Checkpoint:
    tensors = {"average/w": torch.full((2,), value), "weights/w": torch.full((2,), 9.0)}
    tensors["seen"] = torch.arange(40) == step
    config = {"model": {"width": width}, "train": {"seed": seed}}
    return Checkpoint(step, config, tensors, ({"world": "1", "hardware": "x"},))


def test_mean_of_the_shipped_weights_only():
    merged = average([made(1.0, 10), made(3.0, 20, seed=1), made(8.0, 30)])
    assert merged.tensors["average/w"].tolist() == [4.0, 4.0]
    assert merged.tensors["weights/w"].tolist() == [9.0, 9.0]
    assert merged.step == 30
    assert merged.tensors["seen"].nonzero().flatten().tolist() == [10, 20, 30]
    assert merged.history[-1]["averaged_steps"] == "10, 20, 30"
    assert merged.history[-1]["averaged_seeds"] == "0, 1"


def test_errors_different_models():
    with pytest.raises(ModelError, match="one run"):
        average([made(1.0, 10), made(3.0, 20, width=16)])


def test_probes_are_not_shipped_and_stay_as_they_are():
    last = made(3.0, 20)
    last = replace(last, tensors={**last.tensors, "average/probe.w": torch.ones(2)})
    merged = average([made(1.0, 10), last])
    assert merged.tensors["average/w"].tolist() == [2.0, 2.0]
    assert merged.tensors["average/probe.w"].tolist() == [1.0, 1.0]
