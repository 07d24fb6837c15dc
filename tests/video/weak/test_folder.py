"""A model's folder: written, read, refused where it is damaged; features of any length scored in blocks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.video.weak import small
from zsad.errors import InputError, ModelError, OccupiedError
from zsad.video.learned.card import read_card
from zsad.video.learned.scoring import score_features, series_of, stride_of
from zsad.video.weak.folder import load_weak
from zsad.video.weak.presets import PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_written_and_read_back_gives_the_same_scores(tmp_path, preset):
    place = small.folder(tmp_path / "m", preset)
    assert {file.name for file in place.iterdir()} == {"model.safetensors", "card.json"}
    network, x = load_weak(place), small.features(preset, 20)
    with torch.no_grad():
        want = torch.sigmoid(small.model(preset)(x[None]).logits[0])
    found = score_features(network, x.numpy())
    if preset == "vadclip-xd":
        assert found.values.shape == (20,)
    elif stride_of(network.card) == 1:
        assert np.allclose(found.values, want, atol=1e-5)
    assert found.classes.shape[1] == len(network.card.anomalous)
    assert (found.values >= 0).all() and (found.values <= 1).all()


def test_a_long_video_is_its_blocks(tmp_path):
    network, x = load_weak(small.folder(tmp_path / "m", "vadclip-ucf")), small.features("vadclip-ucf", 600).numpy()
    whole = score_features(network, x)
    apart = [score_features(network, x[a : a + 256]).values for a in (0, 256, 512)]
    assert np.allclose(whole.values, np.concatenate(apart), atol=1e-5)
    assert whole.rows.tolist() == list(range(600))


def test_padding_is_part_of_a_compat_model_and_of_no_other(tmp_path):
    x = small.features("vadclip-ucf", 40).numpy()
    right = load_weak(small.folder(tmp_path / "a", "vadclip-ucf"))
    published = load_weak(small.folder(tmp_path / "b", "vadclip-ucf", compat=True))
    full = np.concatenate([x, np.zeros((216, small.WIDTH), np.float32)])[None]
    for network, same in ((right, True), (published, False)):
        alone, inside = network.run(x[None], [40])[0][0], network.run(full, [40])[0][0, :40]
        assert np.allclose(alone, inside, atol=1e-5) == same
    assert np.allclose(score_features(published, x).values, published.run(full, [40])[0][0, :40], atol=1e-6)


@pytest.mark.parametrize("motion", [0, small.WIDTH])
def test_banks_carry_clips_from_block_to_block(tmp_path, motion):
    network = load_weak(small.folder(tmp_path / "m", "vador", motion=motion))
    x = small.features("vador", 47).numpy()  # blocks of 16 frames, clips of 2
    if motion:
        torch.nn.init.normal_(network.model.motion.out.weight)  # it begins at 0, as if nothing moved
        x = np.concatenate([x, small.features("vador", 47, seed=1).numpy()], axis=-1)
    found = score_features(network, x)
    assert found.rows.tolist() == list(range(0, 47, 2))
    with torch.no_grad():
        whole = torch.sigmoid(network.model(torch.from_numpy(x)[None]).logits[0]).numpy()
    assert np.allclose(found.values, whole, atol=1e-5)


def test_one_row_is_scored(tmp_path):
    for preset in PRESETS:
        network = load_weak(small.folder(tmp_path / preset, preset))
        assert len(score_features(network, small.features(preset, 1).numpy()).values) == 1


def test_a_series_has_the_classes_that_are_anomalies(tmp_path):
    network = load_weak(small.folder(tmp_path / "m", "vadclip-ucf"))
    scores = score_features(network, small.features("vadclip-ucf", 5).numpy())
    places = np.arange(5) * 16
    series = series_of(scores, network.card, places, places / 25, 70, 25.0, model="m")
    assert list(series.classes) == ["fire", "fall"] and series.method == "vadclip-ucf"
    assert series.positions.tolist() == [0, 16, 32, 48, 64]


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((3, 20), np.float32), "are 20 wide, the model reads 16, of tiny"),
        (np.zeros((0, 16), np.float32), "no features"),
        (np.zeros((3, 2, 16), np.float32), "3 axes"),
        (np.full((3, 16), np.nan, np.float32), "row 0 holds a number that is not finite"),
    ],
)
def test_features_that_a_model_does_not_read(tmp_path, x, says):
    network = load_weak(small.folder(tmp_path / "m", "vadclip-ucf"))
    with pytest.raises(InputError, match=says):
        score_features(network, x, "clip")


def test_damaged_folders_are_named(tmp_path):
    place = small.folder(tmp_path / "m", "vadclip-ucf")
    card = json.loads((place / "card.json").read_text())
    with pytest.raises(ModelError, match=r"no card\.json"):
        load_weak(tmp_path)
    for change, says in (
        ({"format": 9}, "its format is 9"),
        ({"kind": "other"}, "no card of a learned"),
        ({"classes": [1]}, "list of names"),
        ({"config": {**card["config"], "width": 24}}, "not of its card"),
        ({"config": {**card["config"], "wide": 24}}, "wide"),
        ({"classes": ["normal"]}, "texts of 3 classes, but 1 names"),
    ):
        (place / "card.json").write_text(json.dumps(card | change))
        with pytest.raises(ModelError, match=says):
            load_weak(place)
    (place / "card.json").write_text(json.dumps(card))
    weights = load_file(place / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "join" not in k}, place / "model.safetensors")
    with pytest.raises(ModelError, match=r"not of its card.*join"):
        load_weak(place)
    (place / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="can't be read"):
        load_weak(place)
    assert read_card(place / "card.json").classes == small.NAMES


def test_another_card_is_not_replaced(tmp_path):
    (tmp_path / "card.json").write_text('{"mine": 1}')
    with pytest.raises(OccupiedError):
        small.folder(tmp_path, "vadclip-ucf")
