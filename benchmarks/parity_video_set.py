"""A folder of video fixtures, read without unpickling; see ``parity_video.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.parity_checks import Check, Files, largest, read_arrays


@dataclass(frozen=True)
class Set:
    """A folder of fixtures: everything is named and sized by its ``config.json``."""

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The numbers of ``config.json``, or nothing where it is absent."""
        path = self.folder / "config.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return found

    def models(self, prefix: str) -> list[str]:
        """Return the names of the configured sets that begin so."""
        return sorted(name for name in self.config if name.startswith(prefix))

    def arrays(self, file: str) -> Files:
        """Read an ``.npz`` file, or nothing where it is absent."""
        return read_arrays(self.folder / file) if (self.folder / file).is_file() else {}

    def weights(self, file: str) -> dict[str, Tensor]:
        """Read a ``.safetensors`` file."""
        from safetensors.torch import load_file

        return dict(load_file(self.folder / file))


def cases(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return what stands before the last dot of the names that begin so, each once, in order."""
    heads = [name.removeprefix(prefix).rpartition(".")[0] for name in data if name.startswith(prefix) and "." in name]
    return list(dict.fromkeys(heads))


def compare(
    where: str, have: Mapping[str, Any], want: Mapping[str, Any], tolerance: float, *, of_largest: bool = False
) -> Iterator[Check]:
    """Compare what both have by name; with ``of_largest`` relative to the largest wanted value."""
    for name, value in have.items():
        if name in want:
            target = np.asarray(want[name])
            scale = max(float(np.abs(target).max(initial=0.0)), 1e-30) if of_largest else 1.0
            yield Check(where, name, largest(detached(value), target, scale), tolerance)


def detached(value: Any) -> Any:
    """Return a tensor as an array, anything else as it is."""
    return value.detach().numpy() if isinstance(value, torch.Tensor) else value


def gradients(where: str, tag: str, module: torch.nn.Module, want: Files, rename: Any, limit: float) -> Iterator[Check]:
    """Compare gradients relative to each one's largest entry; those below 1e-6 are left out.

    Args:
        where: names the set.
        tag: beginning of the names in the fixtures, up to the parameter's.
        module: whose gradients.
        want: the fixtures' arrays.
        rename: published name -> ours.
        limit: the tolerance.
    """
    own = dict(module.named_parameters())
    for name, target in want.items():
        if name.startswith(tag):
            have = own[rename(name.removeprefix(tag))].grad
            top = float(np.abs(target).max())
            if top > 1e-6 and have is not None:
                yield Check(where, name, largest(have.numpy().reshape(target.shape), target, top), limit)
            else:
                error = 0.0 if have is None else float(have.abs().max())
                yield Check(where, f"{name} (vanishes)", error, 1e-5)


def parameters(where: str, tag: str, module: torch.nn.Module, want: Files, rename: Any, limits: Any) -> Iterator[Check]:
    """Compare parameters after a step; ``limits(name)`` is the tolerance of one."""
    own = dict(module.named_parameters())
    for name, target in want.items():
        if name.startswith(tag):
            published = name.removeprefix(tag)
            have = own[rename(published)].detach().numpy().reshape(target.shape)
            yield Check(where, name, largest(have, target), limits(published))
