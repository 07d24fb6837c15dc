import numpy as np
import pytest
import torch

from tests.golden_support import naive
from zsad.errors import PromptError
from zsad.prompt.bank import LearnerSettings
from zsad.prompt.learner import PromptLearner


@pytest.fixture(scope="module")
def text(backbone):
    return backbone.text_tower()


def weights_of(text):
    return dict(text.named_parameters())


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("context", "depth", "length"), [(12, 9, 4), (3, 1, 1), (4, 3, 4), (2, 2, 3)])
def test_reference_naive_over_all_positions(text, half, context, depth, length):
    """Values and gradients equal the plain form over all 77 positions, with the reference's rounding or without."""
    learner = PromptLearner(text, LearnerSettings(context, depth, length), half_compat=half)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.mul_(20)
    learner().pow(2).sum().backward()
    have = {name: p.grad for name, p in learner.named_parameters()}
    learner.zero_grad()
    features = naive.say(learner.embeddings(), learner.ids, list(learner.deep), weights_of(text), half)
    assert torch.allclose(learner(), features, atol=1e-5)
    features.pow(2).sum().backward()
    for name, parameter in learner.named_parameters():
        if parameter.grad is None:
            assert have[name] is None
        else:
            scale = parameter.grad.abs().max()
            assert (have[name] - parameter.grad).abs().max() <= (2e-3 if half else 5e-5) * scale


def test_initial_values_and_names(text):
    learner = PromptLearner(text, seed=5)
    shapes = {name: tuple(p.shape) for name, p in learner.named_parameters()}
    assert shapes == {"context_normal": (12, 64), "context_anomalous": (12, 64)} | {
        f"deep.{i}": (4, 64) for i in range(8)
    }
    values = torch.cat([p.flatten() for p in learner.parameters()])
    assert abs(values.std().item() - 0.02) < 1e-3 and abs(values.mean().item()) < 2e-3
    again, other = PromptLearner(text, seed=5), PromptLearner(text, seed=6)
    assert torch.equal(again.context_normal, learner.context_normal)
    assert not torch.equal(other.context_normal, learner.context_normal)
    assert learner.state_dict().keys() == shapes.keys()


def test_published_strings(text):
    ids = PromptLearner(text).ids
    assert ids[0, :17].tolist() == [49406, *[343] * 12, 14115, 269, 49407, 0]
    assert ids[1, :18].tolist() == [49406, *[343] * 12, 13568, 14115, 269, 49407, 0]


def test_prompts_beyond_the_tower_stay_without_gradient(text):
    learner = PromptLearner(text, LearnerSettings(depth=9))
    learner().sum().backward()
    used = {name for name, p in learner.named_parameters() if p.grad is not None}
    assert used == {"context_normal", "context_anomalous", "deep.0", "deep.1"}
    assert all(p.grad is None for p in text.parameters())


def test_half_rounding_changes_the_forward_a_little(text):
    exact = PromptLearner(text)
    rounded = PromptLearner(text, half_compat=True)
    difference = (exact() - rounded()).abs().max()
    assert 0 < difference < 1e-3


def test_vectors_and_round_trip(text):
    learner = PromptLearner(text, LearnerSettings(normal="part.", anomalous="broken part."), seed=1)
    vectors = learner.vectors(3)
    assert vectors.pixel.shape == (3, 2, 48) and np.allclose(np.linalg.norm(vectors.pixel, axis=-1), 1, atol=1e-6)
    other = PromptLearner(text, learner.settings, seed=2).load(learner.tensors())
    assert np.array_equal(other.vectors(3).pixel, vectors.pixel)


@pytest.mark.parametrize("kind", ["missing", "surplus", "width"])
def test_values_of_another_backbone_are_refused(text, kind):
    tensors = PromptLearner(text).tensors()
    if kind == "missing":
        tensors.pop("deep.3")
    elif kind == "surplus":
        tensors["deep.8"] = tensors["deep.3"]
    else:
        tensors["context_normal"] = np.zeros((12, 65), np.float32)
    with pytest.raises(PromptError, match=r"mine: .*(missing or surplus|made for it)"):
        PromptLearner(text).load(tensors, "mine")


def test_words_that_do_not_fit(text):
    with pytest.raises(PromptError, match="shorten it"):
        PromptLearner(text, LearnerSettings(context=70, normal="a long text with many words."))
    with pytest.raises(PromptError, match="overwrite a text's end"):
        PromptLearner(text, LearnerSettings(context=2, deep_length=6))
