"""Where a run stands: parameters and optimiser state in one safetensors file, replaced atomically, never unpickled."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from zsad.documents import LARGE, Entries, is_number, parse_json
from zsad.errors import ModelError, first_line
from zsad.files import write_whole

NAME = "checkpoint.state"
"""Not named .safetensors, so that the one prompt in a run's folder is found by naming the folder."""


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: epochs done.
        step: steps done in the epoch that is running.
        total: steps done in all.
        running: sum of the losses of the steps of that epoch.
        best: lowest held-out loss so far, or None.
        best_epoch: the epoch after which it was reached.
        losses: mean loss of each finished epoch.
        settings: the run's settings, to be compared on resuming.
        data: hash of the examples.
    """

    epoch: int = 0
    step: int = 0
    total: int = 0
    running: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    data: str = ""


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are learned, by name; the frozen text tower is left out."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def save(path: Path, head: nn.Module, adam: torch.optim.Adam, progress: Progress) -> None:
    """Write a checkpoint; a kill leaves the one that was there.

    Raises:
        OutputError: no space, or the folder can't be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, parameter in trained(head).items():
        tensors[f"head/{name}"] = parameter.detach().cpu().contiguous()
        for kind, value in adam.state.get(parameter, {}).items():
            tensors[f"adam/{kind}/{name}"] = value.detach().cpu().contiguous()
    write_whole(path, safetensors.torch.save(tensors, metadata={"progress": json.dumps(asdict(progress))}), synced=True)


def load(path: Path, head: nn.Module, adam: torch.optim.Adam) -> Progress:
    """Read a checkpoint into a head and its optimiser.

    Raises:
        ModelError: absent, damaged, or of another head.
    """
    if not path.exists():
        raise ModelError(f"{path}: no checkpoint to resume from; start without --resume")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            progress = _progress(parse_json((file.metadata() or {})["progress"], path, ModelError, LARGE), path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"{path}: not a checkpoint that can be read ({first_line(error)}); start without --resume"
        ) from None
    parameters = trained(head)
    shapes = {name: tuple(p.shape) for name, p in parameters.items()}
    stored = {n.removeprefix("head/"): tuple(t.shape) for n, t in tensors.items() if n.startswith("head/")}
    if shapes != stored:
        raise ModelError(f"{path}: made for another head or backbone; use the settings it was made with")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"head/{name}"])
            state = {
                kind: tensors[f"adam/{kind}/{name}"].clone()
                for kind in ("step", "exp_avg", "exp_avg_sq")
                if f"adam/{kind}/{name}" in tensors
            }
            if state:
                # Adam keeps its step counter on the CPU, the moments beside the parameter.
                adam.state[parameter] = {k: v if k == "step" else v.to(parameter.device) for k, v in state.items()}
    return progress


def _progress(data: Any, path: Path) -> Progress:
    """Check what a checkpoint says of itself; what it does not say is as at the start.

    Raises:
        ModelError: an unknown key, a wrong type, or a number that no run reaches.
    """
    said = Entries.of(data, f"{path}: progress", ModelError).only(*(entry.name for entry in fields(Progress)))
    losses = said.items("losses", 10**6, default=[])
    if not all(is_number(loss) for loss in losses):
        raise ModelError(f"{path}: progress: losses must be numbers; start without --resume")
    return Progress(
        **{name: said.whole(name, default=0) for name in ("epoch", "step", "total", "best_epoch")},
        running=said.number("running", default=0.0),
        best=None if said.data.get("best") is None else said.number("best"),
        losses=[float(loss) for loss in losses],
        settings=said.entries("settings").data if "settings" in said.data else {},
        data=said.text("data", default=""),
    )
