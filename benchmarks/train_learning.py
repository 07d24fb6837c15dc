"""Does prompt training learn? Against the word bank, on families that were never seen, with seeds and a control.

    python -m factory.pretrain --config benchmarks/train_learning.yaml --out RUN
    python benchmarks/train_learning.py --run RUN [--real KEY=LAYOUT:PATH ...] [--train-on KEY=LAYOUT:PATH]
        [--ablation] [--seeds 3] [--images 400] [--judged 300] [--epochs 15] [--json FILE]

The first line pretrains a small CLIP *without* the dense mask losses, so that its patch features are not already
what training is to find; any other backbone goes by ``--backbone ID`` in place of ``--run``. Training scenes are of
the procedural world's split "train"; figures are on the split "valid", each scene of which has a left-out texture,
object or defect family. The control trains on the same images with labels and masks dealt out at random, and random
directions show what chance is. ``--real`` adds folders that are only measured; ``--train-on`` trains on one of them
and measures the others (such a prompt is never kept). ``--ablation`` writes the table of heads and options instead.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.learning_scenes import shuffled, write_scenes
from factory.model import save_folder
from factory.validate import load_encoder
from zsad.backbone import Backbone, load_backbone
from zsad.data.examples import Example, FileExample
from zsad.data.spec import load_samples, parse_data_spec
from zsad.metrics import aupro, image_auroc, pixel_auroc
from zsad.prompt.apply import reading_of
from zsad.prompt.bank import load_bank
from zsad.prompt.ensemble import bank_vectors
from zsad.prompt.store import StoredPrompt, load_prompt
from zsad.scoring.direction_head import DirectionHead
from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION
from zsad.training import train
from zsad.training.features import FeatureStore
from zsad.training.processes import Processes
from zsad.training.supply import Supply
from zsad.types import PromptVectors

RESULTS = Path(__file__).resolve().parent / "results"
BANK = "industrial"
Measured = dict[str, dict[str, Any]]
"""Metrics over seeds, by data."""
CHANCE = 20
"""Random directions that show what chance gives."""
DEFAULT: dict[str, Any] = {"recipe": "default"}
LEARNING: dict[str, dict[str, Any]] = {
    "prompt, as published": {"recipe": "anomalyclip"},
    "prompt, default": DEFAULT,
    "weights, default": DEFAULT | {"head": "weights"},
}
ABLATION: dict[str, dict[str, Any]] = {
    "prompt, as published": {"recipe": "anomalyclip"},
    "prompt, published + decoupled": {"recipe": "anomalyclip", "decoupled": True},
    "prompt, published + top 1 % in the score": {"recipe": "anomalyclip", "fusion": 0.5},
    "prompt, default": DEFAULT,
    "prompt, default - decoupled": DEFAULT | {"decoupled": False},
    "prompt, default - layers": DEFAULT | {"layer_shares": [1.0], "learn_layer_weights": False},
    "prompt, default - learned layer weights": DEFAULT | {"learn_layer_weights": False},
    "prompt, default - top 1 % in the score": DEFAULT | {"fusion": 0.0},
    "weights, default": DEFAULT | {"head": "weights"},
    "weights, default - layers": DEFAULT | {"head": "weights", "layer_shares": [1.0], "learn_layer_weights": False},
    "weights, default - top 1 % in the score": DEFAULT | {"head": "weights", "fusion": 0.0},
    "weights, default + views": DEFAULT | {"head": "weights", "views": 3},
    "weights, default + views with mosaics": DEFAULT | {"head": "weights", "views": 3, "mosaics": 0.5},
}


def pretrained(run: Path, folder: Path) -> Backbone:
    """Load the encoder of a pretraining run as a user would load it."""
    encoder, config, _ = load_encoder(run)
    save_folder(encoder.clip.state_dict(), config.model, folder / "backbone", {})
    return load_backbone(f"local-dir:{folder / 'backbone'}", vv_blocks=config.model.vv_blocks)


class Judge:
    """Measures prompts on fixed data; features are read once for each way of reading the backbone."""

    def __init__(self, backbone: Backbone, data: Mapping[str, str], store: FeatureStore) -> None:
        self.backbone, self.data, self.store = backbone, data, store
        self.supplies: dict[tuple[str, str], Supply] = {}

    def __call__(self, prompt: StoredPrompt) -> dict[str, dict[str, float | None]]:
        """Return metrics at the model's resolution by name of the data; None where undefined."""
        return {name: self._measure(prompt, name) for name in self.data}

    @torch.no_grad()
    def _measure(self, prompt: StoredPrompt, name: str) -> dict[str, float | None]:
        assert prompt.vectors is not None
        supply = self._supply(prompt, name)
        head = DirectionHead(prompt.card, prompt.vectors)
        labels: list[float] = []
        scores: list[float] = []
        masks, maps = [], []
        rows = supply.usable(0)
        for start in range(0, len(rows), 16):
            batch = supply.batch(0, rows[start : start + 16])
            if batch is None:
                continue
            made, score = head(batch.cls, batch.patches.transpose(0, 1))  # (B, S, S), (B,)
            labels += batch.targets.label.tolist()
            scores += score.tolist()
            masked = batch.targets.masked
            masks += list(batch.targets.mask[masked].numpy())
            maps += list(made[masked].numpy())
        found = {"image_auroc": image_auroc(np.array(labels, int), np.array(scores)).value}
        if masks:
            found |= {"pixel_auroc": pixel_auroc(masks, maps).value, "pixel_aupro": aupro(masks, maps).value}
        return {key: None if value != value else round(value, 5) for key, value in found.items()}

    def _supply(self, prompt: StoredPrompt, name: str) -> Supply:
        reading = reading_of(prompt)
        key = (name, json.dumps(reading, sort_keys=True))
        if key not in self.supplies:
            tower = self.backbone.configured(**reading)
            examples = labelled(self.data[name])
            self.supplies[key] = Supply([examples], tower, self.store)
            self.supplies[key].reserve()
            self.supplies[key].fill(Processes())
        return self.supplies[key]


