"""Average the weights of several checkpoints of one run: ``python -m factory.average A B --out C``.

Points of one training path lie in one valley, and their mean is often better than each of them. A run that went on from
a released model lies in that model's valley: its folder may be one of them, also where the run has more blocks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from factory import checkpoint as ckpt
from factory.command import status_of
from factory.config import RunConfig
from factory.grow import grown
from factory.probe import PROBE
from factory.released import checkpoint_of
from zsad.config import from_mapping
from zsad.errors import ModelError

KIND = "average/"


def average(checkpoints: Sequence[ckpt.Checkpoint]) -> ckpt.Checkpoint:
    """Return the last checkpoint with the mean of all their shipped (moving-average) weights.

    Args:
        checkpoints: at least one, of the same model.

    Raises:
        ModelError: checkpoints of models of different shape.
    """
    last = checkpoints[-1]
    names = [name for name in last.tensors if name.startswith(KIND) and not name.startswith(KIND + PROBE)]
    for other in checkpoints:
        if other.config["model"] != last.config["model"] or any(name not in other.tensors for name in names):
            raise ModelError("checkpoints of different models have no average; give checkpoints of one run")
    mean = {name: torch.stack([c.tensors[name].float() for c in checkpoints]).mean(0) for name in names}
    seen = torch.stack([c.tensors["seen"] for c in checkpoints]).any(0)  # tokens that any of them has read
    facts = {
        "averaged_steps": ", ".join(_steps(c) for c in checkpoints),
        "averaged_seeds": ", ".join(dict.fromkeys(str(c.config["train"]["seed"]) for c in checkpoints if c.step)),
    }
    history = (*last.history, {**last.history[-1], **facts})
    return replace(last, tensors={**last.tensors, **mean, "seen": seen}, history=history)


def _steps(checkpoint: ckpt.Checkpoint) -> str:
    """Return the steps behind a checkpoint; those before a released model it went on from, first."""
    earlier = [str(entry["released_steps"]) for entry in checkpoint.history if "released_steps" in entry]
    return " + ".join([*earlier, *([str(checkpoint.step)] if checkpoint.step else [])])


def _read(paths: Sequence[Path]) -> list[ckpt.Checkpoint]:
    """Read checkpoints; released folders among them are grown to the last one's model, and take its first values.

    Raises:
        ModelError: absent or damaged files; a released folder that comes last, which could not be gone on from.
    """
    if paths[-1].is_dir():
        raise ModelError(f"{paths[-1]}: a released folder can't come last; give a checkpoint of a run after it")
    last = ckpt.load(paths[-1])
    shape = from_mapping(RunConfig, last.config, str(paths[-1])).model
    before = (grown(checkpoint_of(p, shape), shape) if p.is_dir() else ckpt.load(p) for p in paths[:-1])
    return [*before, last]


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, average, and return the exit status: 0 done, 1 failed."""
    parser = argparse.ArgumentParser(prog="python -m factory.average", description="Average checkpoints of one run.")
    parser.add_argument(
        "checkpoints",
        type=Path,
        nargs="+",
        help="checkpoint files, oldest first; all but the last may be released folders",
    )
    parser.add_argument("--out", type=Path, required=True, help="checkpoint file to write")
    options = parser.parse_args(arguments)

    def work() -> None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        ckpt.save(options.out, average(_read(options.checkpoints)))

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
