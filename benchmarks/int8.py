"""What INT8 costs and saves: the bundled model exported in float32 and INT8, on the same drawn scenes.

Image and pixel AUROC, milliseconds an image alone and in batches of eight, bytes, and whether a score depends on the
images beside it. ``python benchmarks/int8.py`` writes ``benchmarks/results/int8.json``; ``--model`` takes any id.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from zsad import paths
from zsad.detector.base import Detector
from zsad.metrics.curves import auroc, image_auroc, rank
from zsad.onnx_export.recipe import Recipe, write
from zsad.suites import record
from zsad.synthetic import scene_at

HERE = Path(__file__).parent
TINY = paths.asset("tiny/open_clip_config.json").parent


def measured(detector: Detector, count: int, side: int, repeats: int) -> dict[str, Any]:
    """Return quality on ``count`` drawn scenes, every second one with a defect, and times."""
    scenes = [scene_at(i, side, seed=7, split="valid", anomalous=bool(i % 2)) for i in range(count)]
    images = [scene.image for scene in scenes]
    alone = [detector(image) for image in images]
    beside = [result for start in range(0, count, 8) for result in detector.batch(images[start : start + 8])]
    values = np.concatenate([result.map.ravel() for result in alone])
    truth = np.concatenate([np.asarray(scene.mask).ravel() > 0 for scene in scenes])
    return {
        "image_auroc": round(image_auroc([i % 2 for i in range(count)], [r.score for r in alone]).value, 4),
        "pixel_auroc": round(auroc(rank(values[~truth], values[truth])).value, 4),
        "ms_alone": taken(lambda: detector(images[0]), repeats),
        "ms_in_eight": round(taken(lambda: detector.batch(images[:8]), repeats) / 8, 2),
        "largest_change_beside_others": max(abs(a.score - b.score) for a, b in zip(alone, beside, strict=True)),
    }


def taken(work: Any, repeats: int) -> float:
    """Return the median of several runs in milliseconds, after one to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=f"local-dir:{TINY}")
    parser.add_argument("--prompt", default=str(TINY / "prompt.safetensors"))
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "int8.json")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for weights in ("float32", "int8"):
            path = Path(folder) / f"{weights}.onnx"
            report = write(Recipe(model=options.model, prompt=options.prompt, weights=weights), path)
            detector = zsad.load(path)
            side = detector.card.input.image_size
            found[weights] = {"mb": round(report.size / 1e6, 1)} | measured(
                detector, options.scenes, side, options.repeats
            )
            print(weights, found[weights])
    facts = {
        "model": options.model.replace(str(TINY), "tiny"), "scenes": options.scenes, "commit": record.commit(),
        "versions": record.versions(), "machine": record.hardware(), "weights": found,
    }  # fmt: skip
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
