"""What each part of the bundled model's pretraining is worth, on left-out synthetic families.

    python factory/benchmarks/tiny_ablations.py [--plan FILE] [--work DIR] [--cache DIR] [--json FILE]

Every arm of ``tiny_ablations.yaml`` is a short pretraining run from fresh weights that differs from the others in one
thing; it is measured with the word bank, as nothing else could be fair to arms that never saw masks. The first arm is
also run with another seed, so that one sees which differences are noise. Arms that are done are not run again. About
30 minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml

from factory import pretrain
from factory.config import RunConfig
from factory.model import DualEncoder
from factory.pool import ScenePool
from factory.texts import Words
from factory.validate import (
    Collected,
    collect,
    image_scores,
    load_encoder,
    maps,
    report,
    row_of,
    score_parts,
    text_pair,
)
from zsad.config import from_mapping, to_mapping
from zsad.metrics.curves import image_auroc
from zsad.suites import record
from zsad.synthetic import GENERATOR_VERSION

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BASE = Path(pretrain.__file__).parent / "configs" / "v2.yaml"
SIGMA, FUSION = 4.0, 0.5
"""One smoothing and one score rule for all arms: the published sigma, and both parts of the score in equal shares."""


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        arms: config of every arm by name.
        sizes: side in pixels of the images that the first arm's model is measured on.
        scenes: how many scenes of left-out families are measured.
    """

    arms: Mapping[str, RunConfig]
    sizes: tuple[int, ...]
    scenes: int


def read_plan(path: Path) -> Plan:
    """Read a plan; every arm is the base config, changed by ``common`` and then by its own entries."""
    plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    base = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    arms = {
        name: from_mapping(RunConfig, merged(merged(base, plan["common"]), changes), f"{path}: {name}")
        for name, changes in plan["arms"].items()
    }
    return Plan(arms, tuple(plan["sizes"]), int(plan["scenes"]))


def merged(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings with the changes put in."""
    out = dict(config)
    for key, value in changes.items():
        out[key] = merged(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def train(config: RunConfig, folder: Path, cache: Path | None) -> None:
    """Run one arm as a user would, unless it is done; go on with one that was stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_mapping(config)), encoding="utf-8")
    command = [sys.executable, "-m", "factory.pretrain", "--config", str(folder / "config.yaml")]
    command += ["--compile", "--out", str(folder / "run"), *(["--cache", str(cache)] if cache else [])]
    command += ["--resume"] if (folder / "run" / "last.ckpt").exists() else []
    subprocess.run(command, check=True)


def figures(encoder: DualEncoder, config: RunConfig, data: Collected) -> dict[str, float]:
    """Return the figures of one arm."""
    words = Words.of_world()
    return row_of(report(encoder, config, data, words, text_pair(encoder)), SIGMA, FUSION)


@torch.inference_mode()
def at_size(encoder: DualEncoder, pool: ScenePool, count: int, size: int) -> dict[str, float]:
    """Measure a model on the pool's scenes, resized; masks keep the pool's size."""
    pair, t = text_pair(encoder), float(encoder.temperature)
    cls, patches, masks, labels = [], [], [], []
    for i in range(count):
        scene = pool[i]
        pixels = torch.from_numpy(scene.image.copy()).permute(2, 0, 1)[None].float()
        small = F.interpolate(pixels, size=(size, size), mode="bicubic", antialias=True).clamp(0, 255)
        c, p = encoder.encode_images(small.round().byte())
        cls.append(c)
        patches.append(p)
        masks.append(torch.from_numpy(scene.mask.astype(bool)))
        labels.append(scene.label)
    values = maps(torch.cat(patches), pair, t, pool.size, SIGMA)
    scores = image_scores(score_parts(torch.cat(cls), values, pair, t), FUSION)
    truth = torch.stack(masks).numpy()
    return {
        "pixel_auroc": round(image_auroc(truth, values).value, 4),
        "image_auroc": round(image_auroc(torch.tensor(labels).numpy(), scores).value, 4),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description="What each part of pretraining is worth.")
    parser.add_argument("--plan", type=Path, default=HERE / "tiny_ablations.yaml")
    parser.add_argument("--work", type=Path, default=Path("runs/ablations"), help="keeps the runs")
    parser.add_argument("--cache", type=Path, help="folder that keeps drawn scenes")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "tiny_ablations.json")
    options = parser.parse_args(arguments)
    plan = read_plan(options.plan)
    torch.set_num_threads(os.cpu_count() or 1)
    results: dict[str, Any] = {"benchmark": "tiny_ablations", "world": GENERATOR_VERSION, "scenes": plan.scenes}
    results |= {"sigma": SIGMA, "fusion": FUSION, "arms": {}, "sizes": {}}
    results |= {"machine": record.hardware(), "versions": record.versions(), "commit": record.commit()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    for number, (name, config) in enumerate(plan.arms.items()):
        folder = options.work / f"{number:02}"
        train(config, folder, options.cache)
        encoder, config, saved = load_encoder(folder / "run")
        pool = ScenePool(config.model.image_size, config.data.seed, "valid", options.cache)
        row = figures(encoder, config, collect(encoder, pool, Words.of_world(), plan.scenes))
        lines = (folder / "run" / pretrain.LOG).read_text(encoding="utf-8").splitlines()
        curve = [json.loads(line) for line in lines]
        results["arms"][name] = {"steps": saved.step, **row, "curve": [[c["step"], c["loss"]] for c in curve]}
        print(f"{name:<42} " + "  ".join(f"{k} {v:.3f}" for k, v in row.items()), flush=True)
        if number == 0:
            results["sizes"] = {size: at_size(encoder, pool, plan.scenes, size) for size in plan.sizes}
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