def labelled(spec: str) -> list[Example]:
    """Read data to be measured on; one label alone is fine there."""
    found = load_samples(parse_data_spec(spec), partial=True).samples
    return [FileExample(sample) for sample in found if sample.label is not None]


def bank_prompt(backbone: Backbone) -> StoredPrompt:
    """Return the word bank, read as the detector reads it: CLIP's own image feature for the score."""
    tower = backbone.configured(class_norm=True)
    return StoredPrompt(card=tower.card(prompt=BANK), vectors=bank_vectors(tower, load_bank(BANK)))


def random_prompt(backbone: Backbone, seed: int) -> StoredPrompt:
    """Return text directions that know nothing: what chance gives, which scatters about one half."""
    card = bank_prompt(backbone).card
    rng = np.random.default_rng(seed)
    pair = rng.standard_normal((2, card.reading.embed_dim), dtype=np.float32)
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    return StoredPrompt(card=card, vectors=PromptVectors.shared(pair, len(card.reading.layers)))


def spread(runs: Sequence[dict[str, dict[str, float | None]]]) -> Measured:
    """Return mean, standard deviation and values over seeds of every metric."""
    out: Measured = {}
    for name in runs[0]:
        out[name] = {}
        for metric in runs[0][name]:
            values = [value for run in runs if (value := run[name][metric]) is not None]
            deviation = statistics.stdev(values) if len(values) > 1 else 0.0
            mean = round(statistics.mean(values), 5) if values else None
            out[name][metric] = {"mean": mean, "std": round(deviation, 5), "seeds": values}
    return out


