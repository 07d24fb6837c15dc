"""How a figure came about: versions, commit, hardware, hashes of the model's card and of the data."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zsad import paths
from zsad.detector.loading import BUNDLED
from zsad.errors import ModelError
from zsad.evaluation.provenance import card_hash, versions
from zsad.types import Sample

__all__ = ["FORMAT", "card_hash", "commit", "data_hash", "hardware", "model_hash", "versions"]

FORMAT = 1
"""Version of the records of runs."""


def commit(folder: Path | None = None) -> str:
    """Commit of the source tree, with ``+changes`` if it is modified; ``""`` outside of one."""
    folder = folder or Path(__file__).parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".")
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+changes" if changed else "")


def hardware() -> dict[str, Any]:
    """Processor, number of usable cores, memory in GB, operating system."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}",
        "accelerator": _accelerator(),
    }


def model_hash(model: str | Path | None) -> str:
    """SHA-256 of a model's file (the bundled one by default), or ``""`` for a backbone that is loaded by name."""
    path = Path(model) if model else None
    if path is None or str(model) == BUNDLED:
        try:
            path = paths.asset(f"{BUNDLED}.onnx")
        except ModelError:
            return ""
    return _file_hash(path).hex() if path.is_file() else ""


def data_hash(samples: Iterable[Sample], root: Path) -> str:
    """SHA-256 over the names, labels and contents of images and masks, in order of their names.

    Two copies of a dataset have the same hash wherever they lie.
    """
    total = hashlib.sha256()
    for sample in sorted(samples, key=lambda s: s.key):
        total.update(f"{sample.class_name}\0{_below(sample.image, root)}\0{sample.label}\0".encode())
        for path in (sample.image, sample.mask):
            for file in _files(path):
                total.update(_file_hash(file))
    return total.hexdigest()


def _files(path: Path | None) -> list[Path]:
    if path is None or not path.exists():
        return []
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]


def _file_hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _accelerator() -> str:
    torch = sys.modules.get("torch")  # asked only if something has loaded it already
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(0))
    return ""
