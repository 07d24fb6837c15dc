from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from tests.golden_support import naive
from zsad.card import ModelCard
from zsad.errors import PromptError
from zsad.scoring.direction_head import DirectionHead, anomaly_probability
from zsad.scoring.smoothing import smoothing_matrix, top_count
from zsad.types import PromptVectors

GOLDEN = Path(__file__).parents[1] / "golden" / "A_stages.npz"


def card(size=56, patch=8, width=16, layers=(1, 2), **changes):
    return ModelCard.of(image_size=size, patch_size=patch, embed_dim=width, layers=layers, vv_blocks=1, **changes)


def vectors(width=16, layers=2, seed=0):
    rng = np.random.default_rng(seed)
    pairs = rng.standard_normal((layers + 1, 2, width)).astype(np.float32)
    pairs /= np.linalg.norm(pairs, axis=-1, keepdims=True)
    return PromptVectors(image=pairs[0], pixel=pairs[1:])


def features(of, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, len(of.reading.layers), of.grid**2, of.reading.embed_dim)
    return torch.randn(batch, of.reading.embed_dim, generator=generator) * 5, torch.randn(
        *shape, generator=generator
    ) * 3


def test_smoke_shapes_and_range():
    of = card(score_rule="fused(0.5)")
    maps, scores = DirectionHead(of, vectors())(*features(of, batch=3))
    assert maps.shape == (3, 56, 56) and scores.shape == (3,)
    assert maps.dtype == scores.dtype == torch.float32
    assert maps.min() >= 0 and maps.max() <= 1 and scores.min() >= 0 and scores.max() <= 1


def test_buffers_are_named_for_the_exporter():
    of = card()
    head = DirectionHead(of, vectors())
    shapes = {name: tuple(value.shape) for name, value in head.named_buffers()}
    assert shapes == {
        "image_direction": (16,),
        "pixel_direction": (2, 16),
        "smoothing": (56, 7),
        "layer_weights": (2, 1),
    }
    want = (vectors().pixel[:, 1] - vectors().pixel[:, 0]) / 0.07
    assert np.allclose(head.pixel_direction, want, atol=1e-5)
    assert not list(head.parameters())


def test_reference_softmax_of_two_materialised():
    """The sigmoid of one dot product is the softmax over two texts."""
    of, v = card(), vectors()
    cls, patches = features(of)
    head = DirectionHead(of, v)
    for index in range(2):
        unit = F.normalize(patches[:, index].double(), dim=-1)
        want = (unit @ torch.from_numpy(v.pixel[index]).double().T / 0.07).softmax(dim=-1)[..., 1]
        have = anomaly_probability(patches, head.pixel_direction)[:, index]
        assert torch.allclose(have.double(), want, atol=2e-6)
    want = (F.normalize(cls, dim=-1) @ torch.from_numpy(v.image).T / 0.07).softmax(dim=-1)[:, 1]
    assert torch.allclose(head(cls, patches)[1], want, atol=2e-6)


@pytest.mark.parametrize("sigma", [0.0, 1.5, 4.0])
@pytest.mark.parametrize(("size", "patch"), [(56, 8), (32, 32), (98, 14), (24, 8)])
def test_reference_interpolate_then_scipy(size, patch, sigma):
    of = card(size, patch, sigma=sigma, layer_weights=(0.3, 0.7))
    head, v = DirectionHead(of, vectors()), vectors()
    cls, patches = features(of)
    want = np.zeros((2, size, size))
    for index, weight in enumerate(of.scoring.layer_weights):
        prob = (F.normalize(patches[:, index], dim=-1) @ torch.from_numpy(v.pixel[index]).T / 0.07).softmax(-1)[..., 1]
        grid = prob.reshape(2, 1, of.grid, of.grid)
        large = F.interpolate(grid, size=(size, size), mode="bilinear", align_corners=False)[:, 0].double().numpy()
        want += weight * np.stack([gaussian_filter(m, sigma) if sigma else m for m in large])
    assert np.abs(head(cls, patches)[0].numpy() - want).max() < 1e-5


