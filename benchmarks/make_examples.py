"""Draws the images in ``examples/`` from the procedural world: ``python benchmarks/make_examples.py examples``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from zsad.synthetic import GENERATOR_VERSION, scene_at

SIDE, SEED = 384, 2026
# File name -> number of the scene, whether it has a defect. Chosen by eye, before any model saw them.
CHOSEN = {
    "bearing_hole.jpg": (118, True),
    "knit_good.jpg": (106, False),
    "marble_corrosion.jpg": (154, True),
    "mat_gouge.jpg": (181, True),
    "nut_smear.jpg": (110, True),
    "spanner_broken.jpg": (104, True),
    "spanner_good.jpg": (104, False),
    "transistor_wrong_part.png": (144, True),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (index, anomalous) in CHOSEN.items():
        drawn = scene_at(index, SIDE, seed=SEED, split="valid", anomalous=anomalous)
        Image.fromarray(drawn.image).save(folder / name, quality=92)
        print(f"{name:28} {drawn.caption}")
    print(f"generator {GENERATOR_VERSION}, seed {SEED}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples"))
