"""Measure how fast zsad is: the published backbone through torch, and the bundled model through onnxruntime.

    python benchmarks/speed.py [--rounds 5] [--threads 2] [--quick] [--json benchmarks/results/speed.json]

One process, variants interleaved, medians. ViT-L/14@336px at 518 px with random weights (their values do not matter)
in float32 and bfloat16, against the rate of ``F.linear`` of its largest layer (1370 x 1024 to 4096), and against a
baseline that computes as the published code does, written from its description: both attentions materialised, every
block's ordinary stream in full, both probabilities up-sampled, scipy's Gaussian. Then the bundled model: its session
alone, a decoded 512 x 512 image to a Result with mask and regions, and a cold ``zsad detect one.png``.
``--quick`` takes a smaller backbone; its figures are not comparable.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

import zsad
from zsad.backbone import load_backbone
from zsad.detector.torch_detector import TorchDetector
from zsad.scoring import DirectionScorer
from zsad.suites import record
from zsad.suites.speed import measure, sample_image
from zsad.types import FloatArray, PromptVectors

HEAD = 64
TEMPERATURE, SIGMA = 0.07, 4.0


def tera_operations(width: int, blocks: int, vv_blocks: int, tokens: int, patch: int, embed: int) -> float:
    """Floating point operations of one image in 1e12, the last block's ordinary stream for the class token only.

    Source: multiply-adds of each product, times two; 1.18 for ViT-L/14 at 518 px.
    """
    attention = 2 * tokens * tokens * width
    plain = 12 * tokens * width * width + attention
    dual = plain + attention + tokens * width * width
    saved = (10 * (tokens - 1)) * width * width + 2 * (tokens - 1) * tokens * width
    total = (blocks - vv_blocks) * plain + vv_blocks * dual - saved + tokens * width * (3 * patch * patch + embed)
    return 2 * total / 1e12


def baseline(x: Tensor, w: Mapping[str, Tensor], vv_blocks: int, text: Tensor) -> tuple[FloatArray, float]:
    """One image ``(1, 3, S, S)`` to its map and score, computed as the published code does.

    Args:
        x: network input.
        w: weights of the vision tower in OpenAI's names; the position table fits the grid.
        vv_blocks: number of last blocks with a value-value stream.
        text: unit vectors ``(2, D)``.
    """
    side = x.shape[-1]
    x = F.conv2d(x, w["conv1.weight"], stride=w["conv1.weight"].shape[-1]).flatten(2).transpose(1, 2)
    grid = round(x.shape[1] ** 0.5)
    x = torch.cat([w["class_embedding"].expand(1, 1, -1), x], dim=1) + w["positional_embedding"]
    x = _norm(x, w, "ln_pre")
    depth = len({name.split(".")[2] for name in w if name.startswith("transformer.resblocks.")})
    local = x
    for index in range(depth):
        block = f"transformer.resblocks.{index}"
        y = _norm(x, w, f"{block}.ln_1")
        q, k, v = F.linear(y, w[f"{block}.attn.in_proj_weight"], w[f"{block}.attn.in_proj_bias"]).chunk(3, dim=-1)
        q, k, v = (part.reshape(1, part.shape[1], -1, HEAD).transpose(1, 2) for part in (q, k, v))  # (1, h, T, 64)
        if index >= depth - vv_blocks:
            local = (x if index == depth - vv_blocks else local) + _attend(v, v, v, w, block)
        x = x + _attend(q, k, v, w, block)
        y = F.linear(_norm(x, w, f"{block}.ln_2"), w[f"{block}.mlp.c_fc.weight"], w[f"{block}.mlp.c_fc.bias"])
        y = y * torch.sigmoid(1.702 * y)
        x = x + F.linear(y, w[f"{block}.mlp.c_proj.weight"], w[f"{block}.mlp.c_proj.bias"])
    tokens = F.normalize(_norm(local, w, "ln_post") @ w["proj"], dim=-1)
    shares = (tokens @ text.T / TEMPERATURE).softmax(dim=-1)[:, 1:]
    shares = shares.transpose(1, 2).reshape(1, 2, grid, grid)
    shares = F.interpolate(shares, size=(side, side), mode="bilinear", align_corners=False)
    values = ((shares[0, 1] + 1 - shares[0, 0]) / 2).numpy()
    score = (F.normalize(x[:, 0] @ w["proj"], dim=-1) @ text.T / TEMPERATURE).softmax(dim=-1)[0, 1]
    return scipy.ndimage.gaussian_filter(values, sigma=SIGMA), float(score)


def _norm(x: Tensor, w: Mapping[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def _attend(q: Tensor, k: Tensor, v: Tensor, w: Mapping[str, Tensor], block: str) -> Tensor:
    shares = (q @ k.transpose(-1, -2) * HEAD**-0.5).softmax(dim=-1)  # (1, h, T, T), materialised
    y = (shares @ v).transpose(1, 2).flatten(2)
    return F.linear(y, w[f"{block}.attn.out_proj.weight"], w[f"{block}.attn.out_proj.bias"])


def torch_figures(name: str, size: int, rounds: int) -> dict[str, Any]:
    """Time zsad in float32 and bfloat16, the baseline and ``F.linear``, interleaved."""
    detectors = {}
    for dtype in ("float32", "bfloat16"):
        backbone = load_backbone(f"random:{name}", image_size=size, dtype=dtype, quick_gelu=True)
        rng = np.random.default_rng(0)
        pair = rng.standard_normal((2, backbone.info.embed_dim)).astype(np.float32)
        pair /= np.linalg.norm(pair, axis=1, keepdims=True)
        card = backbone.card(temperature=TEMPERATURE, sigma=SIGMA)
        detectors[dtype] = TorchDetector(backbone, DirectionScorer(PromptVectors.shared(pair, 1), card), card)
    plain = detectors["float32"].backbone
    weights = {key: value.detach().float() for key, value in plain.vision.state_dict().items()}
    weights = {_openai_name(key): value for key, value in weights.items()}
    weights["positional_embedding"] = plain.vision.position.float()  # at this size, not the native one
    text = torch.from_numpy(pair)
    x = np.random.default_rng(1).standard_normal((1, 3, size, size)).astype(np.float32)
    tokens, width = plain.grid**2 + 1, plain.info.width
    layer = torch.randn(4 * width, width), torch.randn(4 * width)
    rows = torch.randn(tokens, width)
    vv = plain.reading.vv_blocks

    def published() -> tuple[FloatArray, float]:
        with torch.inference_mode():
            return baseline(torch.from_numpy(x), weights, vv, text)

    def linear() -> None:
        with torch.inference_mode():
            for _ in range(20):
                F.linear(rows, *layer)

    variants: dict[str, Callable[[], Any]] = {
        "linear": linear,
        "zsad_float32": lambda: detectors["float32"].forward(x),
        "baseline_float32": published,
        "zsad_bfloat16": lambda: detectors["bfloat16"].forward(x),
    }
    difference = float(np.abs(variants["zsad_float32"]()[0][0] - published()[0]).max())
    taken = interleaved(variants, rounds)
    work = tera_operations(width, plain.info.depth, vv, tokens, plain.info.patch_size, plain.info.embed_dim)
    rate = 20 * 2 * tokens * width * 4 * width / taken["linear"] / 1e9
    achieved = work * 1e3 / taken["zsad_float32"]
    return {
        "backbone": name, "image_size": size, "rounds": rounds, "teraflop_per_image": work,
        "seconds": {key: value for key, value in taken.items() if key != "linear"},
        "linear_gflops": rate, "zsad_float32_gflops": achieved, "share_of_linear": achieved / rate,
        "float32_times_baseline": taken["baseline_float32"] / taken["zsad_float32"],
        "bfloat16_times_baseline": taken["baseline_float32"] / taken["zsad_bfloat16"],
        "largest_map_difference_to_baseline": difference,
    }  # fmt: skip


def _openai_name(key: str) -> str:
    """Name of a parameter without what wraps the tower."""
    for start in ("conv1.", "class_embedding", "positional_embedding", "ln_pre.", "transformer.", "ln_post.", "proj"):
        at = key.find(start)
        if at == 0 or (at > 0 and key[at - 1] == "."):
            return key[at:]
    return key


def interleaved(variants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each variant, one call of each per round after a warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, call in variants.items():
            start = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def bundled_figures(model: str | None, threads: int) -> dict[str, Any]:
    """Time the bundled model: session alone, image to regions, and a cold command."""
    detector = zsad.load(model, threads=threads)
    speed = measure(detector, size=(512, 512), batches=(1, 4, 16), calls=60)
    cold = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "one.png"
        Image.fromarray(sample_image((512, 512))).save(path)
        command = [sys.executable, "-m", "zsad", "detect", str(path), "--out", str(Path(place) / "out")]
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([*command, *(["--model", model] if model else [])], check=False, capture_output=True)
            cold.append(time.perf_counter() - start)
    return {
        "model": detector.card.provenance.name, "image_size": detector.card.input.image_size, "threads": threads,
        "session_images_per_s": 1000 / speed.stages["network"].p50,
        "image_to_regions_per_s": 1000 / speed.latency.p50,
        "cold_command_s": statistics.median(cold), "details": speed.to_json(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of the torch variants")
    parser.add_argument("--threads", type=int, default=2, help="processors that are used")
    parser.add_argument("--quick", action="store_true", help="a smaller backbone; figures are not comparable")
    parser.add_argument("--only", choices=("torch", "bundled"), help="measure one half")
    parser.add_argument("--model", help="another .onnx file than the bundled model")
    parser.add_argument("--json", type=Path, help="where figures are written")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    figures: dict[str, Any] = {}
    if options.only != "bundled":
        name, size = ("ViT-B-16", 224) if options.quick else ("ViT-L-14-336", 518)
        figures["torch"] = torch_figures(name, size, options.rounds)
    if options.only != "torch":
        figures["bundled"] = bundled_figures(options.model, options.threads)
    figures |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    print(json.dumps({key: value for key, value in figures.items() if key in ("torch", "bundled")}, indent=1))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