def test_reference_naive_published_map():
    """L times this project's mean is the published sum."""
    of, v = card(), vectors()
    same = PromptVectors.shared(v.image, 2)
    _, patches = features(of)
    padded = {n: F.pad(patches[:, n], (0, 0, 1, 0), value=1.0) for n in range(2)}
    seen = naive.Seen(torch.zeros(2, 16), padded, {}, {})
    raw, smooth = naive.anomaly_map(seen, torch.from_numpy(v.image), 56, 4.0)
    have, _ = DirectionHead(of, same)(torch.ones(2, 16), patches)
    assert np.abs(2 * have.numpy() - smooth.numpy()).max() < 1e-5
    have, _ = DirectionHead(of.changed(sigma=0.0), same)(torch.ones(2, 16), patches)
    assert torch.allclose(2 * have, raw, atol=1e-5)


@given(size=st.integers(1, 40), grid=st.integers(1, 12), sigma=st.floats(0.3, 12.0), seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_smoothing_matrix_properties(size, grid, sigma, seed):
    """Rows sum to 1 and are not negative, and the Gaussian is scipy's even where its radius exceeds the image."""
    matrix = smoothing_matrix(size, grid, sigma)
    assert matrix.shape == (size, grid)
    assert matrix.min() >= 0 and np.allclose(matrix.sum(axis=1), 1.0, atol=1e-12)
    values = np.random.default_rng(seed).random((size, size))
    identity = smoothing_matrix(size, size, sigma)
    assert np.allclose(identity @ values @ identity.T, gaussian_filter(values, sigma), atol=1e-9)


@pytest.mark.parametrize("rule", ["cls", "map_top1", "fused(0.25)", "fused(1.0)"])
def test_score_rules(rule):
    of = card(score_rule=rule)
    cls, patches = features(of, batch=3)
    maps, scores = DirectionHead(of, vectors())(cls, patches)
    _, by_class = DirectionHead(card(), vectors())(cls, patches)
    top = np.sort(maps.numpy().reshape(3, -1), axis=1)[:, -31:].mean(axis=1)
    assert top_count(56) == 31
    weight = of.scoring.fusion
    assert np.allclose(scores, weight * top + (1 - weight) * by_class.numpy(), atol=1e-6)


def test_zero_features_and_half_inputs_are_finite():
    of = card()
    head = DirectionHead(of, vectors())
    cls, patches = features(of)
    maps, scores = head(torch.zeros_like(cls), torch.zeros_like(patches))
    assert torch.allclose(maps, torch.full_like(maps, 0.5)) and torch.allclose(scores, torch.full_like(scores, 0.5))
    maps, _ = head(cls.half(), patches.half())
    assert (maps - head(cls, patches)[0]).abs().max() < 1e-2 and maps.dtype == torch.float32


def test_errors_on_vectors_of_another_backbone():
    for wrong in (vectors(width=17), vectors(layers=3)):
        with pytest.raises(PromptError, match="made for it"):
            DirectionHead(card(), wrong)


def test_golden_stage():
    """From the released code's features and texts to its scores and maps."""
    with np.load(GOLDEN) as data:
        golden = dict(data)
    layers = tuple(int(layer) for layer in golden["layers"])
    of = card(98, 14, width=64, layers=layers)
    cls = torch.from_numpy(golden["image_features_raw"])
    patches = torch.stack([torch.from_numpy(golden[f"patch_features_raw_L{n:02d}"][:, 1:]) for n in layers], dim=1)
    head = DirectionHead(of, PromptVectors.shared(golden["text_features"][0], len(layers)))
    maps, scores = head(cls, patches)
    assert np.abs(scores.numpy() - golden["image_score"]).max() < 1e-5
    assert np.abs(len(layers) * maps.numpy() - golden["anomaly_map"]).max() < 2e-5
    prob = anomaly_probability(patches, head.pixel_direction)[:, -1]
    assert np.abs(prob.numpy() - golden[f"patch_prob_L{layers[-1]:02d}"][:, 1:, 1]).max() < 1e-5
    last = DirectionHead(
        card(98, 14, width=64, layers=layers[-1:]), PromptVectors.shared(golden["text_features"][0], 1)
    )
    assert np.abs(last(cls, patches[:, -1:])[0].numpy() - golden["anomaly_map_lastonly"]).max() < 2e-5
