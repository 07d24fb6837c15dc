from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.golden_support import naive
from zsad.scoring.direction_head import similarity_maps
from zsad.training.losses import dice_loss, focal_loss, image_loss, pixel_losses, total_loss

GOLDEN = Path(__file__).parents[1] / "golden"


def case(batch=3, side=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    anomalous = torch.rand(batch, side, side, generator=generator, dtype=torch.float64) * 0.98 + 0.01
    mask = (torch.rand(batch, side, side, generator=generator) > 0.8).double()
    return torch.stack([1 - anomalous, anomalous], dim=1), mask


def test_golden_values_and_gradients():
    with np.load(GOLDEN / "ops.npz") as data:
        ops = {name: torch.from_numpy(data[name]) for name in data.files if name.startswith("loss.")}
    mask = ops["loss.gt"]
    losses = {
        "focal": lambda p: focal_loss(p, mask),
        "dice1": lambda p: dice_loss(p[:, 1], mask),
        "dice0": lambda p: dice_loss(p[:, 0], 1 - mask),
    }
    for name, loss in losses.items():
        prob = ops["loss.prob"].clone().requires_grad_()
        value = loss(prob)
        value.backward()
        assert value.item() == pytest.approx(ops[f"loss.{name}"].item(), rel=1e-6)
        assert torch.allclose(prob.grad, ops[f"loss.{name}_grad"], atol=1e-8)


def test_reference_naive_and_published_total():
    generator = torch.Generator().manual_seed(0)
    tokens = {n: torch.randn(2, 17, 8, generator=generator) for n in (1, 2)}
    cls, text = torch.randn(2, 8, generator=generator), torch.randn(2, 8, generator=generator)
    mask = (torch.rand(2, 20, 20, generator=generator) > 0.7).float()
    label = torch.tensor([1, 0])
    image, rows = naive.losses(naive.Seen(cls, tokens, {}, {}), text, mask, label)
    unit = F.normalize(text, dim=-1)
    direction = (unit[1] - unit[0]) / 0.07
    patches = torch.stack([t[:, 1:] for t in tokens.values()], dim=1)
    pixel = pixel_losses(similarity_maps(patches, direction.expand(2, -1), 20), mask)
    assert torch.allclose(pixel, torch.tensor(rows), rtol=1e-5, atol=1e-6)
    assert torch.allclose(image_loss(cls, direction, label), image, rtol=1e-5)
    want = 4 * sum(sum(row) for row in rows) + image
    assert torch.allclose(total_loss(pixel, image_loss(cls, direction, label)), want, rtol=1e-5)


def test_golden_stage_losses():
    """From the released code's features and texts to its losses before the first step."""
    with np.load(GOLDEN / "A_stages.npz") as data:
        golden = dict(data)
    layers = [int(layer) for layer in golden["layers"]]
    patches = torch.stack([torch.from_numpy(golden[f"patch_features_raw_L{n:02d}"][:, 1:]) for n in layers], dim=1)
    text = torch.from_numpy(golden["text_features"][0])
    direction = (text[1] - text[0]) / 0.07
    mask, label = torch.from_numpy(golden["mask"]), torch.from_numpy(golden["label"])
    pixel = pixel_losses(similarity_maps(patches, direction.expand(len(layers), -1), mask.shape[-1]), mask)
    image = image_loss(torch.from_numpy(golden["image_features_raw"]), direction, label)
    assert np.allclose(pixel, golden["step0_focal_dice1_dice0"], rtol=1e-5)
    assert image.item() == pytest.approx(float(golden["step0_image_loss"]), rel=1e-5)
    assert total_loss(pixel, image).item() == pytest.approx(float(golden["step0_total_loss"]), rel=1e-5)


def test_gradient():
    prob, mask = case(batch=2, side=3)
    prob.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: focal_loss(p, mask), prob)
    assert torch.autograd.gradcheck(lambda p: dice_loss(p[:, 1], mask), prob)


def test_perfect_and_opposite_predictions():
    _, mask = case()
    right = torch.stack([1 - mask, mask], dim=1)
    wrong = right.flip(1)
    assert focal_loss(right, mask) < 1e-9 < 5 < focal_loss(wrong, mask)
    assert dice_loss(mask, mask) < 1e-12
    assert torch.isfinite(focal_loss(wrong, mask))


def test_dice_of_an_empty_mask_is_defined():
    zero = torch.zeros(2, 4, 4)
    assert dice_loss(zero, zero) == 0
    assert dice_loss(torch.ones(2, 4, 4), zero) == pytest.approx(1 - 1 / 17)


def test_kornia_is_another_loss():
    """Why focal is written here: kornia's takes logits and does not smooth the labels."""
    kornia = pytest.importorskip("kornia")
    with np.load(GOLDEN / "ops.npz") as data:
        prob, mask = torch.from_numpy(data["loss.prob"]), torch.from_numpy(data["loss.gt"])
        want = float(data["loss.focal"])
    theirs = kornia.losses.focal_loss(prob.log(), mask.long(), alpha=None, gamma=2.0, reduction="none").sum(1).mean()
    assert abs(theirs.item() - want) / want > 2e-5
