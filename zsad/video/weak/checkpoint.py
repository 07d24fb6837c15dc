"""Where a training is after an epoch: weights, the best ones, the optimiser and the log, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zsad.documents import Limits, parse_json
from zsad.errors import ModelError, first_line
from zsad.files import write_whole
from zsad.outputs import check_output, holds
from zsad.outside import printable
from zsad.video.weak.model import WeakModel

FILE = "training.safetensors"
KEY = "zsad_video_training"
_LIMITS = Limits(size=64 << 20, entries=1_000_000)


@dataclass
class State:
    """What a run had reached: a row of the log for every epoch, and the best weights."""

    log: list[dict[str, Any]]
    best: dict[str, Tensor]


class Checkpoint:
    """The file of a run; ``told`` is what makes two runs the same."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self.path = folder / FILE
        self.run = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        check_output(self.path, holds(KEY.encode()), "choose another --out")

    @property
    def is_there(self) -> bool:
        """Whether a run was interrupted here."""
        return self.path.is_file()

    def write(
        self, model: WeakModel, optimiser: torch.optim.Optimizer, best: dict[str, Tensor], log: list[dict[str, Any]]
    ) -> None:
        """Replace the file by where the training is now."""
        tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in best.items()}
        for index, values in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in values.items()}
        said = json.dumps({"run": self.run, "log": log})
        whole = {name: value.detach().clone().contiguous() for name, value in tensors.items()}
        write_whole(self.path, save(whole, metadata={KEY: said}), synced=True)

    def read(self, model: WeakModel, optimiser: torch.optim.Optimizer) -> State:
        """Put a model and its optimiser where the run was.

        Raises:
            ModelError: the file is damaged, or of another run.
        """
        where = printable(self.path)
        try:
            with safe_open(self.path, framework="pt") as file:
                said = (file.metadata() or {}).get(KEY, "")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{where}: can't be read ({first_line(error)}); remove it to train anew") from None
        data = parse_json(said, where, ModelError, _LIMITS)
        if not isinstance(data, dict) or data.get("run") != self.run or not isinstance(data.get("log"), list):
            raise ModelError(f"{where}: is of another run; give the same options, or remove it to train anew")
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        model.load_state_dict(parts["model"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in parts["optimiser"].items():
            index, _, kind = name.partition(".")
            state.setdefault(int(index), {})[kind] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
        return State(data["log"], parts["best"])

    def remove(self) -> None:
        """Remove the file; the model's folder has everything."""
        self.path.unlink(missing_ok=True)
