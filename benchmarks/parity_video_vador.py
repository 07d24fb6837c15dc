"""VAD-LLaMA's banks, heads and losses, and UMIL's, against their fixtures; see ``parity_video.py``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from benchmarks.parity_checks import Check, Files, largest
from benchmarks.parity_video_set import Set, cases, compare
from zsad.video.weak.banks import recent, retrieve, select
from zsad.video.weak.losses import total
from zsad.video.weak.losses_margin import margin, weighed
from zsad.video.weak.tokens import TokenMLP, told

EXACT, CLOSE = 0.0, 1e-6


def banks(data: Set) -> Iterator[Check]:
    """Which clips are retrieved, and what."""
    settings, want = data.config["vador"], data.arrays("vador_banks.npz")
    keep, clips = int(settings["K"]), int(settings["clips"])
    tokens = torch.from_numpy(want["frame_tokens"])
    flat = tokens.reshape(len(tokens), clips, -1)  # (B, c, t q h)
    for case in [c for c in cases(want) if f"{c}.logits" in want]:
        clip_logits, best = told(torch.from_numpy(want[f"{case}.logits"]))
        probability = torch.softmax(clip_logits, dim=-1)
        have = {"clip_logits": clip_logits, "clip_prob": probability}
        yield from compare("vador", {f"{case}.{k}": v for k, v in have.items()}, want, CLOSE)
        yield from compare("vador", {f"{case}.best_query": best}, want, EXACT)
        yield from _long(case, flat, probability[..., 1], keep, want)
    yield from _short(flat, torch.from_numpy(want["history_tokens"]), keep, want)
    yield from _heads(data, tokens, want)


def _long(case: str, flat: Tensor, probability: Tensor, keep: int, want: Files) -> Iterator[Check]:
    abnormal, normal = select(probability, keep, compat=True)
    chosen = {"selected_abnormal": abnormal, "selected_normal": normal}
    yield from compare("vador", {f"{case}.{k}": v for k, v in chosen.items()}, want, EXACT)
    target = want[f"{case}.dual"]
    dual = retrieve(flat, flat, abnormal | normal).reshape(target.shape)
    yield from compare("vador", {f"{case}.dual": dual}, want, CLOSE)
    right = torch.logical_or(*select(probability, keep))
    yield from compare("vador", {f"{case}.selected_exact_k": right}, want, EXACT)
    exact = retrieve(flat.double(), flat.double(), right).reshape(target.shape)
    yield Check("vador", f"{case}.dual_exact_k", largest(exact, want[f"{case}.dual_exact_k"]), CLOSE)


def _short(flat: Tensor, history: Tensor, keep: int, want: Files) -> Iterator[Check]:
    B, c, n = flat.shape
    before = history.reshape(B, -1, n)
    both, h = torch.cat([before, flat], dim=1), before.shape[1]
    for key in (k for k in want if k.startswith("main.short")):
        start = int(key.rpartition("_")[2]) if "new_video_at" in key else None
        starts = torch.zeros(B, h + c, dtype=torch.bool)
        if start is not None:
            starts[:, h + start] = True
        if "history" in key:
            have = retrieve(flat, both, recent(c, keep, earlier=h, starts=starts))
        else:
            have = retrieve(flat, flat, recent(c, keep))
        yield Check("vador", key, largest(have.reshape(want[key].shape), want[key]), CLOSE)


def _heads(data: Set, tokens: Tensor, want: Files) -> Iterator[Check]:
    weights = data.weights("vador_heads.safetensors")
    layers: dict[str, TokenMLP] = {}
    for name in ("LTC_fcs_L", "vad_decoder"):
        (hidden, width), out = weights[f"{name}.fc_0.weight"].shape, len(weights[f"{name}.fc_1.weight"])
        layers[name] = TokenMLP(width, hidden, out)
        own = {f"{i}.{kind}": weights[f"{name}.{layer}.{kind}"]
               for i, layer in enumerate(("fc_0", "ln_0", "fc_1")) for kind in ("weight", "bias")}  # fmt: skip
        layers[name].load_state_dict(own)
    with torch.no_grad():
        added = tokens + layers["LTC_fcs_L"](torch.from_numpy(want["main.dual"]).reshape(tokens.shape))
        logits = layers["vad_decoder"](added)
    have = {"main.tokens_after_long_bank": added, "head_logits_of_tokens": logits}
    yield from compare("vador", have, want, CLOSE)


def losses(data: Set) -> Iterator[Check]:
    """Both forms of the loss, with gradients."""
    want = data.arrays("vador_losses.npz")
    labels = torch.from_numpy(want["labels"])
    for case in [c for c in cases(want) if f"{c}.grad_logits" in want]:
        logits = torch.from_numpy(want[f"{case}.logits"]).requires_grad_()
        clip_logits, _ = told(logits)
        terms = margin(clip_logits, labels)
        whole = total(weighed(terms))
        (gradient,) = torch.autograd.grad(whole, logits)
        p = torch.softmax(clip_logits, dim=-1)[..., 1].detach()
        highest = p.max(dim=1).values
        have = {"loss_mil": terms["mil"], "loss_mar": terms["margin"], "smooth_loss": terms["smooth"],
                "sparsity_loss": terms["sparse"], "total": whole, "grad_logits": gradient, "scores_ano_seg": p,
                "max_prob_video": torch.maximum(highest, 1 - highest),
                "margin_video": highest - p.min(dim=1).values}  # fmt: skip
        yield from compare("vador loss", {f"{case}.{k}": v for k, v in have.items()}, want, CLOSE)
    if "umil.logits" in want:
        flat = torch.from_numpy(want["umil.logits"]).flatten(0, 1)
        terms = margin(flat, torch.from_numpy(want["umil.labels"].astype(np.int64)).flatten(), binary=True)
        names = {"loss_mil": "mil", "loss_mar": "margin", "smoothed_loss": "smooth", "sparsity_loss": "sparse"}
        yield from compare("umil loss", {f"umil.{k}": terms[v] for k, v in names.items()}, want, CLOSE)
