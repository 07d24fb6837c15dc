"""The feature cache: frozen features of every image and view once, memory-mapped, in half precision.

One file for each entry, named by a hash of all that its content depends on, written aside and renamed:
safe under two processes and a kill, and shared between runs. Features are stored as unit vectors, since
nothing else of them is read; half precision then rounds each component by at most one part in 2048.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

import zsad.backbone
import zsad.images.preprocess
from zsad.card import ModelCard
from zsad.data.examples import digest
from zsad.errors import UsageError
from zsad.files import output_errors, write_whole

GB = 10**9
IN_USE = 3600.0
"""Entries read within this many seconds are not removed for another run."""

_READING = (
    "image_size", "patch_size", "embed_dim", "mean", "std", "pos_interp", "pos_antialias", "quick_gelu", "vv_blocks",
    "class_norm", "layers",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """What is kept of one image.

    Attributes:
        cls: unit class feature, float32 ``(D,)``.
        patches: unit patch features ``(L, N, D)``; float16 from the cache, float32 straight from the tower.
        mask: bool ``(S, S)``, packed to bits as uint8 ``(ceil(S² / 8),)``.
    """

    cls: Tensor
    patches: Tensor
    mask: Tensor

    @classmethod
    def of(cls, feature: Tensor, patches: Tensor, mask: Tensor) -> Entry:
        """Normalise class feature ``(D,)`` and patches ``(L, N, D)``, and pack the mask ``(S, S)``."""
        unit = torch.nn.functional.normalize
        return cls(
            unit(feature.float(), dim=-1).cpu(),
            unit(patches.float(), dim=-1).cpu(),
            torch.from_numpy(np.packbits(mask.numpy().reshape(-1))),
        )

    def unpacked_mask(self, size: int) -> Tensor:
        """Return the mask, bool ``(S, S)``."""
        bits = np.unpackbits(self.mask.numpy(), count=size * size)
        return torch.from_numpy(bits.reshape(size, size).view(bool))


def feature_space(card: ModelCard, dtype: str) -> str:
    """Hash what features depend on beside the image: the backbone, how it is read, and the code that reads it."""
    values = card.flat()
    facts = {name: values[name] for name in _READING}
    facts |= {"backbone": card.provenance.details.get("backbone_fingerprint", card.provenance.backbone), "dtype": dtype}
    return digest(json.dumps(facts, sort_keys=True), _code_version())


def entry_bytes(card: ModelCard) -> int:
    """Return the size of one entry on disk."""
    values = len(card.reading.layers) * card.grid**2 * card.reading.embed_dim
    return 2 * values + 4 * card.reading.embed_dim + (card.input.image_size**2 + 7) // 8 + 512


class FeatureStore:
    """A folder of entries by key.

    Args:
        folder: where they are kept; made if absent.
        limit_gb: size that the folder may have, in GB.

    Raises:
        OutputError: the folder can't be made.
    """

    def __init__(self, folder: Path, limit_gb: float) -> None:
        self.folder, self.limit = folder, int(limit_gb * GB)
        with output_errors(folder, "choose another --cache"):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Return the file of an entry."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def __contains__(self, key: str) -> bool:
        return self.path(key).exists()

    def read(self, key: str) -> Entry | None:
        """Map an entry into memory; None if it is absent or damaged, to be computed again."""
        path = self.path(key)
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                if (file.metadata() or {}).get("key") != key:
                    return None
                return Entry(*(file.get_tensor(name) for name in ("cls", "patches", "mask")))
        except (OSError, safetensors.SafetensorError):
            return None

    def write(self, key: str, entry: Entry) -> None:
        """Store an entry; a reader sees all of it or nothing.

        Raises:
            OutputError: the disk is full, or the folder can't be written.
        """
        path = self.path(key)
        tensors = {"cls": entry.cls, "patches": entry.patches.half(), "mask": entry.mask}
        refused = output_errors(self.folder, *["choose another --cache, or none (--cache-gb 0)"] * 2)
        write_whole(path, safetensors.torch.save(tensors, metadata={"key": key}), refused)

    def reserve(self, keys: Iterable[str], bytes_each: int) -> int:
        """Make room for the entries of a run, removing the longest unused ones of other runs.

        Args:
            keys: all entries that the run reads.
            bytes_each: size of one.

        Returns:
            How many of them are there already.

        Raises:
            UsageError: they do not fit into the limit.
        """
        wanted = set(keys)
        now = time.time()
        others: list[tuple[float, int, Path]] = []
        kept = 0
        present = 0
        for file in self.folder.glob("??/*"):
            try:
                facts = file.stat()
                if file.stem in wanted and file.suffix == ".safetensors":
                    os.utime(file)
                    present += 1
                    continue
            except FileNotFoundError:
                continue  # another process removed it
            others.append((facts.st_mtime, facts.st_size, file))
            kept += facts.st_size
        need = len(wanted) * bytes_each
        for used, size, file in sorted(others):
            if need + kept <= self.limit:
                break
            if now - used > IN_USE:
                file.unlink(missing_ok=True)
                kept -= size
        if need + kept > self.limit:
            busy = f", and other runs hold {kept / GB:.2g} GB there" if kept else ""
            raise UsageError(
                f"{self.folder}: features of {len(wanted)} images and views take {need / GB:.2g} GB{busy}, "
                f"--cache-gb allows {self.limit / GB:.3g}; give --cache-gb {(need + kept) / GB + 0.1:.2g}, or 0 to run "
                "the backbone in every step"
            )
        return present


def stack(entries: Sequence[Entry], size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Join entries to ``cls (B, D)``, ``patches (L, B, N, D)``, both float32, and ``mask (B, S, S)``."""
    cls = torch.stack([entry.cls for entry in entries]).to(device)
    first = entries[0].patches
    # Widened while copying, from the map straight into place: no half-precision batch in between.
    patches = torch.empty(first.shape[0], len(entries), *first.shape[1:], dtype=torch.float32)
    for place, entry in enumerate(entries):
        patches[:, place] = entry.patches
    mask = torch.stack([entry.unpacked_mask(size) for entry in entries]).to(device)
    return cls, patches.to(device), mask


def _code_version() -> str:
    """Hash the sources that turn a file into features, so that no changed code reads old features."""
    joined = hashlib.sha256()
    backbone = Path(str(zsad.backbone.__file__)).parent
    for source in (Path(str(zsad.images.preprocess.__file__)), Path(__file__), *sorted(backbone.glob("*.py"))):
        joined.update(source.read_bytes())
    return joined.hexdigest()
