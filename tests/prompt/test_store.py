import numpy as np
import pytest
from safetensors.numpy import save_file

from zsad.card import CARD_KEY, ModelCard
from zsad.errors import CardError, OutputError, PromptError
from zsad.prompt.store import StoredPrompt, load_prompt, save_prompt
from zsad.types import PromptVectors

RNG = np.random.default_rng(0)


def units(*shape):
    values = RNG.standard_normal(shape).astype(np.float32)
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def learned(width=8, context=6, deep=3, length=2):
    values = {"context_normal": (context, width), "context_anomalous": (context, width)}
    values |= {f"deep.{i}": (length, width) for i in range(deep)}
    return {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in values.items()}


CARD = ModelCard.of(name="n", backbone="ViT-X/tag", prompt="p", licence="MIT", details={"words_normal": "part."})
VECTORS = PromptVectors(image=units(2, 5), pixel=units(3, 2, 5))


@pytest.mark.parametrize("what", ["vectors", "learned", "both"])
def test_round_trip(tmp_path, what):
    vectors = None if what == "learned" else VECTORS
    prompt = StoredPrompt(CARD, vectors, {} if what == "vectors" else learned())
    back = load_prompt(save_prompt(tmp_path / "deep" / "p.safetensors", prompt))
    assert back.card == CARD
    assert (back.vectors is None) == (vectors is None)
    if vectors is not None:
        assert np.array_equal(back.vectors.image, vectors.image) and np.array_equal(back.vectors.pixel, vectors.pixel)
    assert set(back.learned) == set(prompt.learned)
    assert all(np.array_equal(back.learned[n], v) for n, v in prompt.learned.items())
    assert [f.name for f in (tmp_path / "deep").iterdir()] == ["p.safetensors"]


def test_settings_come_from_shapes_and_card():
    settings = StoredPrompt(CARD, None, learned()).settings
    assert (settings.context, settings.depth, settings.deep_length) == (6, 4, 2)
    assert (settings.normal, settings.anomalous) == ("part.", "damaged object.")
    assert StoredPrompt(CARD, None, learned(deep=0, context=3)).settings.deep_length == 3
    with pytest.raises(PromptError, match="no learned values"):
        _ = StoredPrompt(CARD, VECTORS).settings


def refuse_to_save(tmp_path, prompt):
    with pytest.raises(PromptError) as error:
        save_prompt(tmp_path / "p.safetensors", prompt)
    assert not list(tmp_path.iterdir())
    return str(error.value)


def test_what_is_not_written(tmp_path):
    assert "neither" in refuse_to_save(tmp_path, StoredPrompt(CARD))
    broken = learned()
    broken["deep.1"][0, 0] = np.nan
    assert "deep.1" in refuse_to_save(tmp_path, StoredPrompt(CARD, None, broken))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another place"):
        save_prompt(tmp_path / "file" / "p.safetensors", StoredPrompt(CARD, VECTORS))


def written(tmp_path, tensors, metadata="card"):
    path = tmp_path / "p.safetensors"
    save_file(tensors, path, metadata={CARD_KEY: CARD.to_json()} if metadata == "card" else metadata)
    return path


L = {f"learned.{name}": value for name, value in learned().items()}
V = {"vectors.image": VECTORS.image, "vectors.pixel": VECTORS.pixel}


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (L | {"surprise": np.zeros(2, np.float32)}, "unknown tensor 'surprise'"),
        ({n: v for n, v in L.items() if "deep.1" not in n}, "missing or surplus"),
        ({n: v for n, v in L.items() if "normal" not in n}, "missing or surplus"),
        (L | {"learned.deep.0": np.zeros((2, 9), np.float32)}, "do not fit"),
        (L | {"learned.deep.0": np.zeros((3, 8), np.float32)}, "do not fit"),
        (L | {"learned.context_normal": np.zeros((5, 8), np.float32)}, "do not fit"),
        (L | {"learned.context_normal": np.zeros(8, np.float32)}, "do not fit"),
        (L | {"learned.deep.0": np.full((2, 8), np.inf, np.float32)}, "finite float32"),
        (L | {"learned.deep.0": np.zeros((2, 8))}, "finite float32"),
        ({"vectors.image": VECTORS.image}, "do not fit each other"),
        (V | {"vectors.pixel": units(3, 2, 6)}, "do not fit each other"),
        (V | {"vectors.image": 2 * VECTORS.image}, "not unit vectors"),
    ],
)
def test_damaged_files(tmp_path, tensors, words):
    path = written(tmp_path, tensors)
    with pytest.raises(PromptError) as error:
        load_prompt(path)
    assert words in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_foreign_files(tmp_path):
    with pytest.raises(PromptError, match="import-prompt"):
        load_prompt(written(tmp_path, L, None))
    with pytest.raises(CardError, match="unknown card key"):
        load_prompt(written(tmp_path, L, {CARD_KEY: CARD.to_json()[:-1] + ', "new": 1}'}))
    for content in (b"", b"\x80\x04x" * 100, b"\xff" * 16):
        (tmp_path / "q.safetensors").write_bytes(content)
        with pytest.raises(PromptError, match="not a readable safetensors"):
            load_prompt(tmp_path / "q.safetensors")
    with pytest.raises(PromptError, match="not a readable safetensors"):
        load_prompt(tmp_path / "absent.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(PromptError):
        load_prompt(tmp_path / "folder.safetensors")
