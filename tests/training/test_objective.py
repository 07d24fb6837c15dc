from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.golden_support import naive
from zsad.training.config import TrainConfig
from zsad.training.heads import Vectors
from zsad.training.loop import losses
from zsad.training.objective import Objective, Targets, Weights
from zsad.training.supply import FeatureBatch

GOLDEN = Path(__file__).parents[1] / "golden"


def reference(prob: torch.Tensor, mask: torch.Tensor, size: int) -> dict[str, torch.Tensor]:
    """As published: both probabilities up-sampled, every term over pixels. ``prob`` is ``(M, K, G, G)``."""
    anomalous, normal = (F.interpolate(p, size=(size, size), mode="bilinear") for p in (prob, 1 - prob))
    y = mask.to(prob)
    weight_a, weight_n = y.clamp(1e-5, 1 - 1e-5), (1 - y).clamp(1e-5, 1 - 1e-5)
    pt = weight_a * anomalous + weight_n * normal + 1e-5

    def dice(p: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 1 - (2 * (p * y).sum((2, 3)) + 1) / (p.sum((2, 3)) + y.sum((1, 2)) + 1)

    return {
        "focal": (-((1 - pt) ** 2) * pt.log()).mean((2, 3)),
        "dice_anomalous": dice(anomalous, y),
        "dice_normal": dice(normal, 1 - y),
    }


@pytest.mark.parametrize(("size", "grid"), [(42, 3), (70, 5), (32, 4)])
def test_pixel_terms_and_gradients_equal_the_published_ones(size, grid):
    torch.manual_seed(0)
    prob = torch.rand(2, 3, grid, grid, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(3, size, size) > 0.7
    mask[1] = False
    ours = Objective(size, grid, dtype=torch.float64).pixel(prob, mask)
    theirs = reference(prob, mask, size)
    weight = torch.rand(2, 3, dtype=torch.float64)
    for name in theirs:
        assert torch.allclose(ours[name], theirs[name], atol=1e-11), name
        (a,) = torch.autograd.grad((ours[name] * weight).sum(), prob, retain_graph=True)
        (b,) = torch.autograd.grad((theirs[name] * weight).sum(), prob, retain_graph=True)
        assert torch.allclose(a, b, atol=1e-11), name


def test_gradient_of_focal_by_differences():
    prob = torch.rand(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 12, 12) > 0.5
    objective = Objective(12, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: objective.pixel(p, mask)["focal"], (prob,))


def test_image_term_is_the_cross_entropy_of_two_logits():
    cosine = torch.rand(5, 2) * 2 - 1
    label = torch.tensor([0, 1, 1, 0, 1])
    targets = Targets(label.float(), torch.zeros(5, 12, 12, dtype=torch.bool), torch.zeros(5, dtype=torch.bool))
    logit = (cosine[:, 1] - cosine[:, 0]) / 0.07
    total, terms = Objective(12, 3)(logit, torch.rand(1, 5, 9), targets, Weights(5, 0))
    assert torch.allclose(total, F.cross_entropy(cosine / 0.07, label), rtol=1e-5)
    assert float(terms["focal"]) == 0


def test_images_without_a_mask_do_not_enter_the_pixel_terms():
    torch.manual_seed(0)
    prob = torch.rand(1, 3, 9, requires_grad=True)
    mask = torch.rand(3, 12, 12) > 0.5
    masked = torch.tensor([True, False, True])
    targets = Targets(torch.tensor([1.0, 1.0, 0.0]), mask, masked)
    total, terms = Objective(12, 3)(torch.zeros(3), prob, targets, Weights(3, 2))
    only = Objective(12, 3).pixel(prob.detach()[:, masked].reshape(1, 2, 3, 3), mask[masked])
    assert terms["focal"].item() == pytest.approx(only["focal"].mean().item(), rel=1e-5)
    total.backward()
    assert prob.grad is not None and (prob.grad[:, 1] == 0).all() and (prob.grad[:, 0] != 0).any()


def test_parts_of_a_batch_sum_to_the_whole():
    rng = np.random.default_rng(0)
    prob = torch.from_numpy(rng.random((2, 5, 9), dtype=np.float32))
    logit = torch.from_numpy(rng.normal(size=5).astype(np.float32))
    mask = torch.from_numpy(rng.random((5, 12, 12)) > 0.6)
    masked = torch.tensor([True, True, False, True, False])
    label = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0])
    objective, weights = Objective(12, 3), Weights(5, 3)
    whole, _ = objective(logit, prob, Targets(label, mask, masked), weights)
    parts = [
        objective(logit[s], prob[:, s], Targets(label[s], mask[s], masked[s]), weights)[0]
        for s in (slice(0, 2), slice(2, 5))
    ]
    assert torch.allclose(sum(parts), whole, rtol=1e-5)


