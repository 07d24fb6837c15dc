"""OVVAD against the consistency fixtures, in float64; see ``parity_video.py``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.parity_checks import Check, Files, largest
from benchmarks.parity_video_set import Set, cases, compare, detached
from zsad.video.learned.config import Config, Context, Head, Loss, Temporal
from zsad.video.weak.distance import adjacency
from zsad.video.weak.losses import highest, total
from zsad.video.weak.model import WeakModel
from zsad.video.weak.phrases import open_vocabulary, telling
from zsad.video.weak.pseudo import inserted, snippets

LIMIT = 1e-9
NAMES = {
    "ln_weight": "temporal.norm.weight", "ln_bias": "temporal.norm.bias", "F_text": "context.embeddings",
    "w1": "head.mlp.0.weight", "b1": "head.mlp.0.bias", "w2": "head.mlp.2.weight", "b2": "head.mlp.2.bias",
    "class_text": "text.features",
}  # fmt: skip


class Given(nn.Module):
    """Class texts that are trained themselves."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.features = nn.Parameter(features)

    def forward(self) -> Tensor:
        """Return them."""
        return self.features


def built(settings: dict[str, Any], want: Files, *, compat: bool = False) -> WeakModel:
    """Build the model with the stored weights, in float64."""
    config = Config(
        width=int(settings["c"]),
        unit=True,
        compat=compat,
        temporal=Temporal("adapter", decay=float(settings["main_sigma"])),
        context=Context("phrases", normal=int(settings["l_normal"]), abnormal=int(settings["l_abnormal"])),
        head=Head("attended", hidden=int(settings["hidden"]), temperature=float(settings["tau"])),
        loss=Loss("open", similarity=float(settings["lam"])),
    )
    model = WeakModel(config, Given(torch.from_numpy(want["in.class_text"]))).double()
    model.load_state_dict({own: torch.from_numpy(want[f"in.{name}"]) for name, own in NAMES.items()})
    return model


def ovvad(data: Set) -> Iterator[Check]:
    """Compare everything of OVVAD."""
    settings, want = data.config["ovvad"], data.arrays("ovvad.npz")
    features = [want[f"in.v{i}.x_f"] for i in range(len(want["in.video_class"]))]
    lengths = torch.tensor([len(f) for f in features])
    x = torch.zeros(len(features), int(lengths.max()), features[0].shape[1], dtype=torch.float64)
    for row, values in enumerate(features):
        x[row, : len(values)] = torch.from_numpy(values)
    valid = torch.arange(x.shape[1]) < lengths[:, None]
    classes = torch.from_numpy(want["in.video_class"])
    yield from _adapter(settings, want, x[:1, : len(features[0])])
    model = built(settings, want)
    yield from _videos(model, x, valid, classes, want)
    yield from _losses(model, x, valid, classes, want)
    yield from _literal(built(settings, want, compat=True), x, valid, classes, want)
    yield from _pasted(model, features[0], want)


def _close(name: str, have: Any, target: Any) -> Check:
    scale = max(float(np.abs(target).max(initial=0.0)), 1e-12)
    return Check("ovvad", name, largest(detached(have), target, scale), LIMIT)


def _adapter(settings: dict[str, Any], want: Files, x: Tensor) -> Iterator[Check]:
    valid = torch.ones(x.shape[:2], dtype=torch.bool)
    for label in cases(want, "adapter_sigma"):
        tag = f"adapter_sigma{label}"
        sigma = min(settings["sigma"], key=lambda value: abs(float(value) - float(label)))
        graph = adjacency(valid, float(sigma), x)[0]  # (T, T)
        mid, T = len(graph) // 2, len(graph)
        norm = nn.LayerNorm(x.shape[-1]).double()
        weights = {kind: torch.from_numpy(want[f"in.ln_{kind}"]) for kind in ("weight", "bias")}
        norm.load_state_dict(weights)
        apart = graph.masked_fill(torch.eye(T, dtype=torch.bool), 0).max()
        have = {"row0": graph[0], "row_mid": graph[mid], "x_t": norm(graph @ x[0]), "off_diagonal_max": apart}
        for key, value in have.items():
            yield _close(f"{tag}.{key}", value, want[f"{tag}.{key}"])


