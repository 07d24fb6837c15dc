"""The parts of ``benchmarks/gpu.py``, each run in a process of its own: ``gpu_parts.py PART DEVICE [small]``.

The last line of the output is a JSON object with the part's figures, and ``failed`` with the reason if a difference is
larger than allowed. An error is left to Python: its last line is the reason.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import zsad
from benchmarks.speed import tera_operations
from zsad import paths
from zsad.types import FloatArray

Figures = dict[str, Any]
WORDS: dict[str, Any] = {"normal": "a photo of a flawless part", "anomalous": "a photo of a damaged part"}
ALLOWED = {"float32": 2e-3, "bfloat16": 5e-2}
"""Largest difference of map and score from the CPU in float32. On a GPU torch rounds the operands of convolutions
to TF32 (11 bits) unless told otherwise, bfloat16 rounds every product's to 8 bits."""
ALLOWED_LOSS = 5e-3
"""Largest relative difference of a training loss."""
ALLOWED_EXPORT = 2e-3
"""Largest difference of map and score between onnxruntime's CUDA and CPU providers; CUDA uses TF32 as well."""
SMALL = {
    "embed_dim": 64,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 56, "layers": 4, "width": 64, "head_width": 32, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}


def model_id(small: bool, place: Path) -> str:
    """Return the id of a ViT with random weights: ViT-L-14-336, or one that takes milliseconds."""
    if not small:
        return "random:ViT-L-14-336"
    file = place / "small.json"
    file.write_text(json.dumps(SMALL), encoding="utf-8")
    return f"random:{file}"


def pictures(count: int, side: int = 512) -> list[Any]:
    """Return drawn images ``(side, side, 3)`` uint8, every second one with a defect."""
    from zsad.synthetic import scene_at

    return [scene_at(index, side, anomalous=index % 2 == 1).image for index in range(count)]


def differences(reference: Any, other: Any, images: list[Any]) -> Figures:
    """Return the largest difference of map and score of two detectors over images."""
    maps, scores = 0.0, 0.0
    for image in images:
        (map_a, score_a), (map_b, score_b) = reference.raw(image), other.raw(image)
        maps, scores = max(maps, _apart(map_a, map_b)), max(scores, abs(score_a - score_b))
    return {"map": maps, "score": scores}


def _apart(a: FloatArray, b: FloatArray) -> float:
    return float(np.abs(a.astype(np.float64) - b).max())


def parity(model: str, device: str, images: list[Any], **options: Any) -> Figures:
    """Compare a model on the CPU in float32 with the device in float32 and bfloat16, and without TF32."""
    reference = zsad.load(model, device="cpu", dtype="float32", **options)
    found: Figures = {}
    for dtype in ("float32", "bfloat16"):
        other = zsad.load(model, device=device, dtype=dtype, **options)
        found[dtype] = differences(reference, other, images)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # products don't use TF32 in the first place
        exact = zsad.load(model, device=device, dtype="float32", **options)
        found["float32_without_tf32"] = differences(reference, exact, images)
    spread = [float(np.ptp(reference.raw(image)[0])) for image in images]
    return found | {"images": len(images), "map_range": max(spread)} | _judged(found)


def _judged(found: Figures) -> Figures:
    """Name what is too far away; written so that NaN is as well."""
    far = [f"{dtype} {what} {found[dtype][what]:.2g}, at most {allowed:g}" for dtype, allowed in ALLOWED.items()
           for what in ("map", "score") if not found[dtype][what] <= allowed]  # fmt: skip
    return {"failed": "; ".join(far)} if far else {}


def parity_bundled(device: str, small: bool) -> Figures:
    """Compare the bundled model, through torch."""
    folder = paths.asset("tiny/open_clip_config.json").parent
    images = pictures(2, 128) if small else pictures(6)
    return parity(f"local-dir:{folder}", device, images, **WORDS)


def parity_vit(device: str, small: bool) -> Figures:
    """Compare a ViT with random weights."""
    with tempfile.TemporaryDirectory() as place:
        return parity(model_id(small, Path(place)), device, pictures(2, 128 if small else 512), **WORDS)


def operations(tower: Any) -> float:
    """Floating point operations of a loaded tower for one image in 1e12."""
    info, tokens = tower.info, tower.grid**2 + 1
    return tera_operations(info.width, info.depth, tower.reading.vv_blocks, tokens, info.patch_size, info.embed_dim)


def timed(call: Callable[[], Any], device: str, rounds: int) -> float:
    """Median seconds of a call after two more, with the device's work finished."""
    taken = []
    for turn in range(rounds + 2):
        started = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        if turn > 1:
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def matmul_rate(device: str, dtype: torch.dtype, side: int) -> float:
    """Return the rate of a square matrix product in 1e12 operations per second."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2.0 * side * side * side / timed(lambda: a @ b, device, 10) / 1e12


def speed(dtype: str, device: str, small: bool) -> Figures:
    """Time the tower alone, and whole images to Results, at several batch sizes."""
    from zsad.backbone import load_backbone

    kind: torch.dtype = getattr(torch, dtype)
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        name = model_id(small, Path(folder))
        size = 56 if small else 518
        tower = load_backbone(name, image_size=size, device=device, dtype=dtype)
        work = operations(tower)
        rate = matmul_rate(device, kind, 256 if small else 8192)
        found: Figures = {"teraflop_per_image": work, "matmul_tflops": rate, "batch": {}}
        for count in (1, 8, 32):
            try:
                images = torch.randn(count, 3, size, size, device=device)
                seconds = timed(partial(tower, images), device, 3 if small else 10)
            except torch.OutOfMemoryError:
                found["batch"][str(count)] = {"failed": "out of memory"}
                continue
            per_second = count / seconds
            share = per_second * work / rate
            found["batch"][str(count)] = {"images_per_s": per_second, "share_of_matmul": share}
        if device == "cuda":
            found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        del tower
        detector = zsad.load(name, device=device, dtype=dtype, image_size=size, **WORDS)
        drawn = pictures(8, 128 if small else 512)
        found["images_to_results_per_s"] = 8 / timed(lambda: detector.batch(drawn), device, 3)
    return found


class Losses:
    """A reporter that keeps the loss and the seconds of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def note(self, text: str) -> None:
        """Print a note where it does no harm."""
        print(text, file=sys.stderr)

    def features(self, done: int, total: int) -> None:
        """Do nothing."""

    def step(self, record: Any, config: Any) -> None:
        """Keep a step."""
        self.losses.append(record.loss)
        self.seconds.append(record.seconds)