class Experiment:
    """Trains every variant with every seed and measures what comes out."""

    def __init__(self, backbone: Backbone, options: argparse.Namespace, folder: Path) -> None:
        self.backbone, self.options, self.folder = backbone, options, folder
        self.store = FeatureStore(folder / "features", 20.0)
        size = backbone.image_size
        self.table = write_scenes(folder / "train", options.images, size, "train")
        valid = write_scenes(folder / "valid", options.judged, size, "valid", seed=1)
        real = {spec.partition("=")[0]: spec for spec in options.real}
        self.judge = Judge(backbone, {"left-out families": f"valid=csv:{valid}"} | real, self.store)

    def trained(self, data: str, seed: int, settings: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
        """Train once and measure."""
        with tempfile.TemporaryDirectory(dir=self.folder) as out:
            done = train(
                data,
                self.backbone,
                out,
                seed=seed,
                cache=self.store.folder,
                cache_gb=20.0,
                **({"epochs": self.options.epochs} | dict(settings)),
            )
            return self.judge(load_prompt(done.prompt))

    def variants(self, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Measured]]:
        """Measure the word bank, then variants over seeds."""
        yield f"words: {BANK}", spread([self.judge(bank_prompt(self.backbone))])
        for name, settings in wanted.items():
            runs = [self.trained(f"scenes=csv:{self.table}", seed, settings) for seed in range(self.options.seeds)]
            yield name, spread(runs)

    def controls(self, wanted: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Measured]]:
        """Measure the same variants after training on shuffled labels."""
        for name, settings in wanted.items():
            runs = [
                self.trained(f"scenes=csv:{shuffled(self.table, seed)}", seed, settings)
                for seed in range(self.options.seeds)
            ]
            yield name, spread(runs)


def show(name: str, measured: Mapping[str, Mapping[str, Any]]) -> None:
    """Print one line for each data set."""
    for data, metrics in measured.items():
        figures = "  ".join(
            f"{metric} {value['mean']:.4f} ± {value['std']:.4f}"
            for metric, value in metrics.items()
            if value["mean"] is not None
        )
        print(f"{name:<45} {data:<20} {figures}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="What prompt training gains, with a control.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--run", type=Path, help="folder of a pretraining run")
    which.add_argument("--backbone", help="id of a backbone")
    parser.add_argument("--real", action="append", default=[], metavar="KEY=LAYOUT:PATH", help="measured only")
    parser.add_argument("--train-on", metavar="KEY=LAYOUT:PATH", help="one more run, trained on this")
    parser.add_argument("--ablation", action="store_true", help="the table of heads and options")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=400, help="training scenes")
    parser.add_argument("--judged", type=int, default=300, help="scenes of left-out families")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    wanted = ABLATION if options.ablation else LEARNING
    benchmark = "train_ablation" if options.ablation else "train_learning"
    target = options.json or RESULTS / f"{benchmark}.json"
    with tempfile.TemporaryDirectory() as temporary:
        backbone = pretrained(options.run, Path(temporary)) if options.run else load_backbone(options.backbone)
        experiment = Experiment(backbone, options, Path(temporary))
        report: dict[str, Any] = {
            "benchmark": benchmark,
            "backbone": backbone.info.id if backbone.info.note else backbone.info.fingerprint,
            "image_size": backbone.image_size,
            "world": GENERATOR_VERSION,
            "resolution": "model",
            "training_scenes": options.images,
            "measured_scenes": options.judged,
            "epochs": options.epochs,
            "results": {},
        }
        report |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
        report["run"] = {"date": datetime.now(UTC).strftime("%Y-%m-%d")}

        def keep(group: str, name: str, measured: Measured, prefix: str = "") -> None:
            """Show what was measured, and write all there is: a kill loses nothing that was done."""
            report.setdefault(group, {})[name] = measured
            show(prefix + name, measured)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

        for name, measured in experiment.variants(wanted):
            keep("results", name, measured)
        if not options.ablation:
            chance = spread([experiment.judge(random_prompt(backbone, seed)) for seed in range(CHANCE)])
            keep("chance", "random directions", chance)
            for name, measured in experiment.controls(wanted):
                keep("shuffled_labels", name, measured, "control: ")
        if options.train_on:
            key = options.train_on.partition("=")[0]
            runs = [experiment.trained(options.train_on, seed, DEFAULT) for seed in range(options.seeds)]
            others = {name: value for name, value in spread(runs).items() if name != key}
            keep("trained_on", key, others, "trained on ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
