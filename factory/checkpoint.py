"""Checkpoints: one file of tensors behind its own SHA-256, replaced atomically, never unpickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from zsad.errors import ModelError, OutputError

LAST, PREVIOUS, TRUNK = "last.ckpt", "previous.ckpt", "trunk.ckpt"
"""The newest checkpoint, the one before it, and the last one before the learning rate falls."""

_DIGEST = 64


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on.

    Attributes:
        step: optimiser steps done.
        config: the run's config as plain mappings.
        history: one entry per start or change of world: step, world version, hardware words.
        tensors: weights, averages and optimiser state by name.
    """

    step: int
    config: dict[str, Any]
    tensors: Mapping[str, Tensor] = field(repr=False)
    history: tuple[dict[str, Any], ...] = ()

    def group(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names start with ``prefix/``, without it."""
        start = f"{prefix}/"
        return {name[len(start) :]: value for name, value in self.tensors.items() if name.startswith(start)}


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically; the one that was there becomes ``previous.ckpt`` beside it.

    Raises:
        OutputError: no space, or the folder can't be written; what was there is left as it was.
    """
    facts = {"step": checkpoint.step, "config": checkpoint.config, "history": list(checkpoint.history)}
    tensors = {name: value.detach().contiguous() for name, value in checkpoint.tensors.items()}
    payload = safetensors.torch.save(tensors, metadata={"run": json.dumps(facts)})
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as file:
            file.write(hashlib.sha256(payload).hexdigest().encode())
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        if path.name == LAST and path.exists():
            path.replace(path.with_name(PREVIOUS))
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: checkpoint can't be written ({reason}); free space, then use --resume") from None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelError: absent, unreadable, or damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such checkpoint; start the run without --resume") from None
    except OSError as error:
        raise ModelError(f"{path}: can't be read ({error.strerror}); check the file") from None
    digest, payload = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise ModelError(
            f"{path}: damaged, its checksum is wrong; delete it, rename {PREVIOUS} beside it to {path.name}, "
            "and use --resume"
        )
    facts = json.loads(_metadata(payload)["run"])
    return Checkpoint(facts["step"], facts["config"], safetensors.torch.load(payload), tuple(facts["history"]))


def _metadata(payload: bytes) -> dict[str, str]:
    length = int.from_bytes(payload[:8], "little")
    header: dict[str, str] = json.loads(payload[8 : 8 + length])["__metadata__"]
    return header


def latest(folder: Path) -> Path:
    """Return a run's newest checkpoint; after a kill between the two renames that is ``previous.ckpt``."""
    last = folder / LAST
    return last if last.exists() or not (folder / PREVIOUS).exists() else folder / PREVIOUS
