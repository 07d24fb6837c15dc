"""The dual encoder: open_clip loads what is saved, and the detector reads the same features."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F  # noqa: E402

from factory import losses  # noqa: E402
from factory.config import LossConfig  # noqa: E402
from factory.model import PlainAttention, normalise, save_folder  # noqa: E402
from factory.pool import ScenePool  # noqa: E402
from factory.scenes import Batches  # noqa: E402
from factory.texts import Words, pair_texts, word_texts  # noqa: E402
from zsad.backbone import load_backbone  # noqa: E402
from zsad.backbone.value_attention import open_clip_blocks, two_streams  # noqa: E402
from zsad.errors import OutputError  # noqa: E402


@pytest.fixture
def pixels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 64, 64), dtype=np.uint8))


@pytest.fixture
def folder(encoder, config, tmp_path):
    rounded = {name: value.half().float() for name, value in encoder.clip.state_dict().items()}
    encoder.clip.load_state_dict(rounded)
    save_folder(rounded, config.model, tmp_path / "saved", {"note": "micro"})
    return tmp_path / "saved"


def test_centred_features_point_everywhere(encoder, config):
    batch = Batches(config, Words.of_world(), encoder.text.tokenize)[0]

    def means():
        cls, patches = encoder.encode_images(batch.pixels)
        return [x.mean(0).norm() for x in (cls, patches.flatten(0, 1), encoder.encode_ids(batch.captions))]

    before = means()
    encoder.centre(batch.pixels, batch.captions)
    after = means()
    assert all(a < 0.5 and a < b for a, b in zip(after, before, strict=True)), (before, after)


def test_folding_keeps_the_offset_in_the_weights(encoder, config):
    pixels = torch.from_numpy(np.stack([ScenePool(64, 0)[i].image for i in range(8)])).permute(0, 3, 1, 2)
    pair = F.normalize(torch.randn(2, 16, generator=torch.Generator().manual_seed(1)), dim=-1)

    def logits():
        cls, patches = encoder.encode_images(pixels)
        return [(x @ (pair[1] - pair[0]) / encoder.temperature).flatten() for x in (cls, patches)]

    with torch.no_grad():
        encoder.offset.fill_(-1.0)
        encoder.clip.visual.ln_post.bias += 8 * torch.randn(32, generator=torch.Generator().manual_seed(2))
    before = logits()
    encoder.fold_offset(pixels, pair)
    after = logits()
    assert encoder.offset == 0
    torch.testing.assert_close(after[1].median(), before[1].median() - 1, atol=0.02, rtol=0)
    torch.testing.assert_close(after[0].mean(), before[0].mean(), atol=0.15, rtol=0)
    rank = torch.corrcoef(torch.stack([before[1], after[1]]))[0, 1]
    assert rank > 0.9


def test_texts_of_one_state_hold_together():
    n, a = torch.eye(4)[0], torch.eye(4)[1]
    apart = torch.stack([torch.stack([n, -n]), torch.stack([n, -n])])
    assert losses.state_contrast(apart) == 0
    torch.testing.assert_close(losses.state_contrast(torch.stack([torch.stack([n, a])] * 2)), torch.tensor(0.3))
    torch.testing.assert_close(losses.state_contrast(torch.stack([torch.stack([n, n])] * 2)), torch.tensor(1.3))


def test_open_clip_loads_the_folder(encoder, folder, pixels):
    import open_clip

    name = f"local-dir:{folder}"
    model = open_clip.create_model(name)
    for key, value in encoder.clip.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    ids = open_clip.get_tokenizer(name)(["a damaged object", "a flawless object"])
    assert ids.shape == (2, encoder.text.context_length)
    with torch.inference_mode():
        theirs = F.normalize(model.encode_text(ids), dim=-1)
    torch.testing.assert_close(encoder.encode_texts(["a damaged object", "a flawless object"]), theirs)


def test_backbone_reads_the_same_features(encoder, folder, pixels):
    backbone = load_backbone(f"local-dir:{folder}", vv_blocks=1)
    cls, patches = backbone(normalise(pixels))
    ours = encoder.encode_images(pixels)
    torch.testing.assert_close(F.normalize(cls, dim=-1), ours[0])
    torch.testing.assert_close(F.normalize(patches[:, 0], dim=-1), ours[1])


def test_features_without_the_class_of_the_project(encoder, pixels):
    """The same from the parameters alone: published order, no final norm on the class token."""
    visual = encoder.clip.visual
    x = visual.conv1(normalise(pixels)).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(2, 1, -1), x], 1) + visual.positional_embedding
    cls, features = two_streams(visual.ln_pre(x), open_clip_blocks(visual.transformer), 1, (2,))
    ours = encoder.encode_images(pixels)
    torch.testing.assert_close(F.normalize(cls @ visual.proj, dim=-1), ours[0])
    patches = visual.ln_post(features[2][:, 1:]) @ visual.proj
    torch.testing.assert_close(F.normalize(patches, dim=-1), ours[1])


def test_gradients_reach_every_parameter(encoder, pixels):
    encoder.requires_grad_(True)
    cls, patches = encoder.encode_images(pixels)
    text = encoder.encode_texts(["a damaged object"])
    (cls.sum() + patches.square().sum() + (patches @ text.T).sum()).backward()
    idle = [name for name, value in encoder.clip.named_parameters() if value.grad is None]
    assert idle == ["logit_scale"]


@pytest.mark.parametrize("causal", [False, True])
def test_plain_attention_equals_the_fused_one(causal):
    q, k, v = torch.randn(3, 2, 2, 7, 8, generator=torch.Generator().manual_seed(0))
    fused = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    with PlainAttention():
        plain = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(plain, fused)


def test_folder_that_cannot_be_written(encoder, config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        save_folder(dict(encoder.clip.state_dict()), config.model, tmp_path / "file", {})


@pytest.mark.factory
def test_texts_fit_into_the_shipped_context(encoder):
    from pathlib import Path

    from factory import pretrain
    from factory.config import RunConfig
    from factory.texts import TextSampler
    from zsad.config import from_yaml
    from zsad.prompt.bank import load_bank

    configs = (Path(pretrain.__file__).parent / "configs").glob("*.yaml")
    room = min(from_yaml(RunConfig, path).model.context_length for path in configs)
    words = Words.of_world()
    sampler = TextSampler(words, np.random.default_rng(0))
    texts = [text for side in (*pair_texts(), *word_texts(words)) for text in side]
    for name in ("industrial", "medical"):
        texts += [text for side in load_bank(name).texts() for text in side]
    for index in range(150):
        for split in ("train", "valid"):
            scene = ScenePool(32, 0, split)[index]
            texts += [scene.caption, *sampler.pair(scene)]
    longest = max(texts, key=lambda text: len(encoder.text._tokenizer.encode(text)))
    assert len(encoder.text._tokenizer.encode(longest)) + 2 <= room, longest


def test_share_is_the_defect_share_of_each_cell():
    mask = torch.zeros(1, 8, 8)
    mask[0, :2, :2] = 1
    torch.testing.assert_close(losses.share(mask, 2, 1.0), torch.tensor([[[0.25, 0.0], [0.0, 0.0]]]))
    assert losses.share(mask, 2, 8.0).max() == 1


def test_identical_captions_are_no_negatives():
    vectors = F.normalize(torch.randn(3, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    cls, captions = vectors[[0, 0, 1]], vectors[[0, 0, 1]]
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    scale = torch.tensor(100.0)
    expected = torch.tensor([np.log(2), np.log(2), 0.0]).mean().float()
    torch.testing.assert_close(losses.caption_contrast(cls, captions, same, scale), expected, atol=1e-4, rtol=0)


def test_perfect_map_costs_nothing():
    target = torch.zeros(1, 4, 4)
    target[0, 1:3, 1:3] = 1
    z = (target * 2 - 1) * 30
    assert losses.soft_focal(z, target, 4.0) < 1e-6
    assert losses.soft_focal(-z, target, 4.0) > 10
    assert losses.soft_dice(z, target) < 1e-3
    assert losses.soft_dice(-z, target) > 0.9


def test_words_that_do_not_apply_cost_nothing():
    words = F.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    features = losses.Features(words[:2], words[:2, None], words[:2], words[:2, None], words, words)
    none = torch.zeros(2, 5, dtype=torch.bool)
    targets = losses.Targets(torch.zeros(2, 1, 1), torch.zeros(2), torch.eye(2).bool(), none, none)
    value = losses.word_contrast(features, targets, torch.zeros(2, 1), torch.tensor(10.0))
    assert value == 0
    right = torch.eye(5)[:2].bool()
    targets = losses.Targets(torch.zeros(2, 1, 1), torch.zeros(2), torch.eye(2).bool(), right, right)
    good = losses.word_contrast(features, targets, torch.ones(2, 1) / 2, torch.tensor(50.0))
    bad = losses.word_contrast(features, targets, torch.ones(2, 1) / 2, torch.tensor(-50.0))
    assert good < 0.1 < bad


def test_each_fitting_word_wins_on_its_own():
    logits = torch.tensor([[2.0, 1.0, 0.5, -1.0], [0.0, 3.0, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0]])
    fitting = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()
    chances = [[np.exp(2) / (np.exp(2) + np.exp(0.5) + np.exp(-1)), np.e / (np.e + np.exp(0.5) + np.exp(-1))]]
    chances.append([np.e / (np.e + 1 + np.exp(3) + np.e)])
    expected = np.mean([-np.mean(np.log(row)) for row in chances])
    assert float(losses.pick_each(logits, fitting)) == pytest.approx(expected, rel=1e-6)
    assert losses.pick_each(logits, torch.zeros_like(fitting)) == 0
    logits.requires_grad_(True)
    losses.pick_each(logits, fitting).backward()
    assert logits.grad.isfinite().all() and not logits.grad[2].any()


def test_a_run_can_ask_each_word():
    words = F.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    features = losses.Features(words[:2], words[:2, None], words[:2], words[:4].view(2, 2, 4), words, words)
    fitting = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 0, 1, 0]]).bool()
    targets = losses.Targets(torch.zeros(2, 1, 1), torch.zeros(2), torch.eye(2).bool(), fitting, fitting)
    one = torch.tensor(1.0)
    _, any_ = losses.total(features, targets, 10 * one, one, one, losses.LossConfig())
    _, each = losses.total(features, targets, 10 * one, one, one, losses.LossConfig(each=True))
    logits = 10 * words[:2] @ words.T
    # The mask is empty, so that the region's mean has no length and all words are as likely as another.
    inside = np.log(4)  # each of two fitting words against three others
    expected = (3 * float(losses.pick_each(logits, fitting)) + inside) / 4
    assert float(each["word"]) == pytest.approx(expected, rel=1e-5)
    assert each["word"] > any_["word"]  # to win against the rest alone is harder than together


def test_total_weighs_the_terms():
    g = torch.Generator().manual_seed(0)
    unit = lambda *shape: F.normalize(torch.randn(*shape, generator=g), dim=-1)  # noqa: E731
    features = losses.Features(unit(3, 4), unit(3, 16, 4), unit(3, 4), unit(3, 2, 4), unit(6, 4), unit(5, 4))
    mask = (torch.rand(3, 8, 8, generator=g) > 0.8).float()
    fitting = torch.ones(3, 6).bool().triu(), torch.ones(3, 5).bool().triu()
    targets = losses.Targets(mask, torch.tensor([1.0, 1.0, 0.0]), torch.eye(3).bool(), *fitting)
    config = LossConfig()
    one = torch.tensor(1.0)
    loss, terms = losses.total(features, targets, 10 * one, 0.07 * one, -one, config)
    torch.testing.assert_close(loss, sum(getattr(config, k) * v for k, v in terms.items()))
