"""What the commands of this folder share: how they end, and how a checkpoint is read, remade and written."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from factory import checkpoint as ckpt
from factory.released import read
from zsad.errors import ZsadError


def status_of(work: Callable[[], None]) -> int:
    """Do the work; return 0, or 1 after one line on standard error that says what went wrong.

    >>> status_of(lambda: None)
    0
    """
    try:
        work()
    except (ZsadError, OSError) as error:
        kind = type(error)
        # A worker process hands its error over with a traceback before the message.
        text = (str(error).strip().splitlines() or [kind.__name__])[-1]
        sys.stderr.write(f"error: {text.removeprefix(f'{kind.__module__}.{kind.__qualname__}: ')}\n")
        return 1
    return 0


def remake(
    parser: argparse.ArgumentParser,
    make: Callable[[ckpt.Checkpoint, argparse.Namespace], ckpt.Checkpoint],
    arguments: Sequence[str] | None,
    scenes: int,
    steps: int,
) -> int:
    """Read a command line and a checkpoint, make another of it, write it and print what is new.

    Args:
        parser: has the command's own options; gets ``--run``, ``--out``, ``--scenes``, ``--steps``, ``--cache`` and
            ``--threads``.
        make: does the work.
        arguments: of the command line; by default the program's.
        scenes: default of ``--scenes``.
        steps: default of ``--steps``.

    Returns:
        The exit status: 0 done, 1 failed.
    """
    parser.add_argument("--run", type=Path, required=True, help="folder of a run or release, or a checkpoint file")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint file to write")
    parser.add_argument("--scenes", type=int, default=scenes, help="training scenes that are read")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="threads that compute")
    options = parser.parse_args(arguments)

    def work() -> None:
        torch.set_num_threads(options.threads)
        saved = read(options.run)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        made = make(saved, options)
        ckpt.save(options.out, made)
        sys.stdout.write(f"{options.out}: {made.history[-1]}\n")

    return status_of(work)
