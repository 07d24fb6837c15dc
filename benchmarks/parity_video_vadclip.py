"""VadCLIP against its fixtures: text, blocks, heads, losses, steps, test probabilities; see ``parity_video.py``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.parity_checks import Check, Files, largest
from benchmarks.parity_video_set import Set, compare, detached, gradients, parameters
from zsad.prompt.class_learner import ClassLearner
from zsad.video.learned.config import Config, Context, Head, Loss, Temporal
from zsad.video.sampling import blocks, padded
from zsad.video.weak.graphs import distance_graph, likeness_graph
from zsad.video.weak.losses import aligned, total
from zsad.video.weak.model import WeakModel
from zsad.video.weak.published import VADCLIP, VADCLIP_DEAD, renamed
from zsad.video.weak.towers import text_tower

UNWEIGHED = 1e-4
"""Weight of XD's prompt loss, which the fixtures leave out of the term and put into the total."""


def config_of(settings: dict[str, Any], *, compat: bool = True) -> Config:
    """Return the configuration of a set."""
    ucf = settings["dataset"] == "ucf"
    return Config(
        width=int(settings["visual_width"]),
        compat=compat,
        temporal=Temporal(
            "windows",
            layers=int(settings["visual_layers"]),
            heads=int(settings["visual_head"]),
            window=int(settings["attn_window"]),
            length=int(settings["visual_length"]),
        ),
        context=Context("graphs"),
        head=Head("aligned", prefix=int(settings["prompt_prefix"]), postfix=int(settings["prompt_postfix"])),
        loss=Loss("aligned", prompt=0.1 if ucf else UNWEIGHED),
    )


def model_of(
    config: Config, weights: dict[str, Tensor], ids: Tensor, names: list[str], heads: int, dtype: torch.dtype
) -> WeakModel:
    """Build a model from the published names' weights."""
    clip = {k.removeprefix("clipmodel."): v.to(dtype) for k, v in weights.items() if k.startswith("clipmodel.")}
    tower = text_tower("fixture", clip, heads)
    text = ClassLearner(tower, names, config.head.prefix, config.head.postfix, ids=ids)
    model = WeakModel(config, text).to(dtype)
    text.known = text.known.to(dtype)
    model.load_state_dict(renamed("fixture", weights, VADCLIP, VADCLIP_DEAD))
    return model


def ours(name: str) -> str:
    """Return this project's name of a published parameter."""
    return next(iter(renamed("fixture", {name: None}, VADCLIP, VADCLIP_DEAD)))


def vadclip(data: Set, name: str) -> Iterator[Check]:
    """Compare one set."""
    settings, inputs = data.config[name], data.arrays(f"{name}_inputs.npz")
    weights = data.weights(f"{name}_weights.safetensors")
    ids = torch.from_numpy(inputs["token_ids_remapped"].astype(np.int64))

    def built(compat: bool, dtype: torch.dtype = torch.float32) -> WeakModel:
        config = config_of(settings, compat=compat)
        return model_of(config, weights, ids, settings["prompt"], int(settings["text_heads"]), dtype)

    x = torch.from_numpy(inputs["features"])  # (B, T, D)
    valid = torch.arange(x.shape[1]) < torch.from_numpy(inputs["lengths"])[:, None]
    labels = torch.from_numpy(inputs["labels"])
    yield from _tokens(name, inputs, settings)
    yield from _inner(name, built(True), x, valid, data.arrays(f"{name}_intermediate.npz"))
    yield from _outputs(name, built(True), x, valid, labels, data.arrays(f"{name}_outputs.npz"))
    double = data.arrays(f"{name}_fp64.npz")
    yield from _double(name, built(True, torch.float64), x, valid, double)
    for check in _training(name, built(True, torch.float64), x.double(), valid, labels.double(), double, settings):
        yield replace(check, quantity=f"float64 {check.quantity}", tolerance=1e-9)
    yield from _alone(name, built(False), x, valid, data.arrays(f"{name}_nopad.npz"))
    yield from _training(name, built(True), x, valid, labels, data.arrays(f"{name}_train.npz"), settings)
    yield from _test(name, built(True), data.arrays(f"{name}_test.npz"))


def _tokens(name: str, inputs: Files, settings: dict[str, Any]) -> Iterator[Check]:
    """The tokenizer's ids of the class texts, and that their case changes none."""
    import open_clip

    from zsad.backbone.text_tower import token_ids

    for tag, texts in (("", settings["prompt"]), (" capitalised", [t.title() for t in settings["prompt"]])):
        ids = token_ids(open_clip.SimpleTokenizer(), texts, inputs["token_ids"].shape[1])
        yield Check(name, f"token_ids{tag}", largest(ids, inputs["token_ids"]), 0.0)
    rows = np.searchsorted(inputs["vocab_rows"], inputs["token_ids"])
    yield Check(name, "token_ids_remapped", largest(rows, inputs["token_ids_remapped"]), 0.0)


