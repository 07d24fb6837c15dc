"""How weights are moved: AdamW alone, or Muon for the towers' matrices and AdamW for the rest; texts by AdamW."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from factory.config import TrainConfig

_EMBEDDINGS = ("embedding", "logit_scale", "log_scale", "offset")
"""Never decayed, and no hidden matrices."""
_MOMENTUM = 0.95


def optimisers(named: Mapping[str, Tensor], train: TrainConfig) -> list[Optimizer]:
    """Make the optimisers of a run.

    Muon's steps have the size of AdamW's (``match_rms_adamw``), so that both share one learning rate.

    Args:
        named: trainable tensors by name.
        train: rates, decay and kind.

    Returns:
        One or two optimisers that together cover every tensor once.

    Source: Muon (Jordan et al., 2024); the matched step size from Moonlight (Liu et al., 2025).
    """
    matrices = {n: p for n, p in named.items() if p.ndim > 1 and not any(word in n for word in _EMBEDDINGS)}
    hidden = {n: p for n, p in matrices.items() if train.optimiser == "muon" and p.ndim == 2 and "probe" not in n}
    decayed = [p for n, p in matrices.items() if n not in hidden]
    kept = [p for n, p in named.items() if n not in matrices]
    groups = [{"params": decayed, "weight_decay": train.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    made: list[Optimizer] = [torch.optim.AdamW(groups, lr=train.rate, betas=(0.9, train.beta2), fused=True)]
    if hidden:
        made.append(
            torch.optim.Muon(
                list(hidden.values()),
                lr=train.rate,
                weight_decay=train.weight_decay,
                momentum=_MOMENTUM,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return made


def descend(weights: Sequence[Tensor], loss_at: Callable[[int], Tensor], steps: int, rate: float, warmup: int) -> None:
    """Take steps of AdamW, whose rate rises linearly and falls to zero by a cosine.

    Args:
        weights: float32 tensors of any shape, trained in place; their gradient's norm is held to 1.
        loss_at: gives the loss of a step, a scalar, from step 0 on.
        steps: how many.
        rate: highest learning rate.
        warmup: steps of the rise, at least 1.

    Source: AdamW (Loshchilov and Hutter, 2019).
    """
    adam = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        for parameters in adam.param_groups:
            parameters["lr"] = rate * min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * step / steps)) / 2
        adam.zero_grad()
        loss_at(step).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        adam.step()


class Float32Muon(TorchFunctionMode):
    """Let Muon compute in float32 where it would round to bfloat16.

    Processors without bfloat16 units take many times as long for a bfloat16 product, in all seconds per step.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Replace ``tensor.bfloat16()`` by a float32 copy, which Muon then overwrites; pass everything else through."""
        if func is Tensor.bfloat16:
            return args[0].float().clone()
        return func(*args, **(kwargs or {}))


def state(made: Sequence[Optimizer], named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what the optimisers remember, by ``KIND/NAME``."""
    kept: dict[str, Tensor] = {}
    for optimiser in made:
        for name, value in named.items():
            kept |= {f"{kind}/{name}": v for kind, v in optimiser.state.get(value, {}).items() if kind != "step"}
    return kept


def restore(made: Sequence[Optimizer], named: Mapping[str, Tensor], kept: Mapping[str, Tensor], step: int) -> None:
    """Take over what ``state`` returned; a tensor that nothing is kept for begins anew.

    Args:
        made: fresh optimisers of ``named``.
        named: trainable tensors by name.
        kept: from a checkpoint.
        step: the optimiser steps done.
    """
    for optimiser in made:
        adam = isinstance(optimiser, torch.optim.AdamW)
        for group in optimiser.param_groups:
            members = {id(p) for p in group["params"]}
            for name, value in named.items():
                if id(value) not in members:
                    continue
                kinds = ("exp_avg", "exp_avg_sq") if adam else ("momentum_buffer",)
                found = {k: kept[f"{k}/{name}"].to(value.device) for k in kinds if f"{k}/{name}" in kept}
                if len(found) == len(kinds):
                    count = {"step": torch.tensor(float(step), device=value.device)} if adam else {}
                    optimiser.state[value] = found | count
