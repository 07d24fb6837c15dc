"""What tiles cost where the whole image is enough, and what they find where it is not.

    python benchmarks/tiles.py [--data-root FOLDER] [--textures NAME ...] [--json FILE]

Drawn textures of 4096 x 4096 px get a disc of 12 px in one of ten places after another, a third as bright as its
surroundings or, on dark ones, half way to white; it is found if the highest map value of the bundled model with
``--tile auto`` lies within 24 px of it. With ``--data-root`` the sets of ``suites/realdata.yaml`` are measured whole,
with ``--tile 512`` and with ``--tile auto``, at the model's resolution. Exit code 1 if fewer than nine of ten are found
on fewer than three textures, or if a figure of a set falls by more than one point.

Textures that fail are stated as well: where a texture is itself made of dark dots of that size, such as coarse weave
and pored concrete, one dot more is no anomaly to a model that has not seen the good part.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import zsad
from zsad import paths
from zsad.data.spec import load_samples
from zsad.detector.base import Detector
from zsad.detector.onnx_detector import OnnxDetector
from zsad.images.tiling import TileSide
from zsad.suites import record
from zsad.suites.suite import load_suite, locate
from zsad.synthetic import TEXTURES
from zsad.types import ByteArray, FloatArray

HERE = Path(__file__).resolve().parent
SIDE, DEFECT, NEAR, PLACES = 4096, 12, 24, 10
NAMES = ("brushed", "leather", "wood", "granular", "woven", "concrete")
VIDEO = ("ucsd_ped2",)
"""Sets that are frames of 360 px, which no tile cuts."""
FIGURES = ("image_auroc", "pixel_auroc", "pixel_aupro")
COST = 0.01
"""What tiles may cost of a figure."""


def texture(name: str, side: int = SIDE) -> ByteArray:
    """Draw a texture that fills ``(side, side, 3)``."""
    planar = TEXTURES[name](np.random.default_rng([0, 99]), side, side)
    return np.ascontiguousarray((np.clip(planar.transpose(1, 2, 0), 0, 1) * 255 + 0.5).astype(np.uint8))


def spoilt(image: ByteArray, y: int, x: int, diameter: float = DEFECT) -> ByteArray:
    """Put a disc with soft edges on a copy of an image, its middle at row ``y`` and column ``x``."""
    reach = int(diameter / 2) + 2
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    cover = np.clip(diameter / 2 + 0.5 - np.hypot(rows, columns), 0, 1)[..., None]
    place = slice(y - reach, y + reach + 1), slice(x - reach, x + reach + 1)
    out = image.copy()
    around = out[place].astype(np.float64)
    level = around.mean() * 0.35 if around.mean() > 110 else (around.mean() + 255) / 2
    out[place] = np.clip(around * (1 - cover) + level * cover, 0, 255).astype(np.uint8)
    return out


def miss(detector: Detector, image: ByteArray, y: int, x: int) -> tuple[float, float]:
    """Return how far from ``(y, x)`` the highest map value lies in pixels, and the score."""
    result = detector(image)
    top, left = np.unravel_index(int(result.map.argmax()), result.map.shape)
    return math.hypot(float(top) - y, float(left) - x), result.score


class Remembering(OnnxDetector):
    """The bundled model; what it has seen is not computed again, such as the tiles that a defect does not touch."""

    def __init__(self, **options: Any) -> None:
        super().__init__(paths.asset("tiny.onnx"), **options)
        self._known: dict[bytes, tuple[FloatArray, np.float32]] = {}

    def _network(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        keys = [hashlib.sha256(one.tobytes()).digest() for one in x]
        new = [i for i, key in enumerate(keys) if key not in self._known]
        if new:
            for i, values, score in zip(new, *super()._network(x[new]), strict=True):
                self._known[keys[i]] = values, score
        return np.stack([self._known[key][0] for key in keys]), np.array([self._known[key][1] for key in keys])


def small_defects(names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield how often the defect is found on each texture, with tiles and without."""
    for name in names:
        tiled, whole = Remembering(tile="auto"), Remembering()
        image = texture(name)
        places = np.random.default_rng(5).integers(2 * NEAR, SIDE - 2 * NEAR, (PLACES, 2)).tolist()
        spoils = [(spoilt(image, y, x), y, x) for y, x in places]
        near = [miss(tiled, *spoil) for spoil in spoils]
        unaided = [miss(whole, *spoil) for spoil in spoils]
        yield (
            name,
            {
                "found": sum(distance <= NEAR for distance, _ in near),
                "found_whole": sum(distance <= NEAR for distance, _ in unaided),
                "of": PLACES,
                "distance_px": [round(distance, 1) for distance, _ in near],
                "score_median": round(float(np.median([score for _, score in near])), 3),
                "score_good": round(tiled(image).score, 3),
            },
        )


def real_sets(root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of each set, whole and in tiles, in [0, 1]."""
    (run,) = load_suite(HERE / "suites" / "realdata.yaml").runs
    ways: dict[str, TileSide] = {"whole": None, "512": 512, "auto": "auto"}
    for spec in locate(run, root).specs:
        if spec.key in VIDEO:
            continue
        samples = load_samples(spec).samples
        found = {way: zsad.evaluate(zsad.load(tile=tile), samples) for way, tile in ways.items()}
        means = {way: next(iter(table.datasets.values())).mean for way, table in found.items()}
        figures = {
            way: {name: round(float(mean[name]), 4) for name in FIGURES if math.isfinite(float(mean[name]))}
            for way, mean in means.items()
        }
        yield spec.key, {"images": len(samples), **figures}


def failures(data: dict[str, Any]) -> list[str]:
    """Name what does not keep the promises."""
    textures, sets = data["small_defects"], data.get("sets", {})
    good = [name for name, row in textures.items() if row["found"] >= 9 * row["of"] / 10]
    out = [] if len(good) >= 3 or not textures else [f"9 of 10 found on {len(good)} textures only"]
    for key, row in sets.items():
        for way in ("512", "auto"):
            for name, value in row["whole"].items():
                if value - row[way][name] > COST:
                    out.append(f"{key}: {name} {value:.4f} whole, {row[way][name]:.4f} with --tile {way}")
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, help="folder of small real samples; without it, only what is drawn")
    parser.add_argument("--textures", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args(arguments)
    data: dict[str, Any] = {
        "benchmark": "tiles",
        "load_before": os.getloadavg()[0],
        "machine": record.hardware(),
        "versions": record.versions(),
        "commit": record.commit(),
        "model_sha256": record.model_hash(None),
        "run": {"date": datetime.now(UTC).date().isoformat()},
        "side_px": SIDE,
        "defect_px": DEFECT,
        "near_px": NEAR,
        "small_defects": {},
    }
    parts = [("small_defects", small_defects(options.textures))]
    if options.data_root:
        parts.append(("sets", real_sets(options.data_root)))
    for part, rows in parts:
        for name, row in rows:
            data.setdefault(part, {})[name] = row
            print(name, json.dumps(row), flush=True)
            if options.json:  # after each row, so that a stop leaves what is done
                options.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    broken = failures(data)
    print("\n".join(broken) or "both promises are kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
