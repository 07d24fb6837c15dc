"""Train prompts as zsad does and as the published code does, on the same images, and compare time and memory.

    python benchmarks/train_speed.py [--quick] [--images 8] [--json FILE]

Both arms start from image files and the same initial prompts, and run all 15 epochs of the published recipe in
float32; nothing is extrapolated. The reference arm is written from the description of the published code: the
whole vision tower in every step with both attentions materialised, all 77 text positions with gradients to
the frozen text weights, and both probabilities up-sampled to 518 px. Each arm runs in a process of its own, so
that its peak memory is its own. ``--quick`` takes a smaller backbone. Full size: about 20 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tests.oracles import naive
from zsad.backbone import Backbone, load_backbone
from zsad.data.torch_dataset import ExampleDataset
from zsad.suites import record
from zsad.suites.speed import peak_memory_mb
from zsad.training import StepRecord, TrainConfig, make_config, train
from zsad.training.heads import PromptHead
from zsad.training.sources import parse_requests, read_sources

FULL = "random:ViT-L-14-336"
SIZE = 518
RESULTS = Path(__file__).resolve().parent / "results" / "train_speed.json"
QUICK = {
    "embed_dim": 256,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 8, "width": 384, "head_width": 64, "patch_size": 14},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 256, "heads": 4, "layers": 6},
}


def draw(folder: Path, count: int) -> None:
    """Write a dataset in the MVTec form: noisy surfaces, every second one with a disc in it."""
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:600, :640]
    for i in range(count):
        pixels = rng.normal(120, 20, (600, 640, 3))
        kind = ("good", "disc")[i % 2]
        path = folder / "part" / "test" / kind / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % 2:
            y, x, r = rng.integers(120, 480), rng.integers(120, 480), rng.integers(15, 80)
            disc = (yy - y) ** 2 + (xx - x) ** 2 < r**2
            pixels[disc] += 90
            mask = folder / "part" / "ground_truth" / kind / f"{i:03}_mask.png"
            mask.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(disc.astype(np.uint8) * 255).save(mask)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


class Clock:
    """Takes wall-clock and processor time of every step, from the end of the one before."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, float, float, float]] = []
        self.last, self.last_cpu = time.perf_counter(), time.process_time()

    def note(self, text: str) -> None:
        """Print a note."""
        print(text, file=sys.stderr)

    def features(self, done: int, total: int) -> None:
        """Start again: the feature pass is not a step."""
        self.last, self.last_cpu = time.perf_counter(), time.process_time()

    def step(self, record: StepRecord, config: TrainConfig) -> None:
        """Take the time of a step."""
        self.add(record.epoch, record.loss)

    def add(self, epoch: int, loss: float) -> None:
        """Take the time of a step of an epoch."""
        now, cpu = time.perf_counter(), time.process_time()
        self.steps.append((epoch, now - self.last, cpu - self.last_cpu, loss))
        self.last, self.last_cpu = now, cpu

    def report(self, total: float) -> dict[str, Any]:
        """Return the arm's figures."""
        return {
            "seconds": total,
            "steps": len(self.steps),
            "seconds_per_step_after_first_epoch": statistics.median(s for epoch, s, _, _ in self.steps if epoch > 1),
            "cpu_seconds": time.process_time(),
            "cpu_seconds_per_step_after_first_epoch": statistics.median(c for e, _, c, _ in self.steps if e > 1),
            "losses": [loss for *_, loss in self.steps],
            "peak_mb": peak_memory_mb(),
        }


def zsad_arm(backbone: Backbone, folder: Path, epochs: int) -> dict[str, Any]:
    """Train with zsad, from an empty cache."""
    clock = Clock()
    started = time.perf_counter()
    done = train(
        f"mvtec:{folder / 'data'}",
        backbone,
        folder / "out",
        recipe="anomalyclip",
        epochs=epochs,
        image_size=SIZE,
        cache=folder / "cache",
        reporter=clock,
    )
    figures = clock.report(time.perf_counter() - started)
    return figures | {"seconds_features": done.seconds["features"], "seconds_steps": done.seconds["steps"]}


def one_batch(backbone: Backbone, folder: Path) -> dict[str, Any]:
    """Run one batch through the tower and one step, for its peak memory."""
    config = make_config("anomalyclip", changes={"epochs": 1, "image_size": SIZE})
    dataset, _, _ = examples(backbone, config, folder)
    images = torch.stack([dataset[i]["image"] for i in range(8)])
    with torch.no_grad():
        backbone(images)
    del images
    data = f"mvtec:{folder / 'data'}"
    train(data, backbone, folder / "one", recipe="anomalyclip", epochs=1, image_size=SIZE, cache=folder / "cache")
    return {"peak_mb": peak_memory_mb()}


def examples(backbone: Backbone, config: TrainConfig, folder: Path) -> tuple[ExampleDataset, Tensor, int]:
    """Return the images as both arms read them, their labels, and how many there are."""
    found = read_sources(parse_requests([f"mvtec:{folder / 'data'}"]), config, SIZE).examples
    labels = torch.tensor([e.label for e in found])
    return ExampleDataset(found, backbone.card()), labels, len(found)


