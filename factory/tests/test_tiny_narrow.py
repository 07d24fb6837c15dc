"""A narrower text tower says what the wider one says, and nothing else of the model changes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from factory import checkpoint as ckpt  # noqa: E402
from factory import narrow  # noqa: E402
from factory.config import RunConfig  # noqa: E402
from factory.model import is_text  # noqa: E402
from factory.pool import ScenePool  # noqa: E402
from factory.texts import Words  # noqa: E402
from factory.validate import encoder_of  # noqa: E402
from zsad.config import from_mapping, to_mapping  # noqa: E402


@pytest.fixture
def saved(encoder, config):
    """A run whose tokens lie in a few directions, as those of a trained tower do."""
    texts = narrow.spoken(ScenePool(64, 0), Words.of_world(held_out=False), 8, 0)
    seen = torch.zeros(49408, dtype=torch.bool)
    seen[encoder.text.tokenize(texts)] = True
    with torch.no_grad():
        encoder.clip.token_embedding.weight *= 30
        encoder.clip.token_embedding.weight[:, 8:] = 0
    tensors = {f"{kind}/{n}": v.clone() for kind in ("weights", "average") for n, v in encoder.named_parameters()}
    tensors |= {"seen": seen, "exp_avg/clip.ln_final.weight": torch.ones(16)}
    return ckpt.Checkpoint(7, to_mapping(config), tensors, ({"step": 0, "world": "1", "hardware": "x"},))


@pytest.mark.factory
def test_texts_keep_their_places_and_images_theirs(saved, encoder):
    made = narrow.narrow(saved, 12, 8, 150, None, "here")
    config = from_mapping(RunConfig, made.config)
    other = encoder_of(made, config)
    assert config.model.text_width == 12
    assert other.clip.token_embedding.weight.shape == (49408, 12)
    assert made.history[-1]["text_width"].startswith("16 to 12, 150 steps on ")
    # Of texts that it was not taught, either: chance is 0, and random directions of 16 seldom reach 0.5.
    assert made.history[-1]["cosine_of_texts_kept_aside"] > 0.9
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for found, wanted in zip(other.encode_images(pixels), encoder.encode_images(pixels), strict=True):
        assert torch.equal(found, wanted)
    for name, value in encoder.named_parameters():
        assert is_text(name) or torch.equal(made.tensors[f"weights/{name}"], value), name


def test_unread_tokens_stay_zero_and_the_optimiser_is_forgotten(saved):
    made = narrow.narrow(saved, 12, 8, 2, None, "here")
    table = made.tensors["average/clip.token_embedding.weight"]
    assert not table[~saved.tensors["seen"]].any()
    assert table[saved.tensors["seen"]].any(1).all()
    assert torch.equal(made.tensors["seen"], saved.tensors["seen"])
    assert not any(name.startswith("exp_avg") for name in made.tensors)
    assert made.step == 7


@pytest.mark.factory
def test_the_same_twice(saved):
    first, second = (narrow.narrow(saved, 12, 8, 3, None, "here") for _ in range(2))
    assert all(torch.equal(value, second.tensors[name]) for name, value in first.tensors.items())
    assert first.history == second.history


def test_agreement_is_the_cosine(encoder):
    torch.testing.assert_close(narrow.agreement(encoder, encoder, ["a scratch", "cloth"]), torch.ones(2))


def test_command(saved, tmp_path, capsys):
    ckpt.save(tmp_path / ckpt.LAST, saved)
    out = tmp_path / "deep" / "narrow.ckpt"
    arguments = ["--run", str(tmp_path), "--out", str(out), "--threads", "1", "--scenes", "4", "--steps", "2"]
    assert narrow.main([*arguments, "--width", "8"]) == 0
    assert "16 to 8, 2 steps" in capsys.readouterr().out
    assert ckpt.load(out).config["model"]["text_width"] == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--width", "16"], "text width 16: give a multiple of the 1 heads from 4 to below 16"),
        (["--width", "3"], "text width 3: give a multiple of the 1 heads from 4 to below 16"),
        (["--width", "8", "--steps", "0"], "8 scenes and 0 steps teach nothing; give at least one of each"),
    ],
)
def test_errors(saved, tmp_path, capsys, changes, message):
    ckpt.save(tmp_path / ckpt.LAST, saved)
    arguments = ["--run", str(tmp_path), "--out", str(tmp_path / "x.ckpt"), "--scenes", "8", *changes]
    assert narrow.main(arguments) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not (tmp_path / "x.ckpt").exists()
