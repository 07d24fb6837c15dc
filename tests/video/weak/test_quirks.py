"""What is published and what is right, side by side; laws that a lone video and a padded one share."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.video.weak import small
from zsad.errors import PromptError
from zsad.prompt.class_learner import check_names
from zsad.video.weak.banks import retrieve, select
from zsad.video.weak.distance import Adapter, adjacency, distance_weights
from zsad.video.weak.losses import highest, top_counts
from zsad.video.weak.losses_memory import divergence
from zsad.video.weak.presets import PRESETS
from zsad.video.weak.windows import WindowAttention


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "vador"])
def test_a_padded_video_is_scored_as_if_it_were_alone(preset):
    model, lengths = small.model(preset), (1, 7, 20, 33)
    x, valid = torch.zeros(4, 33, small.WIDTH), torch.arange(33) < torch.tensor(lengths)[:, None]
    for row, length in enumerate(lengths):
        x[row, :length] = small.features(preset, length, row)
    x[~valid] = 7.0  # whatever stands in the padding
    with torch.no_grad():
        together = model(x, valid)
        for row, length in enumerate(lengths):
            alone = model(small.features(preset, length, row)[None])
            assert torch.allclose(together.logits[row, :length], alone.logits[0], atol=1e-4)
            if alone.classes is not None:
                assert torch.allclose(together.classes[row, :length], alone.classes[0], atol=1e-3)


def test_published_padding_changes_what_is_scored():
    model = small.model("vadclip-ucf", compat=True)
    x = small.features("vadclip-ucf", 20)[None]
    padded, valid = torch.zeros(1, 64, small.WIDTH), torch.arange(64)[None] < 20
    padded[:, :20] = x
    with torch.no_grad():
        assert not torch.allclose(model(padded, valid).logits[:, :20], model(x).logits, atol=1e-3)


def test_the_last_window_may_be_shorter_and_sees_nothing_as_published():
    torch.manual_seed(0)
    x, valid = torch.randn(1, 11, 8), torch.ones(1, 11, dtype=torch.bool)
    right, published = WindowAttention(8, 2, 4, compat=False), WindowAttention(8, 2, 4, compat=True)
    published.load_state_dict(right.state_dict())
    with torch.no_grad():
        a, b = right(x, valid), published(x, valid)
        assert torch.allclose(a[:, :8], b[:, :8], atol=1e-6)
        assert torch.allclose(b[:, 8:], published.out.bias.expand(1, 3, 8))
        assert torch.allclose(a[:, 8:], right(x[:, 8:], valid[:, 8:]), atol=1e-6)


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_rows_of_distance_weights_sum_to_one(length, valid):
    seen = torch.arange(length)[None] < min(length, valid)
    graph = distance_weights(seen, torch.zeros(1, dtype=torch.float64))
    assert torch.allclose(graph.sum(dim=-1), torch.ones(1, length, dtype=torch.float64))
    assert not graph[:, :, min(length, valid) :].any()


def test_published_distance_weights_do_not_sum_to_one():
    graph = distance_weights(torch.ones(1, 9, dtype=torch.bool), torch.zeros(1), compat=True)[0]
    assert abs(float(graph.sum(dim=1).min()) - 0.8443) < 1e-4 and abs(float(graph.sum(dim=1).max()) - 1.0913) < 1e-4


def test_the_papers_adapter_adapts_nothing():
    seen = torch.ones(1, 20, dtype=torch.bool)
    literal = adjacency(seen, Adapter.PUBLISHED, torch.zeros(1, dtype=torch.float64))[0]
    assert float((literal - torch.eye(20)).abs().max()) < 1e-5
    assert float(adjacency(seen, 1 / 0.07, torch.zeros(1))[0].diagonal().max()) < 0.15


def test_divergence_is_of_latents_not_of_time():
    mean, log_variance = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    own = torch.distributions.Normal(mean, (log_variance / 2).exp())
    want = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(dim=-1).mean()
    assert torch.allclose(divergence(mean, log_variance), want, atol=1e-5)
    assert torch.allclose(divergence(mean, log_variance, compat=True), want * 5 / 3, atol=1e-5)


@given(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), min_size=1, max_size=9), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_banks_keep_exactly_k_and_ties_go_to_the_earlier(values, keep):
    abnormal, normal = (chosen[0] for chosen in select(torch.tensor([values]), keep))
    published = [chosen[0] for chosen in select(torch.tensor([values]), keep, compat=True)]
    for i in range(len(values)):
        for group, chosen, sure in (
            ([j for j in range(i) if values[j] >= 0.5], abnormal, lambda j: values[j]),
            ([j for j in range(i) if values[j] < 0.5], normal, lambda j: 1 - values[j]),
        ):
            want = sorted(sorted(group, key=lambda j: (-sure(j), j))[:keep])
            assert chosen[i].nonzero().flatten().tolist() == want
    assert all(int(chosen.sum(dim=-1).max()) <= keep for chosen in published)


def test_a_bank_holds_nothing_of_the_video_before():
    starts = torch.tensor([[False, False, True, False]])
    chosen = torch.logical_or(*select(torch.tensor([[0.9, 0.1, 0.8, 0.7]]), 3, starts=starts))[0]
    assert chosen.nonzero().tolist() == [[1, 0], [3, 2]]
    published = torch.logical_or(*select(torch.tensor([[0.9, 0.1, 0.8, 0.7]]), 3, starts=starts, compat=True))[0]
    assert published[2, :2].any()


def test_what_is_retrieved_is_a_projection_on_one_clip():
    flat = torch.randn(1, 3, 5)
    chosen = torch.zeros(1, 3, 3, dtype=torch.bool)
    chosen[0, 2, 0] = True
    found = retrieve(flat, flat, chosen)
    unit = torch.nn.functional.normalize(flat, dim=-1)
    assert not found[0, :2].any()
    assert torch.allclose(found[0, 2], (unit[0, 2] @ unit[0, 0]) * unit[0, 0], atol=1e-6)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_the_highest_are_those_of_a_sorted_list(lengths):
    torch.manual_seed(sum(lengths))
    values = torch.randn(len(lengths), max(lengths), 2)
    valid = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    found = highest(values, valid, top_counts(valid))
    for row, length in enumerate(lengths):
        k = length // 16 + 1
        for column in range(2):
            top = sorted(values[row, :length, column].tolist(), reverse=True)[:k]
            assert abs(float(found[row, column]) - sum(top) / k) < 1e-5


@pytest.mark.parametrize(
    ("names", "says"), [((), "no class names"), (("a", " "), "empty"), (("Fire", "fire "), "twice")]
)
def test_class_names_that_cannot_be_told_apart(names, says):
    with pytest.raises(PromptError, match=says):
        check_names(names)
