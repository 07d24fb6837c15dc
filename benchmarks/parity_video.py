"""Compare the weakly supervised video models with fixtures of the published ones, quantity by quantity.

    python benchmarks/parity_video.py FIXTURE_DIR [--json FILE] [--quiet]

Prints one line per quantity with its largest error and its tolerance, then ``parity PASS: ...`` or
``parity FAIL: ...``; exits with 1 if anything is above its tolerance, with 2 if there is nothing to compare.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.parity import compare
from benchmarks.parity_checks import Check, Skip, guarded
from benchmarks.parity_video_fullsize import fullsize
from benchmarks.parity_video_metrics import detection, frames, lists, tested
from benchmarks.parity_video_ovvad import ovvad
from benchmarks.parity_video_sampling import samplers, sampling, segments
from benchmarks.parity_video_set import Set
from benchmarks.parity_video_urdmu import urdmu
from benchmarks.parity_video_vadclip import vadclip
from benchmarks.parity_video_vador import banks, losses

Part = Callable[[Set], Iterator[Check]]

URDMU = ("config.json", "urdmu_weights.safetensors", "urdmu_inputs.npz", "urdmu_outputs.npz")

PARTS: dict[str, tuple[Part, tuple[str, ...]]] = {
    "sampling": (sampling, ("vadclip_sampling.npz",)),
    "segments": (segments, ("urdmu_segments.npz",)),
    "sampler": (samplers, ("sampler.json", "sampler_scores.npz")),
    "urdmu": (urdmu, URDMU),
    "vador": (banks, ("config.json", "vador_banks.npz", "vador_heads.safetensors")),
    "vador loss": (losses, ("vador_losses.npz",)),
    "ovvad": (ovvad, ("config.json", "ovvad.npz")),
    "frames": (frames, ("frame_metrics.npz",)),
    "list": (lists, ("umil_list.json", "umil_groundtruth.npz")),
    "detection": (detection, ("vadclip_detection.json", "vadclip_detection.npz")),
    "fullsize": (fullsize, ("config.json", "fullsize.json", "fullsize.npz")),
}
"""Name of a part -> what compares it, and the files that it reads; models that come in several sets are beside it."""


def run(folder: Path) -> list[Check | Skip]:
    """Compare everything in a folder."""
    data = Set(folder)
    parts = dict(PARTS)
    for name in data.models("vadclip_"):
        parts[name] = (partial(vadclip, name=name), (f"{name}_weights.safetensors", f"{name}_inputs.npz"))
        parts[f"{name} test"] = (partial(tested, name=name), (f"{name}_test.npz",))
    found: list[Check | Skip] = []
    for name, (part, files) in parts.items():
        absent = [file for file in files if not (folder / file).is_file()]
        if absent:
            found += [Skip(name, file) for file in absent]
        else:
            found += list(guarded(name, "all", lambda part=part: part(data)))  # type: ignore[misc]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    about = "Compare the weak video models with fixtures of the published ones."
    return compare(arguments, about, run, "parity_video", "config.json and its .npz files")


if __name__ == "__main__":
    sys.exit(main())