def reference_arm(backbone: Backbone, folder: Path, epochs: int) -> dict[str, Any]:
    """Train as the published code does: decode, see, say, up-sample and compare in every step."""
    config = make_config("anomalyclip", changes={"image_size": SIZE})
    naive.layer_norm = fused_norm  # the published code calls the library's
    weights = state_dict(backbone)
    for name, value in weights.items():  # the published code leaves the text weights trainable
        if not name.startswith("visual."):
            weights[name] = value.detach().clone().requires_grad_(value.is_floating_point())
    learner = PromptHead(backbone, config, decoupled=False).image
    dataset, labels, count = examples(backbone, config, folder)
    adam = torch.optim.Adam(learner.parameters(), lr=config.lr, betas=(config.beta1, config.beta2))
    clock = Clock()
    started = time.perf_counter()
    for epoch in range(epochs):
        order = np.random.default_rng([config.seed, epoch]).permutation(count)
        for start in range(0, count, config.batch_size):
            rows = order[start : start + config.batch_size].tolist()
            items = [dataset[i] for i in rows]
            image = torch.stack([item["image"] for item in items])  # (B, 3, S, S)
            mask = torch.stack([item["mask"] for item in items]).float()  # (B, S, S)
            with torch.no_grad():
                seen = naive.see(image, weights, backbone.reading.vv_blocks, backbone.layers)
            text = naive.say(learner.embeddings(), learner.ids, list(learner.deep), weights, half=False)
            image_loss, rows_of_layers = naive.losses(seen, text, mask, labels[rows])
            loss = config.pixel_weight * sum((sum(row[1:], row[0]) for row in rows_of_layers), torch.zeros(()))
            loss = loss + image_loss
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            clock.add(epoch + 1, float(loss.detach()))
            print(f"reference: epoch {epoch + 1}, {clock.steps[-1][1]:.1f} s a step", file=sys.stderr)
    return clock.report(time.perf_counter() - started)


def fused_norm(x: Tensor, w: naive.Weights, name: str) -> Tensor:
    """Normalise over the last axis with epsilon 1e-5."""
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)


def state_dict(backbone: Backbone) -> dict[str, Tensor]:
    """Return the backbone's parameters by OpenAI's names."""
    vision = {f"visual.{name}": value for name, value in backbone.vision.visual.state_dict().items()}  # type: ignore[union-attr]
    return vision | dict(backbone.text_tower().state_dict())


def measure(arm: str, backbone_id: str, folder: Path, epochs: int) -> dict[str, Any]:
    """Run an arm in this process."""
    backbone = load_backbone(backbone_id).configured(image_size=SIZE)
    if arm == "zsad":
        return zsad_arm(backbone, folder, epochs)
    return one_batch(backbone, folder) if arm == "one_batch" else reference_arm(backbone, folder, epochs)


def apart(arm: str, backbone_id: str, folder: Path, epochs: int) -> dict[str, Any]:
    """Run an arm in a process of its own."""
    command = [sys.executable, __file__, "--arm", arm, backbone_id, str(folder), "--epochs", str(epochs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="Time of prompt training, against the published way.")
    parser.add_argument("--quick", action="store_true", help="a smaller backbone")
    parser.add_argument("--images", type=int, default=8, help="number of drawn images, at least 8")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="write the results there")
    parser.add_argument("--arm", nargs=3, metavar=("ARM", "BACKBONE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.arm:
        arm, backbone, place = options.arm
        print(json.dumps(measure(arm, backbone, Path(place), options.epochs)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        draw(folder / "data", max(8, options.images))
        backbone = FULL
        if options.quick:
            (folder / "quick.json").write_text(json.dumps(QUICK), encoding="utf-8")
            backbone = f"random:{folder / 'quick.json'}"
        ours = apart("zsad", backbone, folder, options.epochs)
        memory = apart("one_batch", backbone, folder, options.epochs)
        reference = apart("reference", backbone, folder, options.epochs)
    report = compare(ours, reference, memory)
    report |= {
        "model": "quick: 8 blocks of width 384" if options.quick else "ViT-L/14@336, random weights",
        "image_size": SIZE,
        "images": max(8, options.images),
        "epochs": options.epochs,
        "batch_size": 8,
        "machine": record.hardware(),
        "versions": record.versions(),
        "commit": record.commit(),
        "run": {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "threads": torch.get_num_threads(),
            "load_average": os.getloadavg()[0],
        },
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for key in ("speedup_total", "speedup_per_step", "largest_relative_loss_difference", "peak_mb"):
        print(f"{key}: {report[key]}")
    return 0


def compare(ours: dict[str, Any], reference: dict[str, Any], memory: dict[str, Any]) -> dict[str, Any]:
    """Return ratios, how far the losses of the two arms are apart, and memory."""
    per_step = "seconds_per_step_after_first_epoch"
    cpu = f"cpu_{per_step}"
    pairs = list(zip(ours.pop("losses"), reference.pop("losses"), strict=True))
    return {
        "benchmark": "train_speed",
        "speedup_total": reference["seconds"] / ours["seconds"],
        "speedup_per_step": reference[per_step] / ours[per_step],
        "speedup_per_step_in_processor_time": reference[cpu] / ours[cpu],
        "largest_relative_loss_difference": max(abs(a - b) / abs(b) for a, b in pairs),
        "last_loss": {"zsad": pairs[-1][0], "reference": pairs[-1][1]},
        "peak_mb": {
            "zsad": ours["peak_mb"],
            "one_batch_and_step": memory["peak_mb"],
            "reference": reference["peak_mb"],
        },
        "zsad": ours,
        "reference": reference,
    }


if __name__ == "__main__":
    sys.exit(main())
