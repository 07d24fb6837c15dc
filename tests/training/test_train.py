from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from zsad.detector.torch_detector import load_detector
from zsad.errors import ConfigError, DatasetError, ModelError, OutputError, PromptError, UsageError
from zsad.prompt.store import load_prompt
from zsad.prompt.words import Words
from zsad.training import RECIPES, checkpoint, make_config, train
from zsad.training import loop as loop_module

from .drawn_parts import MICRO, write_tree


def run(data, tmp_path, name="out", **changes):
    settings = {"recipe": "anomalyclip", "image_size": 56, "epochs": 2, "cache": tmp_path / "cache", "cache_gb": 1.0}
    return train(data, MICRO, tmp_path / name, **(settings | changes))


def test_published_recipe():
    config = RECIPES["anomalyclip"]
    assert (config.epochs, config.batch_size, config.lr, config.beta1, config.beta2) == (15, 8, 1e-3, 0.5, 0.999)
    assert (config.pixel_weight, config.temperature, config.seed, config.sigma) == (4.0, 0.07, 111, 4.0)
    assert config.layers_of(24) == (24,) and config.views == 1 and not config.holdout
    assert not (config.decoupled or config.learn_layer_weights or config.fusion or config.mosaics)
    assert (config.learner.context, config.learner.depth, config.learner.deep_length) == (12, 9, 4)


def test_smoke_published(tree, tmp_path):
    done = run(f"mvtec:{tree}", tmp_path)
    assert done.losses[1] < done.losses[0] and done.images == 12 and not done.skipped
    card = done.card
    assert (card.scoring.head, card.scoring.score_rule, card.reading.layers, card.scoring.layer_weights) == (
        "prompt",
        "cls",
        (4,),
        (),
    )
    assert card.provenance.details["recipe"] == "anomalyclip" and card.provenance.training_data == "data"
    assert card.provenance.details["seed"] == "111" and card.provenance.details["backbone_fingerprint"]
    records = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert [(r["epoch"], r["step"], r["images"]) for r in records] == [(1, 1, 8), (1, 2, 4), (2, 1, 8), (2, 2, 4)]
    terms = records[0]["terms"]
    pixel = terms["focal"] + terms["dice_anomalous"] + terms["dice_normal"]
    assert records[0]["loss"] == pytest.approx(4 * pixel + terms["image"], rel=1e-5)


@pytest.mark.parametrize("changes", [{"recipe": "anomalyclip"}, {"recipe": "default"}, {"head": "weights"}])
def test_the_prompt_is_read_back_by_a_detector(tree, tmp_path, changes):
    done = run(f"mvtec:{tree}", tmp_path, **changes)
    detector = load_detector(MICRO, Words(prompt=str(done.prompt)))
    result = detector(tree / "part/test/spot/000.png")
    assert result.map.shape == (70, 70) and 0 <= result.score <= 1
    stored = load_prompt(done.prompt)
    for name in ("head", "layers", "layer_weights", "score_rule", "sigma", "temperature"):
        assert detector.card.flat()[name] == stored.card.flat()[name], name
    assert np.allclose(detector.scorer.vectors.pixel, stored.vectors.pixel, atol=1e-5)
    with pytest.raises(PromptError, match="made for"):
        load_detector("random:timm:vit_tiny_patch16_224", Words(prompt=str(done.prompt)))


def test_default_recipe_states_its_improvements_in_the_card(tree, tmp_path):
    card = run(f"mvtec:{tree}", tmp_path, recipe="default").card
    assert len(card.reading.layers) > 1 and len(card.scoring.layer_weights) == len(card.reading.layers)
    assert card.scoring.score_rule == "fused(0.500000)" and card.provenance.details["decoupled"] == "true"
    stored = load_prompt(tmp_path / "out/prompt.safetensors")
    assert not np.allclose(stored.vectors.image, stored.vectors.pixel[0])


@pytest.mark.parametrize(
    "switch", [{"decoupled": False}, {"learn_layer_weights": False}, {"fusion": 0.0}, {"layers": [4]}, {"fusion": 1.0}]
)
def test_each_improvement_can_be_switched_off(tree, tmp_path, switch):
    card = run(f"mvtec:{tree}", tmp_path, recipe="default", epochs=1, **switch).card
    assert card.provenance.details["recipe"] == "default"
    if "decoupled" in switch:
        assert card.provenance.details["decoupled"] == "false"
    if "learn_layer_weights" in switch:
        assert card.scoring.layer_weights == ()
    if "fusion" in switch:
        assert card.scoring.score_rule == ("map_top1" if switch["fusion"] else "cls")