def _inner(name: str, model: WeakModel, x: Tensor, valid: Tensor, want: Files) -> Iterator[Check]:
    with torch.no_grad():
        local = model.temporal(x, valid)
        similar, near = model.context.branches(local, valid)
        fused = model.context(local, valid)
        scored = model(x, valid)
        prompt = model.head.visual_prompt(fused, scored.logits, valid)
        texts = model.head.texts(scored.text, prompt)
        graph = likeness_graph(local, valid, model.config.context.threshold)
    learner = model.text
    assert isinstance(learner, ClassLearner)
    yield from compare(name, {"prompt_sequence": learner.embeddings(), "eot_index": learner.ends}, want, 0.0)
    yield from compare(name, {"x_local": local, "x1": similar[-1]}, want, 2e-5)
    yield from compare(name, {"fused": fused}, want, 5e-5)
    yield from compare(name, {"text_final": texts, "visual_prompt": prompt}, want, 1e-4)
    yield from compare(name, {"x2": near[-1]}, want, 5e-6, of_largest=True)
    for key, target in want.items():
        video, _, quantity = key.partition(".")
        if key.startswith("adj_dist_"):
            yield Check(name, key, largest(distance_graph(len(target), x), target), 1e-6)
        elif quantity == "adj_sim":
            L = len(target)
            yield Check(name, key, largest(graph[int(video[1:]), :L, :L], target), 1e-6)
        elif quantity.startswith("adj_sim_rows_"):
            rows = [int(r) if r != "last" else graph.shape[1] - 1 for r in quantity.split("_")[3:]]
            yield Check(name, key, largest(graph[int(video[1:]), rows], target), 1e-6)
        elif quantity in ("x1_h", "x2_h"):
            have = (similar if quantity == "x1_h" else near)[0][int(video[1:])]
            yield Check(name, key, largest(have, target, max(1.0, float(np.abs(target).max()))), 2e-5)


def _outputs(name: str, model: WeakModel, x: Tensor, valid: Tensor, labels: Tensor, want: Files) -> Iterator[Check]:
    with torch.no_grad():
        scored = model(x, valid)
        losses = _losses(model, x, valid, labels)
    assert scored.classes is not None
    yield from compare(name, {"text_features": scored.text, "logits1": scored.logits[..., None]}, want, 5e-5)
    yield from compare(name, {"logits2": scored.classes}, want, 2e-4)
    names = ("loss1", "loss2", "loss3", "loss_total")
    yield from compare(name, dict(zip(names, losses, strict=True)), want, 2e-5)


def _losses(model: WeakModel, x: Tensor, valid: Tensor, labels: Tensor) -> Tensor:
    """Return the three terms and their sum, the prompt's as the fixtures weigh it."""
    terms = aligned(model(x, valid), valid, labels, model.config.loss)
    shown = terms["prompt"] / UNWEIGHED if model.config.loss.prompt == UNWEIGHED else terms["prompt"]
    return torch.stack([terms["binary"], terms["classes"], shown, total(terms)])


def _double(name: str, model: WeakModel, x: Tensor, valid: Tensor, want: Files) -> Iterator[Check]:
    with torch.no_grad():
        scored = model(x.double(), valid)
    have = {"text_features": scored.text, "logits1": scored.logits[..., None], "logits2": scored.classes}
    for check in compare(name, have, want, 1e-9):
        yield replace(check, quantity=f"float64 {check.quantity}")


def _alone(name: str, model: WeakModel, x: Tensor, valid: Tensor, want: Files) -> Iterator[Check]:
    """Without ``compat``, in a padded batch, every video is scored as if it were alone."""
    with torch.no_grad():
        scored = model(x, valid)
    assert scored.classes is not None
    for key, target in want.items():
        video, _, quantity = key.partition(".")
        have = scored.logits[..., None] if quantity == "logits1" else scored.classes
        yield Check(name, f"nopad {key}", largest(have[int(video[1:]), : len(target)].numpy(), target), 2e-4)


def _training(
    name: str, model: WeakModel, x: Tensor, valid: Tensor, labels: Tensor, want: Files, settings: dict[str, Any]
) -> Iterator[Check]:
    decay = model.config.recipe.weight_decay
    optimiser = torch.optim.AdamW(model.parameters(), lr=float(settings["lr"]), weight_decay=decay)
    steps = sum(key.endswith("_loss") for key in want)
    for step in range(steps):
        have = _losses(model, x, valid, labels)
        key = f"step{step}_loss"
        yield Check(name, key, largest(detached(have), want[key]), 2e-5 if step == 0 else 1e-4)
        optimiser.zero_grad(set_to_none=True)
        have[-1].backward()  # type: ignore[no-untyped-call]
        yield from gradients(name, f"step{step}_grad.", model, want, ours, 2e-4)
        optimiser.step()
        tag = f"step{step + 1}_param."
        yield from parameters(name, tag, model, want, ours, lambda n: 1e-5 if n.endswith("ln_1.weight") else 5e-5)


def _test(name: str, model: WeakModel, want: Files) -> Iterator[Check]:
    """Probabilities of whole test videos, in blocks."""
    rows = model.config.temporal.length
    for video in sorted({key.split(".")[0] for key in want if key.startswith("v")}):
        features = want[f"{video}.feat"]
        spans = blocks(len(features), rows, compat=True)
        lengths = [rows if len(spans) > 1 and b - a in (0, rows) else b - a for a, b in spans]
        yield Check(name, f"{video}.chunk_lengths", largest(lengths, want[f"{video}.chunk_lengths"]), 0.0)
        x = torch.from_numpy(np.stack([padded(features[a:b], rows) for a, b in blocks(len(features), rows)]))
        shape = [len(spans), *x.shape[1:]] if len(spans) > 1 else list(x.shape[1:])
        yield Check(name, f"{video}.chunks_shape", largest(shape, want[f"{video}.chunks_shape"]), 0.0)
        valid = torch.arange(rows) < torch.tensor([b - a for a, b in blocks(len(features), rows)])[:, None]
        with torch.no_grad():
            scored = model(x, valid)
        assert scored.classes is not None
        by_class = torch.softmax(scored.classes, dim=-1)[valid]
        have = {"prob1": torch.sigmoid(scored.logits)[valid], "prob2": 1 - by_class[:, 0], "class_prob": by_class}
        yield from compare(name, {f"{video}.{key}": value for key, value in have.items()}, want, 5e-5)
