from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.golden_support import GOLDEN, complete_weights, naive
from zsad.backbone import load_backbone
from zsad.card import ModelCard
from zsad.detector.base import Detector
from zsad.detector.torch_detector import TorchDetector, fine_size, load_detector
from zsad.errors import InputError, ModelError, PromptError, UsageError
from zsad.images.preprocess import network_input
from zsad.prompt.apply import mismatch
from zsad.prompt.learner import PromptLearner
from zsad.prompt.published import convert
from zsad.prompt.store import StoredPrompt, save_prompt
from zsad.prompt.words import Words
from zsad.scoring import DirectionScorer
from zsad.types import PromptVectors, Regions, Thresholds


@pytest.fixture(scope="module")
def weights():
    return complete_weights()


@pytest.fixture(scope="module")
def clip(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.safetensors"
    save_file(weights, path)
    return load_backbone(str(path))


@pytest.fixture(scope="module")
def detector(clip):
    return load_detector(clip, Words(noun="screw"))


def picture(width=90, height=60, seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_smoke_and_protocol(detector):
    assert isinstance(detector, Detector)
    result = detector(picture())
    assert result.map.shape == (60, 90) and result.map.dtype == np.float32
    assert 0 <= result.map.min() <= result.map.max() <= 1 and 0 <= result.score <= 1
    assert result.mask.shape == (60, 90) and isinstance(result.regions, Regions)
    assert detector.card.scoring.prompt == "industrial: screw" and result.verdict is None


def test_reference_naive_end_to_end(clip, weights):
    """From a picture and two texts to the published map and score, by the plain form of the method."""
    learner = PromptLearner(clip.text_tower(), half_compat=False)
    tower = clip.configured(image_size=48, vv_blocks=2, layers=(2, 3))
    vectors = learner.vectors(2)
    detector = TorchDetector(tower, DirectionScorer(vectors, tower.card()))
    values, score = detector.raw(picture())
    plain = {name: value.float() for name, value in weights.items()}
    x = torch.from_numpy(network_input(picture(), detector.card))[None]
    seen = naive.see(x, plain, 2, (2, 3))
    text = naive.say(learner.embeddings().detach(), learner.ids, [d.detach() for d in learner.deep], plain, half=False)
    _, smooth = naive.anomaly_map(seen, text, 48, 4.0)
    assert np.abs(2 * values - smooth[0].numpy()).max() < 2e-5
    assert score == pytest.approx(float(naive.judge(seen.cls, text)[0, 1]), abs=1e-5)


def test_batch_equals_one_by_one(detector):
    images = [picture(90, 60, 1), picture(33, 47, 2), picture(64, 64, 3).convert("L"), np.asarray(picture(20, 80, 4))]
    together = detector.batch(images)
    for image, result in zip(images, together, strict=True):
        alone = detector(image)
        assert np.abs(alone.map - result.map).max() < 1e-5 and abs(alone.score - result.score) < 1e-5


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(clip, dtype):
    exact = load_detector(clip.info.id, Words(noun="screw"))
    half = load_detector(clip.info.id, Words(noun="screw"), dtype=dtype)
    for seed in range(3):
        a, b = exact(picture(seed=seed)), half(picture(seed=seed))
        assert np.abs(a.map - b.map).max() < 2e-2 and abs(a.score - b.score) < 1e-2


def test_words_read_clips_own_feature_on_a_finer_grid(clip, detector):
    assert detector.backbone.reading.class_norm and detector.card.reading.class_norm
    assert detector.card.input.image_size == fine_size(clip.info) == 64
    assert fine_size(type(clip.info)(**{**vars(clip.info), "native_size": 336, "patch_size": 14})) == 518
    assert load_detector(clip, image_size=48).card.input.image_size == 48
    assert load_detector(clip).card.scoring.prompt == "industrial"


def test_free_texts_and_other_words(detector):
    reading = asdict(detector.backbone.reading)
    one = load_detector(detector.backbone, Words(normal="a clean part", anomalous="a scratch"), reading=reading)
    assert (
        one.card.scoring.prompt == "a clean part | a scratch"
        and one.backbone.vision.visual is detector.backbone.vision.visual
    )
    assert not np.allclose(one(picture()).map, detector(picture()).map)
    assert one.card.input.image_size == detector.card.input.image_size
    back = load_detector(one.backbone, Words(noun="screw"), reading=reading)
    assert np.allclose(back(picture()).map, detector(picture()).map, atol=1e-6)


def test_thresholds_of_other_words_are_left_behind(detector):
    judged = detector.with_options(thresholds=Thresholds(0.7, 0.8, 0.01))
    other = judged.with_vectors(PromptVectors.shared(-detector.scorer.vectors.image, 1), "mine")
    assert not other.thresholds.judges and judged.thresholds.judges
    assert other.card.scoring.prompt == "mine"
    assert np.allclose(other(picture()).map, 1 - detector(picture()).map, atol=1e-5)
    with pytest.raises(PromptError, match="made for it"):
        detector.with_vectors(PromptVectors.shared(np.ones((2, 5), np.float32), 1), "narrow")


def stored(tmp_path, clip, **changes):
    """A trained prompt for the small CLIP, and the learner it came from."""
    learner = PromptLearner(clip.text_tower(), seed=4)
    values = {
        "image_size": 48,
        "layers": (2, 3),
        "vv_blocks": 2,
        "layer_weights": (0.25, 0.75),
        "sigma": 2.0,
        "prompt": "mine",
        "score_rule": "fused(0.5)",
        "licence": "CC0-1.0",
    } | changes
    card = clip.configured(image_size=values["image_size"], layers=values["layers"]).card(**values)
    return save_prompt(tmp_path / "mine.safetensors", StoredPrompt(card, None, learner.tensors())), learner


def test_trained_prompt_brings_its_reading(tmp_path, clip):
    path, learner = stored(tmp_path, clip)
    detector = load_detector(clip, Words(prompt=str(path)))
    card = detector.card
    assert (card.input.image_size, card.reading.layers, card.reading.vv_blocks, card.reading.class_norm) == (
        48,
        (2, 3),
        2,
        False,
    )
    assert (card.scoring.layer_weights, card.scoring.sigma, card.scoring.score_rule) == (
        (0.25, 0.75),
        2.0,
        "fused(0.5)",
    )
    assert (card.scoring.prompt, card.provenance.licence) == ("mine", "CC0-1.0")
    assert np.allclose(detector.scorer.vectors.image, learner.vectors(2).image, atol=1e-6)
    vectors_only = save_prompt(tmp_path / "v.safetensors", StoredPrompt(card, learner.vectors(2)))
    same = load_detector(clip, Words(prompt=str(vectors_only)))
    assert np.allclose(same(picture()).map, detector(picture()).map, atol=1e-6)
    assert np.allclose(
        load_detector(load_detector(clip).backbone, Words(prompt=str(path)))(picture()).map, detector(picture()).map
    )


def test_published_prompt_on_another_backbone_is_refused(tmp_path, clip):
    prompt = convert(GOLDEN / "T_prompt_learner.pth", backbone="ViT-L-14-336/openai", prompt="anomalyclip:visa")
    path = save_prompt(tmp_path / "p.safetensors", prompt)
    with pytest.raises(PromptError, match="made for ViT-L-14-336/openai"):
        load_detector(clip, Words(prompt=str(path)))


def test_a_prompt_of_other_weights_is_refused(tmp_path, clip):
    path, _ = stored(tmp_path, clip, details={"backbone_fingerprint": "0" * 16})
    with pytest.raises(PromptError, match="use the backbone it was made for"):
        load_detector(clip, Words(prompt=str(path)))


def test_mismatch_rules(clip):
    info = clip.info
    sized = {"embed_dim": 48, "patch_size": 8, "image_size": 40}
    named = type(info)(**{**vars(info), "id": "ViT-L-14-336/openai"})
    assert mismatch(ModelCard.of(backbone="", **sized), info) == ""
    assert mismatch(ModelCard.of(backbone="ViT-L-14-336-quickgelu/openai", **sized), named) == ""
    assert "not for ViT-L-14-336/openai" in mismatch(ModelCard.of(backbone="ViT-L-14/openai", **sized), named)
    assert mismatch(ModelCard.of(backbone="ViT-L-14-336/openai", **sized), info) == ""  # a file says nothing
    assert "native size 336" in mismatch(
        ModelCard.of(backbone="ViT-L-14-336/openai", details={"native_size": "336"}, **sized), info
    )


def test_errors(tmp_path, clip, detector):
    with pytest.raises(UsageError, match="give both"):
        Words(normal="a part")
    with pytest.raises(UsageError, match="replace a prompt"):
        Words(prompt="industrial", normal="a", anomalous="b")
    with pytest.raises(PromptError, match="no such prompt"):
        load_detector("no/such-backbone", Words(prompt="nonsense"))
    path, _ = stored(tmp_path, clip)
    with pytest.raises(PromptError, match="leave the object out"):
        load_detector(clip, Words(prompt=str(path), noun="screw"))
    with pytest.raises(ModelError, match="no CLIP text tower"):
        load_detector("random:timm:test_vit", Words(noun="screw"))
    results = detector.batch([picture(), str(tmp_path / "no.png")], errors="return")
    assert isinstance(results[1], InputError) and results[0].map.shape == (60, 90)


def test_damaged_weights_never_pass_parts_silently(clip):
    broken = TorchDetector(clip, DirectionScorer(PromptVectors.shared(np.eye(2, 48, dtype=np.float32), 1), clip.card()))
    with torch.no_grad():
        broken.head.image_direction[0] = float("nan")
    with pytest.raises(ModelError, match="damaged"):
        broken(picture())