def train(device: str, small: bool) -> Figures:
    """Run three epochs of one step on the CPU and on the device, from the same start, and compare."""
    from zsad.prompt.store import load_prompt

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _dataset(place / "data", 4 if small else 8, 96 if small else 336)
        runs = {}
        for name, where in (("cpu", "cpu"), ("device", device)):
            kept = Losses()
            done = zsad.train(
                f"mvtec:{place / 'data'}", model_id(small, place), place / name, recipe="anomalyclip", epochs=3,
                image_size=56 if small else 336, device=where, cache=place / f"cache_{name}", reporter=kept,
            )  # fmt: skip
            vectors = load_prompt(done.prompt).vectors
            assert vectors is not None
            runs[name] = kept, vectors
    (cpu, vectors_cpu), (other, vectors_other) = runs["cpu"], runs["device"]
    relative = [abs(a - b) / abs(b) for a, b in zip(other.losses, cpu.losses, strict=True)]
    found: Figures = {
        "losses_cpu": cpu.losses,
        "largest_relative_loss_difference": max(relative),
        "largest_vector_difference": _apart(vectors_cpu.pixel, vectors_other.pixel),
        "seconds_per_step": {"cpu": min(cpu.seconds), device: min(other.seconds)},
    }
    if not max(relative) <= ALLOWED_LOSS:
        found["failed"] = f"a loss differs by {max(relative):.2g} of its value, at most {ALLOWED_LOSS:g}"
    return found


def _dataset(folder: Path, count: int, side: int) -> None:
    """Write a dataset in the MVTec form, every second image with a defect."""
    from PIL import Image

    from zsad.synthetic import scene_at

    for index in range(count):
        drawn = scene_at(index, side, anomalous=index % 2 == 1)
        kind = "spoilt" if drawn.label else "good"
        image = folder / "part" / "test" / kind / f"{index:03}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn.image).save(image)
        if drawn.label:
            mask = folder / "part" / "ground_truth" / kind / f"{index:03}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawn.mask.astype(np.uint8) * 255).save(mask)


def export(device: str, small: bool) -> Figures:
    """Export a ViT on the CPU, and run it and the bundled model through onnxruntime's provider of the device."""
    import onnxruntime

    from zsad.onnx_export import export as write

    there = onnxruntime.get_available_providers()
    images = pictures(2, 128 if small else 512)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        name = model_id(small, place) if small else "random:ViT-B-16"
        file = place / "model.onnx"
        detector: Any = zsad.load(name, **WORDS)
        report = write(detector, file)
        found: Figures = {
            "providers": there,
            "export_map_difference": report.difference.map,
            "megabytes": report.size / 1e6,
        }
        if device == "cuda" and "CUDAExecutionProvider" not in there:
            return found | {
                "skipped": "this onnxruntime has no CUDA provider (pip install onnxruntime-gpu in its place)"
            }
        for key, model in (("exported", str(file)), ("bundled", None)):
            reference, other = zsad.load(model, device="cpu"), zsad.load(model, device=device)
            rate = 2 / timed(partial(other.batch, images), "cpu", 3)
            found[key] = differences(reference, other, images) | {"images_per_s": rate}
            worst = max(found[key]["map"], found[key]["score"])
            if not worst <= ALLOWED_EXPORT:
                found["failed"] = f"{key}: {worst:.2g} from the CPU provider, at most {ALLOWED_EXPORT:g}"
    return found


def facts(device: str, small: bool) -> Figures:
    """Return commit, versions and hardware.

    Raises:
        RuntimeError: the device is absent.
    """
    from zsad.suites import record

    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(f"torch {torch.__version__} finds no CUDA device")
    found = {"commit": record.commit(), "versions": record.versions(), "machine": record.hardware()}
    if device == "cuda":
        gpu = torch.cuda.get_device_properties(0)
        found["gpu"] = {
            "name": gpu.name,
            "memory_gb": gpu.total_memory / 1e9,
            "capability": f"{gpu.major}.{gpu.minor}",
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "matmul_tf32": torch.backends.cuda.matmul.allow_tf32,
            "convolution_tf32": torch.backends.cudnn.allow_tf32,
        }
    return found


PARTS: dict[str, Callable[[str, bool], Figures]] = {
    "facts": facts,
    "parity_bundled": parity_bundled,
    "parity_vit": parity_vit,
    "speed_float32": partial(speed, "float32"),
    "speed_bfloat16": partial(speed, "bfloat16"),
    "train": train,
    "export": export,
}


if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](sys.argv[2], "small" in sys.argv[3:])))
