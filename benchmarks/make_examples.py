"""Draws the images in ``examples/`` from the procedural world: ``python benchmarks/make_examples.py examples``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from zsad.data.synthetic import GENERATOR_VERSION, scene_at

SIDE, SEED = 384, 2026
# File name -> number of the scene, whether it has a defect.
CHOSEN = {
    "biscuit_smear.jpg": (26, True),
    "board_gouge.jpg": (42, True),
    "board_turned_part.jpg": (45, True),
    "jar_good.jpg": (0, False),
    "knit_good.jpg": (40, False),
    "ring_blister.jpg": (31, True),
    "tiles_smear.jpg": (44, True),
    "transistors_extra_part.png": (13, True),
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
