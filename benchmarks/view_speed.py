"""Measure how fast `zsad train` draws views, by image (albumentations) and by batch (kornia), and what it learns.

    python benchmarks/view_speed.py [--images 16] [--rounds 5] [--side 518] [--quality] [--json FILE]

Both ways go through the feature pass of a run with a tower that does nothing: three views of each image, the unchanged
one included, are decoded from files (or taken from memory), changed, resized, normalised and stacked. They take turns
round by round in one process, on the same images, so that a busy machine slows both; with one thread of torch and
OpenCV and with two, since on a busy machine threads wait for each other. ``--quality`` then trains the language-free
head on drawn scenes with three views of each, either way and without views, over seeds, and measures scenes of
left-out families.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from zsad import synthetic
from zsad.backbone import load_backbone
from zsad.card import ModelCard
from zsad.data.examples import Example, FileExample, digest
from zsad.suites import record
from zsad.training.config import make_config
from zsad.training.features import FeatureStore
from zsad.training.processes import Processes
from zsad.training.sources import all_views
from zsad.training.supply import Supply
from zsad.types import BoolArray, Sample

RESULTS = Path(__file__).resolve().parent / "results" / "view_speed.json"
WAYS = ("image", "batch")
CASES = ((518, "memory"), (518, "png"), (1024, "png"), (1024, "jpeg"))
"""Side of the images in pixels, and where they lie."""
TINY = Path(__file__).resolve().parents[1] / "zsad" / "assets" / "tiny"
SETTINGS: dict[str, Any] = {"recipe": "default", "head": "weights"}
VARIANTS: dict[str, dict[str, Any]] = {
    "no views": {},
    "3 views by image": {"views": 3, "augment": {"by": "image"}},
    "3 views by batch": {"views": 3, "augment": {"by": "batch"}},
}


class Blind(nn.Module):
    """A tower that gives the same features for everything, at once: what is left is drawing."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))
        self.side = side

    def card(self) -> ModelCard:
        """Size of the input."""
        return ModelCard.of(image_size=self.side, patch_size=self.side, embed_dim=4, layers=(1,))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(B, 3, S, S)`` to ones ``(B, 4)`` and ``(B, 1, 1, 4)``."""
        return torch.ones(len(images), 4), torch.ones(len(images), 1, 1, 4)


@dataclass(frozen=True)
class Held:
    """An example in memory."""

    image: Image.Image
    mask: BoolArray
    name: str
    group: str = "held"
    label: int = 1
    masked: bool = True

    def identity(self) -> str:
        """Hash the name."""
        return digest(self.name)

    def load(self) -> tuple[Image.Image, BoolArray | None]:
        """Return what is there."""
        return self.image, self.mask


def examples(count: int, side: int, place: str, folder: Path) -> list[Example]:
    """Draw anomalous scenes and hold them, or write them to files."""
    out: list[Example] = []
    for i in range(count):
        scene = synthetic.scene_at(i, size=256, seed=0, anomalous=True)
        image = Image.fromarray(scene.image).resize((side, side), Image.Resampling.BICUBIC)
        mask = Image.fromarray(scene.mask * 255).resize((side, side), Image.Resampling.NEAREST)
        if place == "memory":
            out.append(Held(image, np.asarray(mask) > 0, f"{side} {i}"))
            continue
        file, truth = folder / f"{side}-{i:03}.{place}", folder / f"{side}-{i:03}-{place}-mask.png"
        image.save(file, quality=92)  # which PNG does not look at
        mask.save(truth)
        out.append(
            FileExample(
                Sample(image=file, label=1, class_name="a", defect="d", dataset="x", mask=truth, has_masks=True)
            )
        )
    return out


def speeds(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield views per second of either way, round by round, for every case and number of workers."""
    for side, place in CASES:
        images = examples(options.images, side, place, folder)
        for workers in (0, 2):
            spent: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
            for number in range(options.rounds + 1):
                for way in WAYS if number % 2 else WAYS[::-1]:
                    took = one_pass(images, way, number, workers, options)
                    if number:  # the first round imports and warms up
                        spent[way].append(took)
            count = options.images * options.views
            wall, cpu = ({way: [pair[k] for pair in spent[way]] for way in WAYS} for k in (0, 1))
            row: dict[str, Any] = {f"{way}_per_second": round(count / statistics.median(wall[way]), 2) for way in WAYS}
            row |= {f"{way}_cpu_ms": round(1000 * statistics.median(cpu[way]) / count, 2) for way in WAYS}
            row["batch_over_image"] = ratio(wall)
            row["batch_over_image_cpu"] = ratio(cpu)
            yield f"{side} px, {place}, {workers} workers", row