def test_learning_tells_bright_spots_from_surface(tmp_path):
    """Vectors on a random tower's features learn what is in the training images themselves."""
    tree = write_tree(tmp_path / "data", 12, 12)
    done = run(f"mvtec:{tree}", tmp_path, head="weights", epochs=40, lr=1e-2, recipe="default")
    detector = load_detector(MICRO, Words(prompt=str(done.prompt)))
    bad = [detector(path).map for path in sorted((tree / "part/test/spot").iterdir())]
    masks = [np.asarray(Image.open(path)) > 0 for path in sorted((tree / "part/ground_truth/spot").iterdir())]
    inside = np.mean([m[mask].mean() for m, mask in zip(bad, masks, strict=True)])
    outside = np.mean([m[~mask].mean() for m, mask in zip(bad, masks, strict=True)])
    assert inside > outside + 0.2


def test_resumed_run_equals_an_uninterrupted_one(tree, tmp_path):
    whole = run(f"mvtec:{tree}", tmp_path, "whole", epochs=3)
    run(f"mvtec:{tree}", tmp_path, "parts", epochs=1)
    parts = run(f"mvtec:{tree}", tmp_path, "parts", epochs=3, resume=True)
    assert parts.losses == whole.losses
    a, b = (load_file(run.prompt) for run in (whole, parts))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_interrupted_run_goes_on_from_its_last_epoch(tree, tmp_path, monkeypatch):
    whole = run(f"mvtec:{tree}", tmp_path, "whole", epochs=3)
    step, calls = loop_module._step, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 4:  # second step of the second epoch
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(loop_module, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(f"mvtec:{tree}", tmp_path, "cut", epochs=3)
    monkeypatch.undo()
    assert load_prompt(tmp_path / "cut/prompt.safetensors").card.provenance.details["epochs"] == "1"
    assert run(f"mvtec:{tree}", tmp_path, "cut", epochs=3, resume=True).losses == whole.losses


def test_checkpoint_inside_an_epoch_is_resumed_exactly(tree, tmp_path, monkeypatch):
    whole = run(f"mvtec:{tree}", tmp_path, "whole", epochs=2)
    monkeypatch.setattr(loop_module, "SAVE_EVERY", 0.0)
    step, calls = loop_module._step, []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(loop_module, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(f"mvtec:{tree}", tmp_path, "cut", epochs=2)
    monkeypatch.setattr(loop_module, "_step", step)
    assert run(f"mvtec:{tree}", tmp_path, "cut", epochs=2, resume=True).losses == whole.losses


def test_loss_that_is_no_number_stops_and_keeps_what_was_trained(tree, tmp_path, monkeypatch):
    losses, calls = loop_module.losses, []

    def broken(*arguments):
        total, terms = losses(*arguments)
        calls.append(1)
        return (total * float("nan") if len(calls) == 3 else total), terms

    monkeypatch.setattr(loop_module, "losses", broken)
    with pytest.raises(ModelError, match=r"epoch 2, step 1: the loss is nan, on .*png.*--resume"):
        run(f"mvtec:{tree}", tmp_path)
    assert load_prompt(tmp_path / "out/prompt.safetensors").card.provenance.details["epochs"] == "1"
    monkeypatch.undo()
    assert len(run(f"mvtec:{tree}", tmp_path, resume=True, lr=5e-4).losses) == 2


def test_resume_refuses_other_settings_data_and_nothing(tree, tmp_path):
    with pytest.raises(ModelError, match="no checkpoint to resume from"):
        run(f"mvtec:{tree}", tmp_path, resume=True)
    run(f"mvtec:{tree}", tmp_path, epochs=1)
    with pytest.raises(UsageError, match="holds a run; add --resume"):
        run(f"mvtec:{tree}", tmp_path)
    with pytest.raises(UsageError, match="batch_size was 8 and is now 4"):
        run(f"mvtec:{tree}", tmp_path, resume=True, batch_size=4)
    other = write_tree(tmp_path / "other", seed=1)
    with pytest.raises(UsageError, match="training images are not the same"):
        run(f"mvtec:{other}", tmp_path, resume=True)
    (tmp_path / "out" / checkpoint.NAME).write_bytes(b'{"progress"')
    with pytest.raises(ModelError, match="not a checkpoint that can be read"):
        run(f"mvtec:{tree}", tmp_path, resume=True)
    (tmp_path / "out" / checkpoint.NAME).write_bytes(b"nonsense")
    with pytest.raises(OutputError, match="was not written by zsad and is not replaced"):
        run(f"mvtec:{tree}", tmp_path, resume=True)


def test_held_out_part_chooses_the_epoch(tmp_path):
    tree = write_tree(tmp_path / "data", 8, 8)
    done = run(f"mvtec:{tree}", tmp_path, recipe="default", head="weights", holdout=0.25, patience=1, epochs=30, lr=0.5)
    assert done.images == 12 and "held_out_loss" in done.card.provenance.details
    assert done.epoch == int(done.card.provenance.details["epochs"]) < 30
    with pytest.raises(ConfigError, match="patience needs a held-out part"):
        make_config("default", changes={"patience": 2})


def test_file_and_options_override_the_recipe(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text("lr: 0.01\nepochs: 3\naugment: {flip: 0.1}\nlearner: {context: 6}\n")
    config = make_config("default", file, {"epochs": 7, "seed": None})
    assert (config.lr, config.epochs, config.seed) == (0.01, 7, 111)
    assert config.augment.flip == 0.1 and config.augment.blur == 0.1 and config.learner.context == 6
    assert config.decoupled  # of the recipe
    file.write_text("recipe: anomalyclip\n")
    assert not make_config(None, file).decoupled
    file.write_text("leraning_rate: 1\n")
    with pytest.raises(ConfigError, match="unknown key 'leraning_rate'"):
        make_config("default", file)
    with pytest.raises(UsageError, match="recipe 'best' is unknown"):
        make_config("best")


def test_settings_are_written_and_reproduce_the_run(tree, tmp_path):
    first = run(f"mvtec:{tree}", tmp_path, recipe="default", epochs=1)
    again = train(
        f"mvtec:{tree}", MICRO, tmp_path / "again", config=tmp_path / "out/train.yaml", cache=tmp_path / "cache"
    )
    assert again.losses == first.losses


def test_weights_head_needs_no_text_tower(tree, tmp_path):
    timm = "random:timm:vit_tiny_patch16_224"
    with pytest.raises(UsageError, match="use --head weights"):
        train(f"mvtec:{tree}", timm, tmp_path / "a", image_size=64, cache_gb=0)
    done = train(
        f"mvtec:{tree}", timm, tmp_path / "b", head="weights", image_size=64, epochs=1, cache=tmp_path / "cache"
    )
    assert load_detector(timm, Words(prompt=str(done.prompt)))(tree / "part/test/good/000.png").map.shape == (70, 70)


def test_one_label_only_is_refused(tree, tmp_path):
    shutil.rmtree(tree / "part/test/spot")
    shutil.rmtree(tree / "part/ground_truth")
    with pytest.raises(DatasetError, match=r"all 6 images are normal; .*normals:PATH"):
        run(f"mvtec:{tree}", tmp_path)


def test_labels_without_masks_train_the_image_part_and_say_so(tree, tmp_path):
    shutil.rmtree(tree / "part/ground_truth")
    done = run(f"mvtec:{tree}", tmp_path, recipe="default")
    assert any("only the image part is trained" in note for note in done.notes)
    assert (
        done.card.provenance.details["trained"] == "image only" and done.card.provenance.details["decoupled"] == "false"
    )
    records = [json.loads(line) for line in (tmp_path / "out/log.jsonl").read_text().splitlines()]
    assert all(r["terms"]["focal"] == 0 and r["terms"]["image"] > 0 for r in records)
    vectors = load_prompt(done.prompt).vectors
    assert np.allclose(vectors.pixel, vectors.image[None])


def test_a_csv_of_labels_needs_no_code(tree, tmp_path):
    rows = [f"part/test/{kind}/{i:03}.png,{label}" for kind, label in (("good", 0), ("spot", 1)) for i in range(3)]
    (tree / "list.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    assert run(f"csv:{tree / 'list.csv'}", tmp_path, epochs=1).images == 6


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_unreadable_images_are_skipped_counted_and_named(tree, tmp_path, cache_gb):
    (tree / "part/test/good/001.png").write_bytes(b"not an image")
    (tree / "part/test/spot/002.png").write_bytes((tree / "part/test/spot/002.png").read_bytes()[:500])
    done = run(f"mvtec:{tree}", tmp_path, cache_gb=cache_gb)
    assert sorted(name.rsplit("/", 1)[1] for name in done.skipped) == ["001.png", "002.png"]
    assert done.images == 10 and np.isfinite(done.losses).all()


def test_masks_of_another_size_are_skipped_and_named(tree, tmp_path):
    Image.new("L", (20, 20), 255).save(tree / "part/ground_truth/spot/003_mask.png")
    done = run(f"mvtec:{tree}", tmp_path, epochs=1)
    assert list(done.skipped) == [str(tree / "part/test/spot/003.png")]
    assert "20 x 20" in next(iter(done.skipped.values()))


def test_a_missing_mask_trains_the_image_part_only(tree, tmp_path):
    (tree / "part/ground_truth/spot/004_mask.png").unlink()
    done = run(f"mvtec:{tree}", tmp_path, epochs=1)
    assert done.images == 12 and any("1 of 12 images have no mask" in note for note in done.notes)


def test_nothing_usable_is_an_error(tree, tmp_path):
    for path in (tree / "part/test").rglob("*.png"):
        path.write_bytes(b"not an image")
    with pytest.raises(DatasetError, match="no image can be used"):
        run(f"mvtec:{tree}", tmp_path)


def test_features_that_are_no_numbers_are_an_error(tree, tmp_path):
    from zsad.backbone import load_backbone

    tower = load_backbone(MICRO, image_size=56)
    with torch.no_grad():
        tower.vision.visual.conv1.weight[0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinite features"):
        train(f"mvtec:{tree}", tower, tmp_path / "out", cache=tmp_path / "cache", recipe="anomalyclip")


def test_wrong_data_options(tree, tmp_path):
    for data, match in (
        ([], "no training data"),
        ([f"mvtec:{tree}", f"mvtec:{tree}"], "used twice"),
        (["synthetic", "synthetic"], "used twice"),
        (["=synthetic"], "empty"),
        (["nonsense:/x"], "unknown layout"),
    ):
        with pytest.raises(UsageError, match=match):
            run(data, tmp_path)


def test_a_path_that_is_not_there_is_named_before_the_backbone_is_loaded(tmp_path):
    for spec in (f"normals:{tmp_path / 'absent'}", f"a=mvtec:{tmp_path / 'absent'}", f"normals:{'x' * 5000}"):
        with pytest.raises(DatasetError, match="is not there; check the path"):
            train(spec, "no-such-backbone", tmp_path / "out")


def test_normals_and_synthetic(tree, tmp_path):
    done = run(f"normals:{tree / 'part/test/good'}", tmp_path, "normals", epochs=1)
    assert done.images == 12 - len(done.skipped) and done.card.provenance.training_data == "good"
    done = run("synthetic", tmp_path, "synthetic", epochs=1, synthetic_images=6)
    assert done.images == 6 and done.card.provenance.training_data == "synthetic"
    both = run([f"a=mvtec:{tree}", "b=synthetic"], tmp_path, "both", epochs=1, synthetic_images=4)
    assert both.images == 16 and both.card.provenance.training_data == "a, b"


def test_views_and_mosaics_change_pixels_with_their_masks(tree, tmp_path):
    done = run(f"mvtec:{tree}", tmp_path, recipe="default", head="weights", views=2, mosaics=0.5, epochs=2)
    assert done.computed == 24
    again = run(f"mvtec:{tree}", tmp_path, "again", recipe="default", head="weights", views=2, mosaics=0.5, epochs=2)
    assert again.computed == 0 and again.losses == done.losses


@pytest.mark.parametrize("seed", [1, 2])
def test_seed_decides(tree, tmp_path, seed):
    done = [run(f"mvtec:{tree}", tmp_path, f"{i}", seed=seed, epochs=1).losses for i in range(2)]
    assert done[0] == done[1] != run(f"mvtec:{tree}", tmp_path, "x", seed=seed + 1, epochs=1).losses


def test_what_was_trained_goes_into_the_onnx_graph(tree, tmp_path):
    """A prompt with layer weights and a fused score; tests/onnx_export exports the other rules and heads."""
    from zsad.detector.onnx_detector import OnnxDetector
    from zsad.onnx_export import export

    done = run(f"mvtec:{tree}", tmp_path, recipe="default", lr=1e-2)
    detector = load_detector(MICRO, Words(prompt=str(done.prompt)))
    export(detector, tmp_path / "model.onnx")
    exported = OnnxDetector(tmp_path / "model.onnx")
    for name in ("head", "layers", "layer_weights", "score_rule"):
        assert exported.card.flat()[name] == done.card.flat()[name], name
    for image in sorted((tree / "part/test").rglob("*.png"))[::4]:
        ours, theirs = detector(image), exported(image)
        assert np.abs(ours.map - theirs.map).max() < 1e-4 and abs(ours.score - theirs.score) < 1e-4


def test_an_empty_class_and_loader_processes(tree, tmp_path):
    (tree / "empty" / "test" / "good").mkdir(parents=True)
    done = run(f"mvtec:{tree}", tmp_path, epochs=1, workers=2)
    assert done.images == 12 and any("empty" in note for note in done.notes)
