"""Which optimiser moves which tensor, one Muon step against its definition, and probes against a worked example."""

import math
from contextlib import nullcontext

import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from factory import losses  # noqa: E402
from factory.config import TrainConfig  # noqa: E402
from factory.model import DualEncoder  # noqa: E402
from factory.optimiser import Float32Muon, descend, optimisers  # noqa: E402
from factory.probe import Probe  # noqa: E402

MUON = TrainConfig(steps=10, warmup=0, decay=0, rate=0.01, weight_decay=0.0, optimiser="muon")


def test_every_tensor_is_moved_by_one_optimiser(config):
    named = dict(DualEncoder(config.model).named_parameters())
    names = {id(p): n for n, p in named.items()}
    adam, muon = optimisers(named, MUON)
    groups = [{names[id(p)] for g in o.param_groups for p in g["params"]} for o in (adam, muon)]
    assert groups[0] | groups[1] == set(named) and not groups[0] & groups[1]
    assert "clip.visual.transformer.resblocks.0.mlp.c_fc.weight" in groups[1]
    for name in ("clip.token_embedding.weight", "clip.visual.positional_embedding", "clip.visual.conv1.weight"):
        assert name in groups[0]
    undecayed = {names[id(p)] for g in adam.param_groups if g["weight_decay"] == 0 for p in g["params"]}
    assert {"clip.logit_scale", "clip.token_embedding.weight", "log_scale", "offset"} <= undecayed
    assert len(optimisers(named, TrainConfig(steps=10, warmup=0, decay=0))) == 1


def test_muon_moves_along_the_nearest_orthogonal_matrix():
    """The first step points along U V^T of the gradient, with the root mean square that AdamW's steps have: 0.2."""
    torch.manual_seed(0)
    weight = torch.zeros(24, 16, requires_grad=True)
    gradient = torch.randn(24, 16)
    _, muon = optimisers({"w": weight, "b": torch.zeros(3, requires_grad=True)}, MUON)
    weight.grad = gradient
    muon.step()
    u, _, vt = torch.linalg.svd(gradient, full_matrices=False)
    wanted = -(u @ vt)
    assert F.cosine_similarity(weight.detach().flatten(), wanted.flatten(), dim=0) > 0.97
    assert weight.detach().square().mean().sqrt().item() == pytest.approx(0.2 * MUON.rate, rel=0.15)


def test_muon_in_float32_follows_its_polynomial_on_the_singular_values():
    """Its five steps act on every singular value alone; bfloat16 keeps two to three digits of them, float32 six."""
    torch.manual_seed(0)
    gradient = torch.randn(24, 16)
    weights = [torch.zeros(24, 16, requires_grad=True) for _ in range(2)]
    for weight, mode in zip(weights, (nullcontext(), Float32Muon()), strict=True):
        _, muon = optimisers({"w": weight, "b": torch.zeros(3, requires_grad=True)}, MUON)
        weight.grad = gradient.clone()
        with mode:
            muon.step()
        assert torch.equal(weight.grad, gradient)
    u, s, vt = torch.linalg.svd(gradient.double(), full_matrices=False)
    s = s / s.square().sum().sqrt()
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    wanted = -MUON.rate * 0.2 * 24**0.5 * (u * s) @ vt
    rough, fine = ((weight.detach() - wanted).abs().max() / wanted.abs().max() for weight in weights)
    assert fine < 1e-5 < 1e-3 < rough


def test_probe_asks_the_four_questions():
    """Two images of four patches; the second is normal and names no defect."""
    probe = Probe(dim=2, defects=2, materials=2)
    with torch.no_grad():
        for layer in (probe.patch, probe.image, probe.defect, probe.material):
            layer.weight.copy_(torch.arange(layer.weight.numel()).view_as(layer.weight) / 4 - 0.25)
            layer.bias.fill_(0.1)
    cls = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])
    patches = torch.tensor([[[1.0, 0], [0, 1], [2, 1], [0, 0]], [[1, 1], [0, 2], [1, 0], [3, 1]]])
    mask = torch.zeros(2, 4, 4)
    mask[0, :2, :2] = 1  # the first patch
    known = torch.tensor([[True, False], [False, False]])
    materials = torch.tensor([[False, True], [True, False]])
    targets = losses.Targets(mask, torch.tensor([1.0, 0.0]), torch.eye(2).bool(), known, materials)
    got = probe.loss(cls, patches, targets, gain=1.0, positive=3.0).item()

    def logit(v):  # weights (-0.25, 0), bias 0.1
        return -0.25 * v[0] + 0.1

    def pair(v):  # weights (-0.25, 0) and (0.25, 0.5)
        return torch.tensor([-0.25 * v[0] + 0.1, 0.25 * v[0] + 0.5 * v[1] + 0.1])

    z = torch.tensor([[logit(p) for p in image] for image in patches])
    truth = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    p = z.sigmoid()
    entropy = -(truth * p.log() + (1 - truth) * (1 - p).log()) * (1 + 2 * truth)
    large = F.interpolate(p.view(2, 1, 2, 2), size=(4, 4), mode="bilinear")[:, 0]
    overlap = (2 * (large * mask).sum((1, 2)) + 1) / (large.sum((1, 2)) + mask.sum((1, 2)) + 1)
    q = torch.tensor([logit(v) for v in cls]).sigmoid()
    image = -(q[0].log() + (1 - q[1]).log()) / 2
    first, rest = patches[0, 0], patches[0, 1:].mean(0)
    second = patches[1].mean(0)
    defect = [-pair(v).log_softmax(0)[0] for v in (first, cls[0])]
    named = [
        -(pair(a).log_softmax(0)[1] + pair(b).log_softmax(0)[0]) / 2 for a, b in ((rest, second), (cls[0], cls[1]))
    ]
    words = (sum(defect) + sum(named)) / 4
    assert got == pytest.approx((entropy.mean() + 1 - overlap.mean() + image + words).item(), rel=1e-5)


def test_descend_takes_the_steps_of_torchs_own_schedule():
    """Against AdamW under LambdaLR: step for step the same."""
    target = torch.tensor([1.0, -2.0, 0.5])
    found, wanted = (torch.zeros(3, requires_grad=True) for _ in range(2))
    descend([found], lambda step: (found - target * (1 + step)).square().sum(), 12, 0.1, 4)
    adam = torch.optim.AdamW([wanted], lr=0.1, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda step: min(1.0, (step + 1) / 4) * (0.5 + 0.5 * math.cos(step / 12 * math.pi))
    )
    for step in range(12):
        adam.zero_grad()
        (wanted - target * (1 + step)).square().sum().backward()
        torch.nn.utils.clip_grad_norm_([wanted], 1.0)
        adam.step()
        schedule.step()
    torch.testing.assert_close(found, wanted)
    assert found.abs().min() > 0.1
