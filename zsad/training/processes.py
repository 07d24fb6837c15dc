"""Several processes under torchrun: each takes its share of every batch; gradients are summed once a step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

_T = TypeVar("_T")
_PATIENCE = timedelta(hours=12)
"""Long, since one process may have many images to read before the others meet it."""
_RUNS = count()


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Attributes:
        rank: this one's number.
        world: how many there are.
        owned: whether the process group was set up here.
    """

    rank: int = 0
    world: int = 1
    owned: bool = False

    @classmethod
    def join(cls, device: str = "cpu") -> Processes:
        """Join the others if torchrun started this process, by gloo on CPU and nccl on CUDA."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        store, rank, world = _meeting_place()
        dist.init_process_group(
            "nccl" if device.startswith("cuda") else "gloo",
            store=dist.PrefixStore(f"zsad/{next(_RUNS)}", store),  # type: ignore[attr-defined]
            rank=rank,
            world_size=world,
            timeout=_PATIENCE,
        )
        return cls(rank, world, owned=True)

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, items: Sequence[_T]) -> list[_T]:
        """Return this process's contiguous part of a list, of equal length up to one."""
        bounds = [len(items) * i // self.world for i in (self.rank, self.rank + 1)]
        return list(items[bounds[0] : bounds[1]])

    def sum(self, *values: Tensor) -> None:
        """Replace tensors by their sums over processes, in one exchange."""
        if self.world == 1:
            return
        flat = torch.cat([value.reshape(-1) for value in values])
        dist.all_reduce(flat)
        start = 0
        for value in values:
            value.copy_(flat[start : start + value.numel()].view_as(value))
            start += value.numel()

    def wait(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        """Close what :meth:`join` opened."""
        if self.owned:
            dist.destroy_process_group()


@cache
def _meeting_place() -> tuple[Any, int, int]:
    """Return torchrun's store, rank and number of processes.

    One for the life of the process, with a name in it for each run: a second group under the first one's names
    would wait for ever for addresses that are no more.
    """
    store, rank, world = next(rendezvous("env://", timeout=_PATIENCE))
    store.set_timeout(_PATIENCE)
    return store, rank, world


def gradients(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the gradient of each parameter, zeros where this process saw no image."""
    out = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        out.append(parameter.grad)
    return out
