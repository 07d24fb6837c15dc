"""Speed of weakly supervised video models: a training step, a day of features, and memory against length.

    python benchmarks/weak_speed.py --json FILE [--quick]

The training step is that of VadCLIP at its published sizes: 128 videos of up to 256 snippets, 512 wide, a text tower of
CLIP's size. The other arm (``weak_reference``) computes as the published code does, with the same weights; arms take
turns, and their gradients are compared. Videos are of 20 to 256 snippets, evenly drawn, and once all of 256.

A day is 2,592,000 frames at 30 a second: 162,000 rows. Memory is the most that a process of its own has held while
features that lie on the disk are scored, at a quarter of a day and at a whole one; pages of the file itself, which the
system takes back when it needs them, are not counted (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

DAY, WIDTH = 162_000, 512
ROOT = Path(__file__).resolve().parents[1]


def tower(width: int, layers: int) -> Any:
    """Return a text tower of CLIP's form with random weights."""
    import torch

    from zsad.video.weak.towers import text_tower

    shapes: dict[str, tuple[int, ...]] = {
        "token_embedding.weight": (49408, width), "positional_embedding": (77, width),
        "text_projection": (width, width), "ln_final.weight": (width,), "ln_final.bias": (width,),
    }  # fmt: skip
    for index in range(layers):
        at = f"transformer.resblocks.{index}"
        for norm in ("ln_1", "ln_2"):
            shapes |= {f"{at}.{norm}.weight": (width,), f"{at}.{norm}.bias": (width,)}
        for name, out, into in (
            ("attn.in_proj_", 3 * width, width),
            ("attn.out_proj.", width, width),
            ("mlp.c_fc.", 4 * width, width),
            ("mlp.c_proj.", width, 4 * width),
        ):
            shapes |= {f"{at}.{name}weight": (out, into), f"{at}.{name}bias": (out,)}
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) * 0.03 for name, shape in shapes.items()}
    return text_tower("random", weights, max(1, width // 64))


def model_of(width: int, layers: int) -> Any:
    """Return VadCLIP as it begins, at a width."""
    import torch

    from zsad.prompt.class_learner import ClassLearner
    from zsad.video.weak.model import WeakModel
    from zsad.video.weak.presets import PRESETS, UCF

    torch.manual_seed(0)
    config = replace(PRESETS["vadclip-ucf"], preset="vadclip-ucf", width=width)
    return WeakModel(config, ClassLearner(tower(width, layers), UCF))


def steps(videos: int, width: int, layers: int, rounds: int, threads: int) -> dict[str, Any]:
    """Time steps of both arms in turns."""
    import torch

    from benchmarks.weak_reference import Step, same
    from zsad.video.weak.data import Batch, Sample
    from zsad.video.weak.stepping import gradients
    from zsad.video.weak.train import optimiser_of

    torch.set_num_threads(threads)
    model = model_of(width, layers).train()
    found: dict[str, Any] = {}
    reference, optimiser, most = Step(model), optimiser_of(model), model.config.temporal.length
    for case in ("mixed", "full"):
        lengths = torch.full((videos,), most) if case == "full" else torch.randint(20, most + 1, (videos,))
        lengths[0] = most
        valid = torch.arange(most) < lengths[:, None]
        x = torch.randn(videos, most, width) * 0.3 * valid[..., None]
        samples = [Sample(Path(), str(i), (1 + i % 13,) if i >= videos // 2 else ()) for i in range(videos)]
        batch = Batch(x, valid, samples, lengths.tolist())

        def ours(batch: Batch = batch) -> float:
            return sum(float(term) for term in gradients(model, batch, {}).values())

        def theirs(batch: Batch = batch, lengths: Any = lengths) -> float:
            loss = reference(batch.x, lengths, batch.multi_hot(14))
            loss.backward()
            return float(loss.detach())

        rows: dict[str, list[dict[str, float]]] = {"zsad": [], "reference": []}
        for _ in range(rounds):
            for name, arm in (("zsad", ours), ("reference", theirs)):
                optimiser.zero_grad(set_to_none=True)
                wall, cpu = time.perf_counter(), time.process_time()
                loss = arm()
                rows[name].append({"loss": loss, "s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu})
        found[case] = {"mean_snippets": float(lengths.float().mean()), "rounds": rows,
                       **{f"speedup_{key}": median(r[key] for r in rows["reference"]) /
                          median(r[key] for r in rows["zsad"]) for key in ("s", "cpu_s")}}  # fmt: skip
    found["gradients_apart"] = _apart(model, reference, batch, same)  # all of full length: no padding to disagree on
    return {"videos": videos, "snippets": most, "width": width, "text_layers": layers, "threads": threads, **found}


def _apart(model: Any, reference: Any, batch: Any, same: Any) -> float:
    import torch

    from zsad.video.weak.data import Batch
    from zsad.video.weak.stepping import gradients

    few = Batch(batch.x[-4:], batch.valid[-4:], batch.samples[-4:], batch.rows[-4:])
    grads = []
    for arm in (lambda: gradients(model, few, {}),
                lambda: reference(few.x, torch.tensor(few.rows), few.multi_hot(14)).backward()):  # fmt: skip
        model.zero_grad(set_to_none=True)
        arm()
        grads.append({name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})
    return float(same(*grads))


def score_child(model: Path, features: Path, rows: int, threads: int) -> dict[str, float]:
    """Score the first rows of features on the disk, in a process of its own; return seconds and the most memory."""
    import threading

    import torch

    from zsad.video.learned.scorer import load_learned
    from zsad.video.learned.scoring import score_features

    torch.set_num_threads(threads)
    network = load_learned(model)
    mapped = np.load(features, mmap_mode="r")[:rows]
    held, over = [_own_mb()], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            held.append(_own_mb())

    watching = threading.Thread(target=watch)
    watching.start()
    wall, cpu = time.perf_counter(), time.process_time()
    scores = score_features(network, mapped)
    found = {"s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "rows": len(scores.values)}
    over.set()
    watching.join()
    return {**found, "before_mb": held[0], "peak_mb": max(held)}


def _own_mb() -> float:
    """Return the memory of this process in MB, without pages of mapped files, which the system takes back."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("RssAnon:"))


def day(folder: Path, width: int, layers: int, rows: int, threads: int) -> dict[str, Any]:
    """Score a quarter of the rows, then all of them, each in a process of its own."""
    from zsad.video.learned.card import VideoCard
    from zsad.video.weak.folder import save_weak
    from zsad.video.weak.presets import UCF

    made = model_of(width, layers)
    save_weak(folder / "model", made, VideoCard(made.config, UCF, "random"))
    rng = np.random.default_rng(0)
    mapped = np.lib.format.open_memmap(folder / "day.npy", "w+", np.float32, (rows, width))
    for at in range(0, rows, 8192):
        mapped[at : at + 8192] = rng.standard_normal((len(mapped[at : at + 8192]), width), np.float32) * 0.3
    mapped.flush()
    del mapped
    found = {}
    for name, count in (("quarter", rows // 4), ("day", rows)):
        command = [sys.executable, __file__, "--child", str(folder / "model"), str(folder / "day.npy"), str(count),
                   str(threads)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env={
            **os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Speed of weakly supervised video models.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument("--quick", action="store_true", help="small sizes: only whether it runs")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        model, features, rows, threads = options.child
        print(json.dumps(score_child(Path(model), Path(features), int(rows), int(threads))))
        return 0
    from zsad.suites import record

    width, layers, videos, rows = (64, 1, 8, 4096) if options.quick else (WIDTH, 12, 128, DAY)
    with tempfile.TemporaryDirectory() as temporary:
        scored = day(Path(temporary), width, layers, rows, options.threads)
    report = {
        "benchmark": "weak_speed", "day": scored,
        "step": steps(videos, width, layers, options.rounds, options.threads), "quick": options.quick,
        "machine": record.hardware(), "versions": record.versions(), "commit": record.commit(),
        "run": {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "load_average": os.getloadavg()[0]},
    }  # fmt: skip
    text = json.dumps(report, indent=1) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
