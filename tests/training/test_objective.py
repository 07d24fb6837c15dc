from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zsad.training.objective import Objective, Targets, Weights


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