def test_golden_values_and_gradients():
    """On a grid of the masks' side, where up-sampling changes nothing; one map stands for both channels."""
    with np.load(GOLDEN / "ops.npz") as data:
        ops = {name: torch.from_numpy(data[name]) for name in data.files if name.startswith("loss.")}
    prob = ops["loss.prob"][:, 1].clone().requires_grad_()  # (B, S, S)
    side = prob.shape[-1]
    parts = Objective(side, side, dtype=prob.dtype).pixel(prob[None], ops["loss.gt"] > 0.5)
    for name, term in (("focal", "focal"), ("dice1", "dice_anomalous"), ("dice0", "dice_normal")):
        value = parts[term].mean()
        assert value.item() == pytest.approx(ops[f"loss.{name}"].item(), rel=1e-6)
        (gradient,) = torch.autograd.grad(value, prob, retain_graph=True)
        want = ops[f"loss.{name}_grad"]
        assert torch.allclose(gradient, want[:, 1] - want[:, 0], atol=1e-8)


def published(cls, patches, text, mask, label):
    """Loss, image term and ``(L, 3)`` pixel terms as training computes them, from features of any length.

    ``patches`` is ``(B, L, N, D)``, ``text`` ``(2, D)``.
    """
    side, grid, count = mask.shape[-1], int(patches.shape[2] ** 0.5), len(label)
    unit, layers = F.normalize(text, dim=-1), patches.shape[1]
    every = torch.ones(count, dtype=torch.bool)
    features = F.normalize(patches, dim=-1).transpose(0, 1)
    batch = FeatureBatch(
        list(range(count)), F.normalize(cls, dim=-1), features, Targets(label.float(), mask > 0.5, every)
    )
    objective = Objective(side, grid, dtype=cls.dtype)
    vectors = Vectors(unit, unit.expand(layers, -1, -1), torch.full((layers,), 1 / layers, dtype=cls.dtype))
    total, terms = losses(vectors, batch, objective, Weights(count, count), TrainConfig())
    prob = torch.sigmoid(features @ (unit[1] - unit[0]) / 0.07).unflatten(2, (grid, grid))
    parts = objective.pixel(prob, mask > 0.5)
    rows = torch.stack([parts[name].mean(1) for name in ("focal", "dice_anomalous", "dice_normal")], dim=1)
    return total, terms["image"], rows


def test_reference_naive_and_published_total():
    generator = torch.Generator().manual_seed(0)
    # In double precision: drawn features are so surely judged that float32 has no digits left for 1 - p.
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    tokens = {n: draw(2, 17, 8) for n in (1, 2)}
    cls, text = draw(2, 8), draw(2, 8)
    mask = (torch.rand(2, 20, 20, generator=generator) > 0.7).double()
    label = torch.tensor([1, 0])
    image, rows = naive.losses(naive.Seen(cls, tokens, {}, {}), text, mask, label)
    patches = torch.stack([t[:, 1:] for t in tokens.values()], dim=1)
    total, ours, pixel = published(cls, patches, text, mask, label)
    assert torch.allclose(pixel, torch.tensor(rows, dtype=torch.float64), rtol=1e-6)
    assert torch.allclose(ours, image, rtol=1e-5)
    assert torch.allclose(total, 4 * sum(sum(row) for row in rows) + image, rtol=1e-5)


def test_golden_stage_losses():
    """From the released code's features and texts to its losses before the first step."""
    with np.load(GOLDEN / "A_stages.npz") as data:
        golden = dict(data)
    layers = [int(layer) for layer in golden["layers"]]
    patches = torch.stack([torch.from_numpy(golden[f"patch_features_raw_L{n:02d}"][:, 1:]) for n in layers], dim=1)
    cls, text, mask, label = (
        torch.from_numpy(golden[name]) for name in ("image_features_raw", "text_features", "mask", "label")
    )
    total, image, pixel = published(cls, patches, text[0], mask, label)
    assert np.allclose(pixel, golden["step0_focal_dice1_dice0"], rtol=1e-5)
    assert image.item() == pytest.approx(float(golden["step0_image_loss"]), rel=1e-5)
    assert total.item() == pytest.approx(float(golden["step0_total_loss"]), rel=1e-5)


def test_perfect_and_opposite_predictions():
    mask = torch.rand(3, 12, 12, generator=torch.Generator().manual_seed(0)) > 0.8
    right = mask.double()[None]
    objective = Objective(12, 12, dtype=torch.float64)
    good, bad = objective.pixel(right, mask), objective.pixel(1 - right, mask)
    assert good["focal"].max() < 1e-9 < 5 < bad["focal"].min()
    assert good["dice_anomalous"].max() < 1e-12
    assert torch.isfinite(bad["focal"]).all()


def test_dice_of_an_empty_mask_is_defined():
    zero = torch.zeros(1, 2, 4, 4)
    objective, empty = Objective(4, 4), torch.zeros(2, 4, 4, dtype=torch.bool)
    assert (objective.pixel(zero, empty)["dice_anomalous"] == 0).all()
    full = objective.pixel(torch.ones(1, 2, 4, 4), empty)["dice_anomalous"]
    assert full.tolist() == [[pytest.approx(1 - 1 / 17)] * 2]


def test_kornia_is_another_loss():
    """Why focal is written here: kornia's takes logits and does not smooth the labels."""
    kornia = pytest.importorskip("kornia")
    with np.load(GOLDEN / "ops.npz") as data:
        prob, mask = torch.from_numpy(data["loss.prob"]), torch.from_numpy(data["loss.gt"])
        want = float(data["loss.focal"])
    theirs = kornia.losses.focal_loss(prob.log(), mask.long(), alpha=None, gamma=2.0, reduction="none").sum(1).mean()
    assert abs(theirs.item() - want) / want > 2e-5
