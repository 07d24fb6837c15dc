"""The training loop on the golden fixtures: loss terms, gradients and three Adam steps of the published code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from zsad.backbone import load_backbone
from zsad.prompt.bank import LearnerSettings
from zsad.training.config import TrainConfig
from zsad.training.features import Entry, stack
from zsad.training.heads import PromptHead
from zsad.training.loop import losses, optimiser
from zsad.training.objective import Objective, Targets, Weights
from zsad.training.supply import FeatureBatch

GOLDEN = Path(__file__).parents[1] / "golden"
SET = "T"


def arrays(file: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"{SET}_{file}.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def fixture(tmp_path_factory):
    config = json.loads((GOLDEN / f"{SET}_config.json").read_text())
    inputs = arrays("inputs")
    weights = load_file(GOLDEN / f"{SET}_clip_weights.safetensors")
    table = np.zeros((49408, config["tw"]), np.float32)  # only the stored rows are ever read
    table[inputs["token_ids"]] = inputs["token_embedding_rows"]
    weights["token_embedding.weight"] = torch.from_numpy(table)
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file({name: value.contiguous() for name, value in weights.items()}, path)
    return config, inputs, path


def published(name: str) -> str:
    """The published name of one of our parameters."""
    name = name.removeprefix("image.")
    return {"context_normal": "ctx_pos", "context_anomalous": "ctx_neg"}.get(
        name, name.replace("deep.", "compound_prompts_text.")
    )


@pytest.mark.parametrize(
    ("file", "half", "last"), [("nohalf", False, False), ("train", True, False), ("train_lastonly", True, True)]
)
def test_three_steps(fixture, file, half, last):
    config, inputs, path = fixture
    expected = arrays(file)
    layers = tuple(config["feats"][-1:] if last else config["feats"])
    backbone = load_backbone(str(path), image_size=config["img"], vv_blocks=config["dpam"] - 1, layers=layers)
    settings = TrainConfig(
        learner=LearnerSettings(context=config["n_ctx"], depth=config["depth"], deep_length=config["t_n_ctx"]),
        half_prompts=half,
    )
    head = PromptHead(backbone, settings, decoupled=False)
    with torch.no_grad():
        for name, parameter in head.image.named_parameters():
            parameter.copy_(torch.from_numpy(inputs[f"prompt.{published(name)}"]).reshape(parameter.shape))
    label, mask = torch.from_numpy(inputs["label"]).float(), torch.from_numpy(inputs["mask"]) > 0.5
    with torch.no_grad():
        features = backbone(torch.from_numpy(inputs["image"]))
    entries = [Entry.of(c, p, m) for c, p, m in zip(*features, mask, strict=True)]
    cls, patches, masks = stack(entries, config["img"], torch.device("cpu"))
    count = len(label)
    batch = FeatureBatch(list(range(count)), cls, patches, Targets(label, masks, torch.ones(count, dtype=torch.bool)))
    objective, adam = Objective(config["img"], backbone.grid), optimiser(head, settings)

    for step in range(3):
        total, terms = losses(head(), batch, objective, Weights(count, count), settings)
        at = f"step{step}"
        assert float(total.detach()) == pytest.approx(float(expected[f"{at}_total_loss"]), rel=1e-5)
        assert float(terms["image"].detach()) == pytest.approx(float(expected[f"{at}_image_loss"]), rel=1e-4)
        adam.zero_grad()
        total.backward()
        for name, parameter in head.named_parameters():
            want = expected.get(f"{at}_grad.{published(name)}")
            if want is None:  # a deep prompt beyond the tower's blocks
                continue
            tolerance = 2e-3 if half and "deep" in name else 5e-5
            error = np.abs(parameter.grad.numpy() - want.reshape(parameter.shape)).max()
            assert error <= tolerance * np.abs(want).max(), (step, name)
        adam.step()
        for name, parameter in head.named_parameters():
            want = expected.get(f"step{step + 1}_param.{published(name)}")
            if want is not None:
                tolerance = 5e-5 if half and "deep" in name else 2e-6
                assert np.abs(parameter.detach().numpy() - want.reshape(parameter.shape)).max() <= tolerance