def _videos(model: WeakModel, x: Tensor, valid: Tensor, classes: Tensor, want: Files) -> Iterator[Check]:
    with torch.no_grad():
        scored = model(x, valid)
        adapted = model.temporal(F.normalize(x, dim=-1), valid)
        known = model.context(adapted, valid)[..., x.shape[-1] :]
        normal, abnormal = model.context.likeness(adapted)
        means = highest(scored.logits, valid, telling(valid, classes >= 0))
        other = torch.softmax(torch.sigmoid(scored.logits).masked_fill(~valid, float("-inf")), dim=-1)
    assert scored.inner is not None and scored.video is not None
    tau = model.config.head.temperature
    for row, length in enumerate(valid.sum(dim=1).tolist()):
        rows = {"x_t": adapted, "F_know": known, "logit": scored.logits, "score": torch.sigmoid(scored.logits),
                "attention": scored.inner["attention"], "sim_normal": normal, "sim_abnormal": abnormal}  # fmt: skip
        whole = {"topk_mean_logit": means, "video_feature": scored.inner["feature"],
                 "video_feature_softmax_of_sigmoid": (other[:, None] @ x).squeeze(1),
                 "class_cosine": scored.video * tau, "class_prob": torch.softmax(scored.video, dim=-1)}  # fmt: skip
        for key, value in rows.items():
            yield _close(f"v{row}.{key}", value[row, :length], want[f"v{row}.{key}"])
        for key, value in whole.items():
            yield _close(f"v{row}.{key}", value[row], want[f"v{row}.{key}"])


def _losses(model: WeakModel, x: Tensor, valid: Tensor, classes: Tensor, want: Files) -> Iterator[Check]:
    terms = open_vocabulary(model(x, valid), valid, classes, model.context, model.config.loss)
    both = float(want["loss_sim_n"] + want["loss_sim_a"])
    yield _close("loss_bce", terms["snippets"], want["loss_bce"])
    yield _close("loss_ce", terms["classes"], want["loss_ce"])
    yield _close("loss_sim_n + loss_sim_a", terms["phrases"] / model.config.loss.similarity, np.float64(both))
    whole = total(terms)
    yield _close("loss_total", whole, want["loss_total"])
    whole.backward()  # type: ignore[no-untyped-call]
    own = dict(model.named_parameters())
    for name, published in NAMES.items():
        yield _close(f"grad.{name}", own[published].grad, want[f"grad.{name}"])


def _literal(model: WeakModel, x: Tensor, valid: Tensor, classes: Tensor, want: Files) -> Iterator[Check]:
    with torch.no_grad():
        scored = model(x, valid)
        terms = open_vocabulary(scored, valid, classes, model.context, model.config.loss)
    for key, target in want.items():
        if key.startswith("sigma0.07."):
            if key.endswith("loss_total"):
                yield _close(key, total(terms), target)
            else:
                row = int(key.split(".")[2][1:])
                yield _close(key, torch.sigmoid(scored.logits)[row, : len(target)], target)


def _pasted(model: WeakModel, sequence: Any, want: Files) -> Iterator[Check]:
    longer, labels = inserted(sequence, want["paste.clip"], int(want["paste.position"]))
    yield from compare("ovvad", {"paste.sequence": longer, "paste.labels": labels}, want, 0.0)
    x = torch.from_numpy(longer)[None]
    with torch.no_grad():
        logits = model(x).logits
    yield _close("paste.logit", logits[0], want["paste.logit"])
    loss = snippets(logits, torch.from_numpy(labels).double()[None], torch.ones(1, len(labels), dtype=torch.bool))
    yield _close("paste.frame_bce", loss, want["paste.frame_bce"])
