"""Texts move towards what a frozen vision tower tells apart; all else stays where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from factory import checkpoint as ckpt  # noqa: E402
from factory import fit_texts, losses  # noqa: E402
from factory.pool import ScenePool  # noqa: E402
from factory.texts import TextSampler, Words  # noqa: E402
from factory.validate import text_pair, word_accuracy  # noqa: E402
from zsad.config import to_mapping  # noqa: E402
from zsad.synthetic import HELD_OUT, vocabulary  # noqa: E402

SCENES = 24


def words():
    return Words.of_world(held_out=False)


@pytest.fixture
def known(encoder, config):
    return fit_texts.look(encoder, ScenePool(64, 0), words(), SCENES, config)


@pytest.fixture
def telling(known, monkeypatch):
    """The same scenes, seen by a tower that tells them apart; small batches and large steps."""
    monkeypatch.setattr(fit_texts, "BATCH", 16)
    monkeypatch.setattr(fit_texts, "RATE", 1e-2)
    draw = torch.Generator().manual_seed(0)
    units = [torch.nn.functional.normalize(torch.randn(SCENES, 16, generator=draw), dim=-1) for _ in range(3)]
    return replace(known, views=losses.Views(*units))


def saved(encoder, config):
    tensors = {f"{kind}/{n}": v.clone() for kind in ("weights", "average") for n, v in encoder.named_parameters()}
    tensors |= {"average/probe.patch.weight": torch.ones(2), "seen": torch.zeros(49408, dtype=torch.bool)}
    return ckpt.Checkpoint(7, to_mapping(config), tensors, ({"step": 0, "world": "1", "hardware": "x"},))


def test_words_that_only_left_out_families_have_are_not_asked_for():
    asked, everything = words(), Words.of_world()
    for kind, chosen, rows in (
        ("defect", asked.defects, vocabulary.DEFECT_WORDS),
        ("defect", everything.defects, vocabulary.DEFECT_WORDS),
    ):
        families = {word: {key for key, row in rows.items() if word in row} for word in chosen}
        only_left_out = {word for word, keys in families.items() if keys <= HELD_OUT[kind]}
        assert bool(only_left_out) == (chosen is everything.defects)
    assert set(asked.defects) < set(everything.defects)
    assert set(asked.materials) < set(everything.materials)
    texts = TextSampler(asked, np.random.default_rng(0)).words()
    assert len(texts) == len(asked.defects) + len(asked.materials)
    assert not any("gouge" in text for text in texts)


def test_views_by_hand(encoder, config, known):
    """Scene by scene and patch by patch, on the float64 sum."""
    pool = ScenePool(64, 0)
    for i in (index for index in range(SCENES) if pool[index].label):
        pixels = torch.from_numpy(pool[i].image.copy()).permute(2, 0, 1)[None]
        cls, patches = encoder.encode_images(pixels)
        cells = pool[i].mask.reshape(4, 16, 4, 16).astype(float).mean((1, 3)).ravel()
        share = np.minimum(1, config.loss.gain * cells)
        total = sum(s * patch for s, patch in zip(share, patches[0].double().numpy(), strict=True))
        np.testing.assert_allclose(known.views.inside[i], total / np.linalg.norm(total), atol=1e-5)
        np.testing.assert_allclose(known.views.cls[i], cls[0], atol=1e-6)


def test_words_are_learned_and_the_rest_is_held(encoder, config, telling):
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    pair, asked = text_pair(encoder), words()
    sentences = [f"a photo of a {word}" for word in asked.defects]
    with torch.no_grad():
        first = word_accuracy(telling.views.inside, encoder.encode_texts(sentences), telling.defects)
    history = fit_texts.fit(encoder, telling, asked, config, 80)
    with torch.no_grad():
        last = word_accuracy(telling.views.inside, encoder.encode_texts(sentences), telling.defects)
    assert history[-1]["word"] < 0.8 * history[0]["word"]
    assert last > first + 0.2
    after = dict(encoder.named_parameters())
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert "clip.token_embedding.weight" in changed
    assert all(name.startswith("clip.") and not name.startswith("clip.visual.") for name in changed)
    assert not any(value.requires_grad for value in after.values())
    directions = [p[1] - p[0] for p in (pair, text_pair(encoder))]
    assert torch.nn.functional.cosine_similarity(*directions, dim=0) > 0.9


@pytest.mark.factory
def test_texts_that_are_not_held_move(encoder, config, telling, monkeypatch):
    monkeypatch.setattr(fit_texts, "HOLD", 0.0)
    pair = text_pair(encoder)
    fit_texts.fit(encoder, telling, words(), config, 80)
    directions = [p[1] - p[0] for p in (pair, text_pair(encoder))]
    assert torch.nn.functional.cosine_similarity(*directions, dim=0) < 0.9


@pytest.mark.factory
def test_the_same_twice(encoder, config):
    made = [fit_texts.fitted(saved(encoder, config), 8, 3, None, "here") for _ in range(2)]
    for name, value in made[0].tensors.items():
        assert torch.equal(value, made[1].tensors[name]), name
    assert made[0].history == made[1].history


def test_checkpoint_keeps_what_is_not_text(encoder, config, tmp_path):
    start = saved(encoder, config)
    made = fit_texts.fitted(start, 8, 3, tmp_path, "here")
    for name, value in start.tensors.items():
        text = ".clip." in f".{name.split('/')[-1]}" and ".visual." not in name
        assert torch.equal(value, made.tensors[name]) != (text or name == "seen"), name
    assert made.step == 7
    assert made.history[-1]["texts_fitted"] == "3 steps on 8 scenes"
    assert made.history[-1]["world"] == "1"
    assert made.tensors["seen"].any()
    path = tmp_path / "made.ckpt"
    ckpt.save(path, made)
    again = ckpt.load(path)
    assert all(torch.equal(value, again.tensors[name]) for name, value in made.tensors.items())


def test_command(encoder, config, tmp_path, capsys):
    ckpt.save(tmp_path / "run.ckpt", saved(encoder, config))
    out = tmp_path / "made" / "last.ckpt"
    arguments = ["--run", str(tmp_path / "run.ckpt"), "--out", str(out), "--scenes", "8", "--steps", "2"]
    assert fit_texts.main([*arguments, "--threads", "1"]) == 0
    assert "2 steps on 8 scenes" in capsys.readouterr().out
    assert ckpt.load(out).history[-1]["texts_fitted"]


def test_a_folder_of_a_run_will_do_and_nothing_to_do_will_not(encoder, config, tmp_path, capsys):
    ckpt.save(tmp_path / ckpt.LAST, saved(encoder, config))
    arguments = ["--run", str(tmp_path), "--out", str(tmp_path / "made.ckpt"), "--threads", "1"]
    for scenes, steps in (("0", "2"), ("8", "0")):
        assert fit_texts.main([*arguments, "--scenes", scenes, "--steps", steps]) == 1
        assert (
            capsys.readouterr().err
            == f"error: {scenes} scenes and {steps} steps fit nothing; give at least one of each\n"
        )
    assert not (tmp_path / "made.ckpt").exists()
    assert fit_texts.main([*arguments, "--scenes", "8", "--steps", "1"]) == 0
    assert (tmp_path / "made.ckpt").exists()


def test_errors_absent_checkpoint(tmp_path, capsys):
    assert fit_texts.main(["--run", str(tmp_path / "no.ckpt"), "--out", str(tmp_path / "x.ckpt")]) == 1
    assert "no such checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "x.ckpt").exists()


def test_views_are_the_features_that_word_contrast_asks():
    cls, patches = torch.eye(3)[:2], torch.nn.functional.normalize(torch.randn(2, 5, 3), dim=-1)
    share = torch.rand(2, 5)
    views = losses.views_of(cls, patches, share)
    rest = ((1 - share)[..., None] * patches).sum(1)
    torch.testing.assert_close(views.outside, rest / rest.norm(dim=-1, keepdim=True))
