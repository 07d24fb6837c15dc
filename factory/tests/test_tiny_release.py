"""From a run to the files that ship: loadable with and without torch, the same verdicts, an honest card."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from factory import average, fit_texts, learn, narrow, pretrain, release, validate  # noqa: E402
from factory import checkpoint as ckpt  # noqa: E402
from factory.config import RunConfig  # noqa: E402
from factory.model import DualEncoder  # noqa: E402
from factory.pool import ScenePool  # noqa: E402
from factory.released import TOKENS, checkpoint_of  # noqa: E402
from factory.texts import stored_phrases  # noqa: E402
from factory.validate import Collected, maps  # noqa: E402
from zsad.backbone import backbone_of  # noqa: E402
from zsad.card import CARD_KEY, ModelCard  # noqa: E402
from zsad.config import from_mapping  # noqa: E402
from zsad.detector.onnx_detector import OnnxDetector  # noqa: E402
from zsad.detector.torch_detector import TorchDetector  # noqa: E402
from zsad.metrics import aupro  # noqa: E402
from zsad.metrics.curves import image_auroc  # noqa: E402
from zsad.prompt.store import load_prompt  # noqa: E402
from zsad.prompt.words import Words  # noqa: E402
from zsad.scoring import DirectionScorer  # noqa: E402


@pytest.fixture(scope="module")
def released(tmp_path_factory, micro):
    import yaml

    folder = tmp_path_factory.mktemp("release")
    (folder / "micro.yaml").write_text(yaml.safe_dump(micro()))
    arguments = ["--config", str(folder / "micro.yaml"), "--out", str(folder / "run"), "--workers", "0"]
    assert pretrain.main([*arguments, "--threads", "1"]) == 0
    patched = pytest.MonkeyPatch()
    patched.setattr(learn.learn_prompt, "__defaults__", (3, 0))
    assert release.main(["--run", str(folder / "run"), "--out", str(folder / "assets"), "--scenes", "24"]) == 0
    patched.undo()
    return folder / "assets"


def test_files_and_card(released):
    from safetensors import safe_open

    assert sorted(p.name for p in released.iterdir()) == ["tiny", "tiny.card.json", "tiny.onnx"]
    card = ModelCard.from_json((released / "tiny.card.json").read_text())
    assert (card.provenance.backbone, card.input.image_size, card.reading.layers, card.scoring.calibrated) == (
        "tiny",
        64,
        (2,),
        False,
    )
    assert "no real image and no foreign weight" in card.provenance.training_data
    assert {
        "world",
        "steps",
        "seeds",
        "hardware",
        "date",
        "text_tower",
        "selected_on",
    } <= card.provenance.details.keys()
    assert OnnxDetector(released / "tiny.onnx").card == card
    assert load_prompt(released / "tiny" / "prompt.safetensors").card == card
    with safe_open(released / "tiny" / "open_clip_model.safetensors", framework="numpy") as file:
        assert ModelCard.from_json(file.metadata()[CARD_KEY]) == card
        rows = file.get_tensor("token_embedding.weight")
    assert 100 < np.abs(rows).any(1).sum() < 2000


def test_torch_weights_and_onnx_file_say_the_same(released):
    onnx = OnnxDetector(released / "tiny.onnx")
    card = onnx.card
    backbone = backbone_of(card.changed(backbone=f"local-dir:{released / 'tiny'}"))
    stored = load_prompt(released / "tiny" / "prompt.safetensors")
    detector = TorchDetector(backbone, DirectionScorer(stored.vectors, card), card)
    for index in range(3):
        image = ScenePool(64, 0, "valid")[index].image
        ours, theirs = onnx(image), detector(image)
        np.testing.assert_allclose(ours.map, theirs.map, atol=1e-4)
        assert abs(ours.score - theirs.score) < 1e-4


def test_a_released_folder_is_measured_as_the_run_that_it_was_made_of(released, capsys):
    shipped, config, saved = validate.load_encoder(released / "tiny")
    trained, run, _ = validate.load_encoder(released.parent / "run")
    assert (config.model, saved.step) == (run.model, 0)
    pixels = torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for a, b in zip(shipped.encode_images(pixels), trained.encode_images(pixels), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=0)
    assert float(shipped.temperature) == pytest.approx(float(trained.temperature), rel=1e-3)
    assert validate.main(["--run", str(released / "tiny"), "--scenes", "16"]) == 0
    assert '"anomalous"' in capsys.readouterr().out
    assert validate.main(["--run", str(released / "tiny"), "--split", "train"]) != 0
    assert "give --first" in capsys.readouterr().err


def test_stored_phrases_can_be_asked_for(released):
    onnx = OnnxDetector(released / "tiny.onnx")
    for prompt in release.BANKS:
        onnx.with_stored(Words(prompt=prompt))
    phrases = stored_phrases()
    assert len(phrases) == len(set(phrases)) > 50
    onnx.with_stored(Words(normal="a flawless object", anomalous="an object with a scratch"))


@pytest.mark.factory
def test_a_run_goes_on_from_released_files(released, tmp_path, micro, capsys):
    import yaml

    (tmp_path / "more.yaml").write_text(yaml.safe_dump(micro(seed=3)))
    begin = ["--config", str(tmp_path / "more.yaml"), "--workers", "0", "--threads", "1", "--from"]
    shape = from_mapping(RunConfig, micro()).model
    start = checkpoint_of(released / "tiny", shape)
    encoder = DualEncoder(shape).requires_grad_(False)
    encoder.load_state_dict(start.group("weights"))
    onnx = OnnxDetector(released / "tiny.onnx")
    pair = load_prompt(released / "tiny" / "prompt.safetensors").vectors.image
    image = ScenePool(64, 0, "valid")[1].image
    patches = encoder.encode_images(torch.from_numpy(image).permute(2, 0, 1)[None])[1]
    ours = maps(patches, torch.from_numpy(pair), float(encoder.temperature), 64, onnx.card.scoring.sigma)
    np.testing.assert_allclose(ours[0], onnx(image).map, atol=1e-4)

    assert pretrain.main([*begin, str(released / "tiny"), "--out", str(tmp_path / "run")]) == 0
    saved = ckpt.load(tmp_path / "run" / ckpt.LAST)
    old = int(start.tensors["seen"].sum())
    assert saved.step == 8 and int(saved.tensors["seen"].sum()) >= old > 100
    patched = pytest.MonkeyPatch()
    patched.setattr(learn.learn_prompt, "__defaults__", (3, 0))
    thin, fitted = tmp_path / "thin.ckpt", tmp_path / "fitted.ckpt"
    little = ["--scenes", "8", "--steps", "2", "--threads", "1"]
    thinner = ["--run", str(tmp_path / "run" / ckpt.LAST), "--width", "8", "--out", str(thin)]
    assert narrow.main([*thinner, *little]) == 0
    assert fit_texts.main(["--run", str(thin), "--out", str(fitted), *little]) == 0
    card = release.release(fitted, tmp_path / "assets", 24, None)
    patched.undo()
    assert card.provenance.details["steps"] == "8 + 8"
    texts = card.provenance.details["text_tower"]
    assert "; narrowed from 16 to 8, 2 steps on " in texts
    assert texts.endswith("fitted to the frozen vision tower at last, 2 steps on 8 scenes")
    assert load_file(tmp_path / "assets" / "tiny" / "open_clip_model.safetensors")[TOKENS].shape == (49408, 8)
    assert card.provenance.details["seeds"] == "world 0, training 0; then world 0, training 3"

    on = [*begin, str(tmp_path / "run" / ckpt.LAST), "--out", str(tmp_path / "on")]
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(micro(seed=5, steps=9)))
    assert pretrain.main(on) == 0
    later = ckpt.load(tmp_path / "on" / ckpt.LAST)
    assert later.step == 9 and [e["seed"] for e in later.history[-2:]] == [3, 5]
    assert release.seeds_of(later) == "world 0, training 0; then world 0, training 3, 5"
    assert average.main([str(tmp_path / "on" / ckpt.LAST), "--out", str(tmp_path / "one")]) == 0
    mean = ckpt.load(tmp_path / "one")
    assert release.seeds_of(mean) == release.seeds_of(later)  # of all stages, not of the last alone

    first = ["--run", str(tmp_path / "run"), "--split", "train", "--scenes", "8", "--first"]
    for number in ("0", "50"):
        assert validate.main([*first, number, "--json", str(tmp_path / number)]) == 0
    near, far = (json.loads((tmp_path / number).read_text()) for number in ("0", "50"))
    assert (near["first"], far["first"]) == (0, 50) and near["sigma"] != far["sigma"]

    last = tmp_path / "run" / ckpt.LAST
    assert average.main([str(released / "tiny"), str(last), "--out", str(tmp_path / "mean.ckpt")]) == 0
    mean = ckpt.load(tmp_path / "mean.ckpt")
    assert mean.history[-1]["averaged_steps"] == "8, 8 + 8" and mean.history[-1]["averaged_seeds"] == "3"
    name = "average/clip.visual.proj"
    torch.testing.assert_close(mean.tensors[name], (start.tensors[name] + saved.tensors[name]) / 2)
    assert average.main([str(last), str(released / "tiny"), "--out", str(tmp_path / "no.ckpt")]) == 1
    assert "can't come last" in capsys.readouterr().err


@pytest.mark.factory
def test_the_mean_of_a_released_model_and_a_deeper_run_from_it(released, tmp_path, micro, capsys):
    import yaml

    (tmp_path / "deep.yaml").write_text(yaml.safe_dump(micro(model={"depth": 3}, seed=3)))
    begin = ["--config", str(tmp_path / "deep.yaml"), "--workers", "0", "--threads", "1", "--from"]
    assert pretrain.main([*begin, str(released / "tiny"), "--out", str(tmp_path / "run")]) == 0
    last = tmp_path / "run" / ckpt.LAST
    assert average.main([str(released / "tiny"), str(last), "--out", str(tmp_path / "mean.ckpt")]) == 0
    mean, saved = ckpt.load(tmp_path / "mean.ckpt"), ckpt.load(last)
    before = checkpoint_of(released / "tiny", from_mapping(RunConfig, micro()).model)
    assert mean.config["model"]["depth"] == 3
    blocks = "average/clip.visual.transformer.resblocks."
    # The released second block is the run's third; the new one in between had added nothing.
    for found, old in (("0.mlp.c_fc.weight", "0.mlp.c_fc.weight"), ("2.mlp.c_fc.weight", "1.mlp.c_fc.weight")):
        wanted = (saved.tensors[blocks + found] + before.tensors[blocks + old]) / 2
        torch.testing.assert_close(mean.tensors[blocks + found], wanted)
    name = blocks + "1.mlp.c_proj.weight"
    torch.testing.assert_close(mean.tensors[name], saved.tensors[name] / 2)


@pytest.mark.parametrize("damage", ["config", "number", "size", "weights", "absent", "card", "shape", "lost", "narrow"])
def test_a_folder_that_nothing_can_go_on_from_is_named(released, tmp_path, micro, capsys, damage):
    import yaml
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "tiny"
    shutil.copytree(released / "tiny", folder)
    weights = folder / "open_clip_model.safetensors"
    if damage == "config":
        (folder / "open_clip_config.json").write_text("{}")
    elif damage == "weights":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "absent":
        weights.unlink()
    elif damage in ("number", "size"):
        config = (folder / "open_clip_config.json").read_text()
        wrong = '"image_size": "wide"' if damage == "number" else '"image_size": 65'
        (folder / "open_clip_config.json").write_text(config.replace('"image_size": 64', wrong))
    elif damage == "card":
        save_file(load_file(weights), weights)
    elif damage in ("lost", "narrow"):
        with safe_open(weights, framework="pt") as file:
            header = file.metadata()
        values = load_file(weights)
        kept = {} if damage == "lost" else {"visual.proj": values["visual.proj"][:, :3].contiguous()}
        save_file({n: v for n, v in values.items() if n != "visual.proj"} | kept, weights, metadata=header)
    (tmp_path / "more.yaml").write_text(yaml.safe_dump(micro(model={"depth": 1} if damage == "shape" else None)))
    arguments = ["--config", str(tmp_path / "more.yaml"), "--out", str(tmp_path / "run"), "--from", str(folder)]
    assert pretrain.main(arguments) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("error: ") and str(folder) in lines[0]
    wanted = {"card": "no card in its header", "shape": "depth was 2", "lost": "visual.proj is absent"}
    assert wanted.get(damage, "release") in lines[0]


def data(n=200, size=32, seed=0):
    """Features of which the last number says how anomalous a patch is; a fifth of the scenes has one bad patch."""
    rng = np.random.default_rng(seed)
    z = rng.uniform(-0.6, 0.0, (n, 16)).astype(np.float32)
    masks = np.zeros((n, size, size), bool)
    for i in range(n // 2):
        z[i, 5], masks[i, 8:16, 8:16] = 0.9, True
    patches = torch.from_numpy(np.stack([np.sqrt(1 - z**2), z], -1))
    labels = masks.any((1, 2)).astype(np.int64)
    none = np.zeros((n, 1), bool)
    return Collected(patches.mean(1), patches, masks, labels, none, none)


PAIR = torch.tensor([[0.0, -1.0], [0.0, 1.0]])


def test_choice_is_by_the_left_out_scenes():
    found = data()
    choice = release.choose({"wrong way round": PAIR.flip(0), "right": PAIR}, found, 0.5, 32)
    assert choice.prompt == "right" and choice.pixel_auroc > 0.95
    assert choice.image_auroc == 1.0 and choice.score_rule != "cls"


def test_choice_weighs_auroc_and_aupro_alike():
    found = data()
    choice = release.choose({"right": PAIR}, found, 0.5, 32)
    quality = {}
    for sigma in release.SIGMAS:
        values = release.maps(found.patches, PAIR, 0.5, 32, sigma)
        pixels = roc_auc_score(found.masks.ravel(), values.ravel())
        quality[sigma] = (pixels + aupro(found.masks, values).value) / 2
    assert choice.quality == pytest.approx(max(quality.values()), abs=1e-9)
    assert quality[choice.sigma] == pytest.approx(choice.quality, abs=1e-9)


def test_thresholds_come_from_good_scenes():
    found = data()
    choice = release.Choice("p", PAIR, 2.0, 1.0, 0.0, 0.0, 0.0)
    limits = release.choose_thresholds(choice, found, 0.5, 32)
    values = release.maps(found.patches, PAIR, 0.5, 32, 2.0)
    scores = release.image_scores(release.score_parts(found.cls, values, PAIR, 0.5), 1.0)
    good, bad = found.labels == 0, found.labels == 1
    assert 0 < (scores[good] >= limits.image).mean() <= release.FALSE_ALARMS
    assert (scores[bad] >= limits.image).all()
    alarms = [(v >= limits.pixel).mean() >= limits.min_area for v in values[good]]
    assert np.mean(alarms) <= release.FALSE_REGIONS + 0.01
    assert (values[bad].max((1, 2)) >= limits.pixel).all()
    # Bad scenes play no part.
    only = Collected(*(x[good] for x in (found.cls, found.patches, found.masks, found.labels)), None, None)
    assert release.choose_thresholds(choice, only, 0.5, 32) == limits


def test_learned_prompt_separates(encoder, config):
    g = torch.Generator().manual_seed(0)
    n, grid, D = 16, config.model.grid, config.model.embed_dim
    axis = torch.nn.functional.normalize(torch.randn(D, generator=g), dim=0)
    masks = np.zeros((n, 64, 64), bool)
    masks[: n // 2, :16, :16] = True
    noise = torch.randn(n, grid * grid, D, generator=g)
    noise[: n // 2, 0] += 12 * axis
    noise[:, 1:] -= 12 * axis
    patches = torch.nn.functional.normalize(noise, dim=-1)
    labels = masks.any((1, 2)).astype(np.int64)
    found = Collected(patches.mean(1), patches, masks, labels, None, None)
    before = learn.unit_pair(learn.learn_prompt(encoder, found, config, steps=0))
    after = learn.unit_pair(learn.learn_prompt(encoder, found, config, steps=80))
    truth = masks[:, ::16, ::16].reshape(n, -1)

    def auroc(pair):
        return image_auroc(truth, (patches @ (pair[1] - pair[0])).numpy()).value

    assert auroc(after) > max(0.95, auroc(before) - 1e-9)