def one_pass(
    images: list[Example], way: str, number: int, workers: int, options: argparse.Namespace
) -> tuple[float, float]:
    """Draw all views of a run into an empty cache; return wall-clock and processor seconds, those of workers too."""
    config = make_config("default", changes={"views": options.views, "augment": {"by": way}, "seed": number})
    with tempfile.TemporaryDirectory() as cache:
        supply = Supply(all_views(images, config), Blind(options.side), FeatureStore(Path(cache), 1.0), workers=workers)  # type: ignore[arg-type]
        begun, cpu = time.perf_counter(), processor_seconds()
        supply.fill(Processes())
        took = time.perf_counter() - begun, processor_seconds() - cpu
    assert supply.computed == options.images * options.views
    return took


def processor_seconds() -> float:
    """Return what this process and its finished children have used."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ratio(seconds: dict[str, list[float]]) -> float:
    """Return the median over rounds of how many times as fast batches are."""
    return round(statistics.median(a / b for a, b in zip(seconds["image"], seconds["batch"], strict=True)), 2)


def quality(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield metrics on left-out families after training on each kind of view, over seeds."""
    from benchmarks.train_learning import Experiment, spread  # its training, its data and its metrics

    backbone = load_backbone(f"local-dir:{TINY}")
    settings = argparse.Namespace(images=options.scenes, judged=options.judged, epochs=options.epochs, real=[])
    experiment = Experiment(backbone, settings, folder)
    for name, changes in VARIANTS.items():
        data = f"scenes=csv:{experiment.table}"
        runs = [experiment.trained(data, seed, SETTINGS | changes) for seed in range(options.seeds)]
        yield name, spread(runs)["left-out families"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="How fast augmented views are drawn, by image and by batch.")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--views", type=int, default=3, help="of each image, the unchanged one included")
    parser.add_argument("--side", type=int, default=518, help="of the network's input")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="of torch and of OpenCV")
    parser.add_argument("--quality", action="store_true", help="train with either, too")
    parser.add_argument("--scenes", type=int, default=120, help="to train on")
    parser.add_argument("--judged", type=int, default=200, help="scenes of left-out families")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {
        "benchmark": "view_speed",
        "image_size": options.side,
        "images": options.images,
        "views": options.views,
        "load_before": os.getloadavg()[0],
        "machine": record.hardware(),
        "versions": record.versions() | {name: version(name) for name in ("kornia", "albumentations")},
        "commit": record.commit(),
        "run": {"date": datetime.now(UTC).strftime("%Y-%m-%d")},
        "speed": {},
    }

    def keep() -> None:
        """Write all there is: a kill loses nothing that was done."""
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as temporary:
        for threads in options.threads:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
            for name, row in speeds(options, Path(temporary)):
                report["speed"][f"{name}, {threads} threads"] = row
                ways = "  ".join(f"{way} {row[f'{way}_per_second']:7.2f}/s" for way in WAYS)
                ratios = f"ratio {row['batch_over_image']:.2f}, CPU {row['batch_over_image_cpu']:.2f}"
                keep()
                print(f"{name:<28} {threads} threads  {ways}  {ratios}", flush=True)
        if options.quality:
            torch.set_num_threads(options.threads[0])
            report |= {"scenes": options.scenes, "judged": options.judged, "epochs": options.epochs}
            report |= {"world": synthetic.GENERATOR_VERSION, "quality": {}}
            for name, metrics in quality(options, Path(temporary)):
                report["quality"][name] = metrics
                keep()
                figures = "  ".join(f"{key} {v['mean']:.4f} ± {v['std']:.4f}" for key, v in metrics.items())
                print(f"{name:<28} {figures}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
